"""The configuration: short names, files of this version and of older ones, and clear errors."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mstar.agents.config import GROUPS, RENAMED, SETTINGS, Recipe, stored_settings
from mstar.agents.judges.catalog import check_names, panel_of, reward_models
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Prompt
from mstar.envs.task import INSTRUCTION
from mstar.experiments.run.problems import evaluation_sets, open_task
from mstar.rewards import Answer, Attempt

# The settings of a run of version 0.1, as its recipe.json has them.
OLD = {"agent": "grpo", "keep": 3, "pool": 64, "held_out": 20, "beta": 0.04, "families": ["Dice"]}


def test_every_setting_has_one_short_name() -> None:
    assert len(SETTINGS) == sum(len(asdict(getattr(Recipe(), group))) for group in GROUPS)
    assert set(SETTINGS) == set(Recipe().settings())
    assert not set(RENAMED) & set(SETTINGS)
    assert set(RENAMED.values()) <= set(SETTINGS)


def test_a_recipe_is_read_from_its_groups_and_from_its_short_names() -> None:
    recipe = Recipe.of(rounds=2, families=("Dice",), kl_coefficient=0.1, selection="all")
    assert Recipe.from_stored(asdict(recipe)) == recipe
    assert Recipe.from_stored(recipe.settings()) == recipe


def test_a_flat_recipe_of_an_older_version_is_read_under_the_present_names() -> None:
    recipe = Recipe.from_stored(OLD)
    assert (recipe.run.agent, recipe.selection.top_k) == ("grpo", 3)
    assert (recipe.data.training_problems, recipe.data.families) == (64, ("Dice",))
    assert (recipe.evaluation.validation_problems, recipe.online.kl_coefficient) == (20, 0.04)
    assert set(stored_settings(OLD)) == {RENAMED.get(name, name) for name in OLD}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"sampels": 3}, "unknown setting 'sampels'; did you mean 'samples'"),
        ({"sampling": {"sampels": 3}}, "unknown setting of sampling 'sampels'; did you mean"),
        ({"samplin": {"samples": 3}}, "unknown setting 'samplin'; did you mean 'sampling'"),
        ({"rounds": "many"}, "rounds must be a whole number, got 'many'"),
        ({"rounds": True}, "rounds must be a whole number, got True"),
        ({"run": {"rounds": 0}}, "rounds must be at least 1, got 0"),
        ({"temperature": "warm"}, "temperature must be a number, got 'warm'"),
        ({"bf16": 1}, "bf16 must be true or false, got 1"),
        ({"families": "Dice"}, "families must be a list, got 'Dice'"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ({"agent": "gpro"}, "unknown agent 'gpro'; did you mean 'grpo'"),
        ({"panel": ["format"], "gate": "format"}, "lacks 'correctness', by which every round"),
    ],
)
def test_a_mistake_in_a_file_is_answered_with_the_remedy(
    stored: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe.from_stored(stored)


def test_a_whole_number_will_do_for_a_number() -> None:
    temperature = Recipe.of(temperature=1).sampling.temperature
    assert (temperature, type(temperature)) == (1.0, float)


# The rule that combines the scores

SHORT: dict[str, Any] = {
    "panel": ("correctness", "brevity"),
    "rank": "reward",
    "weights": (1.0, 1.0),
}


def test_a_length_term_is_gated_by_the_outcome_where_rewards_are_learned_from() -> None:
    assert Recipe().reward_rule == "weighted_sum"
    assert Recipe.of(agent="grpo", **SHORT).reward_rule == "gated"
    assert Recipe.of(agent="grpo", **SHORT, rule="weighted_sum").reward_rule == "weighted_sum"
    assert Recipe.of(**SHORT).reward_rule == "weighted_sum"  # wrong answers are not selected
    idle = {**SHORT, "weights": (1.0, 0.0)}
    assert Recipe.of(agent="grpo", **idle).reward_rule == "weighted_sum"
    with pytest.raises(ValueError, match="unknown rule 'gatd'; did you mean 'gated'"):
        Recipe.of(rule="gatd")


def test_a_group_without_a_right_answer_gets_no_advantage_from_its_length() -> None:
    wrong = [Attempt("?", text, Answer("number", "9"), group="g") for text in ("1", "so it is 1")]
    for rule, differ in (("default", False), ("weighted_sum", True), ("outcome_anchor", False)):
        rewards = panel_of(Recipe.of(agent="grpo", **SHORT, rule=rule)).score(wrong).reward
        assert (rewards[0] != rewards[1]) == differ


def test_a_reward_of_ones_own_is_called_by_its_own_name() -> None:
    recipe = Recipe.of(panel=("correctness", "my.py:bars"), rank="bars", weights=(1.0, 0.5))
    assert recipe.rewards.names == ("correctness", "bars")
    assert recipe.reward_weights == {"correctness": 1.0, "bars": 0.5}
    with pytest.raises(ValueError, match=r"the rank 'bar' .*did you mean 'bars'"):
        recipe.replace(rank="bar")
    with pytest.raises(ValueError, match="the name of a reward model that ships"):
        check_names(["correctness", "my.py:format"])


def test_what_stands_for_the_image_is_the_same_in_every_split() -> None:
    recipe = Recipe.of(show="caption")
    for split in SPLITS:
        task = open_task(recipe, split)
        assert {len(task.prompt(problem).images) for problem in task.draw(4)} == {0}
    assert [len(t.task.prompt(t.problems[0]).images) for t in evaluation_sets(recipe)] == [0, 0]


def test_how_problems_are_asked_is_a_setting(tmp_path: Path) -> None:
    def asked(**settings: str) -> Prompt:
        task = open_task(Recipe.of(families=("BarChart",), **settings), "train")
        problem = task.draw(1)[0]
        prompt = task.prompt(problem)
        return replace(prompt, text=prompt.text.removeprefix(problem.question))

    usual = asked()
    assert (usual.text, usual.system) == (f"\n{INSTRUCTION}", "")
    assert "\\boxed{}" in asked(answer_form="boxed").text
    assert asked(answer_form="tags").text.endswith("<answer> </answer>.")
    assert asked(instruction="none").text == ""
    assert asked(instruction="Be quick.", answer_form="tags").text == "\nBe quick."
    file = tmp_path / "system.txt"
    file.write_text("You count.\n")
    recipe = Recipe.of(system=f"@{file}")
    file.unlink()
    assert Recipe.from_stored({"data": {"system": recipe.data.system}}).data == recipe.data
    assert asked(system=recipe.data.system).system == "You count."
    with pytest.raises(ValueError, match=r"system is '@.*cannot be read"):
        Recipe.of(system=f"@{file}")


def test_format_rewards_the_form_that_is_asked_for() -> None:
    responses = {
        "answer": "It has 3 bars.\nAnswer: 3",
        "boxed": "It has 3 bars, so \\boxed{3}.",
        "tags": "It has 3 bars. <answer>3</answer>",
        "thinking": "<think>It has 3 bars.</think>\n<answer>3</answer>",
        "empty": "<think> </think> <answer>3</answer>",
        "late": "I see. <think>It has 3 bars.</think><answer>3</answer>",
    }
    attempts = [Attempt("How many?", text, None) for text in responses.values()]

    def rewarded(form: str) -> set[str]:
        (model,) = reward_models(["format"], Recipe.of(answer_form=form))
        scores = model.score(attempts)
        return {name for name, score in zip(responses, scores, strict=True) if score}

    assert rewarded("answer") == set(responses)
    assert rewarded("boxed") == {"boxed"}
    assert rewarded("tags") == {"tags", "thinking", "empty", "late"}
    assert rewarded("thinking") == {"thinking"}


def test_the_embedded_model_is_asked_in_the_words_it_has_read_and_others_in_the_newest() -> None:
    assert Recipe().families == ("Counting-v0", "Dice-v0", "Ruler-v0", "Shapes-v0")
    other = Recipe.of(model="some/model")
    assert other.families == ("Counting", "Dice", "Ruler", "Shapes")
    assert other.resolved().data.families == ("Counting-v0", "Dice-v1", "Ruler-v1", "Shapes-v1")
    assert other.resolved().evaluation.extra_families == ("BarChart-v1", "Clock-v0")
    named = Recipe.of(env="Dice", families=("Dice", "Dice-v0"), extra_families=())
    assert (named.families, named.extra_families) == (("Dice", "Dice-v0"), ())
    assert named.resolved().data.env == "Dice-v1"  # so that the run keeps its problems


def test_a_recipe_with_the_former_mixture_means_the_present_one() -> None:
    stored = {"data": {"env": "mstar/Mixture-v0", "families": ["Clock"]}}
    data = Recipe.from_stored(stored).data
    assert (data.env, data.families) == ("mstar/Mixture-v2", ("Clock",))
    assert Recipe.of(env="mstar/Mixture-v0").data.env == "mstar/Mixture-v2"
