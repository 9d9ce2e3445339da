"""Reward models that are models themselves: their names in a panel, and their scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from closeness import within_rounding

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import JUDGES, panel_of, reward_models
from mstar.agents.judges.image_ablation import ImageGap
from mstar.agents.judges.prompts import attempt_prompt, with_gray_images
from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.likelihood import log_probabilities
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem
from mstar.experiments.run.problems import evaluation_sets
from mstar.experiments.run.recipes import RECIPES
from mstar.experiments.run.train import judge_warnings
from mstar.rewards import SelfJudge
from mstar.rewards.base import Attempt
from mstar.rewards.models.endpoint import Endpoint
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.process import Steps


def clock(index: int) -> Problem:
    return FAMILIES["Clock"](1).problem("test", 0, index)


@pytest.fixture(scope="module")
def embedded() -> Policy:
    return Policy.load(str(EMBEDDED))


def test_the_gap_is_the_difference_of_two_log_probabilities(embedded: Policy) -> None:
    problem = clock(0)
    prompt = attempt_prompt(problem.attempt(""), 96)
    blind = with_gray_images(prompt)
    assert [image.size for image in blind.images] == [image.size for image in prompt.images]
    assert blind.images[0].getextrema() == ((127, 127),) * 3
    sampler = LocalSampler(embedded, 48, 8)
    (said,) = sampler.sample([prompt], 1, 0.0, 0)[0]
    text_alone = replace(said, tokens=said.tokens[:-1])  # the end is no part of the text
    seen, unseen = log_probabilities(embedded, [prompt, blind], [text_alone, text_alone])
    (gap,) = ImageGap(embedded)([problem.attempt(said.text)])
    assert gap == within_rounding(seen - unseen)


def test_the_gap_is_large_for_solutions_and_0_for_empty_responses(embedded: Policy) -> None:
    attempts = [p.attempt(p.solution) for p in map(clock, range(12))]
    gap = ImageGap(embedded)
    assert np.mean(gap(attempts)) > 1.0
    assert gap([clock(0).attempt("")]) == [0.0]
    both = gap([attempts[0], attempts[1], attempts[0]])
    assert both[0] == within_rounding(both[2])


def test_image_ablation_rewards_right_responses_only() -> None:
    recipe = Recipe().replace(panel=("correctness", "image_ablation"), rank="image_ablation")
    problem = clock(0)
    wrong = problem.attempt("Answer: 99:99")
    table = panel_of(recipe).score([problem.attempt(problem.solution), wrong])
    assert 0 < table["image_ablation"][0] <= 1
    assert table["image_ablation"][1] == 0.0


def test_an_outcome_reward_is_the_last_score_of_its_judge() -> None:
    def scorer(attempts: object) -> list[Steps]:
        return [np.array([0.9, 0.3], np.float32), np.zeros(0, np.float32)]

    scores = OutcomeReward(scorer).score([Attempt("q", "a\nb"), Attempt("q", "")])
    assert scores[0] == np.float32(0.3)
    assert np.isnan(scores[1])


def test_an_outcome_judge_is_found_in_the_recipes_folder() -> None:
    with pytest.raises(ValueError, match="no outcome_judge; train one"):
        reward_models(["outcome"], Recipe())
    (judge,) = reward_models(["outcome"], Recipe().replace(outcome_judge=str(STEP_JUDGE)))
    problem = clock(0)
    attempt = problem.attempt(problem.solution)
    last = StepJudge.load(STEP_JUDGE).scores([attempt])[0][-1]
    assert judge.score([attempt])[0] == within_rounding(last)


def test_the_base_model_judges_and_abstains_without_a_readable_verdict(model: str) -> None:
    panel = ("correctness", "self_judge")
    recipe = Recipe().replace(model=model, panel=panel, rank="self_judge")
    problem = clock(0)
    table = panel_of(recipe).score([problem.attempt(problem.solution)])
    assert np.isnan(table["self_judge"][0])


def test_an_endpoint_judges_if_the_recipe_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSTAR_JUDGE_KEY", "secret")
    recipe = Recipe().replace(judge_url="http://localhost:8000/v1", judge_model="big")
    (judge,) = reward_models(["self_judge"], recipe)
    assert isinstance(judge, SelfJudge)
    assert isinstance(judge.ask, Endpoint)
    assert (judge.ask.model, judge.ask.key) == ("big", "secret")
    assert "secret" not in repr(recipe)
    with pytest.raises(ValueError, match="give both"):
        Recipe().replace(judge_url="http://localhost:8000/v1")


def test_every_judge_has_the_name_it_is_listed_by() -> None:
    recipe = Recipe().replace(outcome_judge=str(STEP_JUDGE))
    assert [model.name for model in reward_models(list(JUDGES), recipe)] == list(JUDGES)


def test_a_test_scores_responses_without_a_reward_model() -> None:
    recipe = Recipe().replace(panel=("correctness", "process"), rank="process", judge_refresh=1)
    assert {tested.task.panel.names for tested in evaluation_sets(recipe)} == {("correctness",)}


def test_the_shipped_step_judge_is_warned_about_where_it_is_a_stranger() -> None:
    ours = RECIPES["default"]
    assert judge_warnings(ours) == []
    assert (
        judge_warnings(ours.replace(agent="continuous", panel=("correctness",), rank="reward"))
        == []
    )
    for changes in ({"model": "Qwen/Qwen2.5-VL-3B-Instruct"}, {"env": "my/problems.jsonl"}):
        (warning,) = judge_warnings(ours.replace(**changes))
        assert "--step-judge" in warning
        assert judge_warnings(ours.replace(step_judge="mine", **changes)) == []
