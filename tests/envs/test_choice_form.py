"""Open questions as multiple choice."""

from collections import Counter
from typing import Any

import gymnasium
import numpy as np
import pytest

from mstar.envs import FAMILIES, Problem, as_choice
from mstar.envs.blind_baselines import measure_blind_baselines
from mstar.envs.families.bar_chart import BarChart
from mstar.envs.families.base import LEVELS
from mstar.envs.variants.option_layout import join_question, layout_for, split_question
from mstar.rewards.base import Answer
from mstar.rewards.verifier.audit import audit
from mstar.rewards.verifier.verify import equivalent, verify


def drawn(name: str, count: int = 12) -> list[Problem]:
    return [FAMILIES[name](1 + i % 3).problem("train", 1, i) for i in range(count)]


@pytest.mark.parametrize("name", FAMILIES)
def test_options_are_distinct_and_hold_the_answer_once(name: str) -> None:
    for problem in drawn(name):
        chosen = as_choice(problem)
        assert problem.answer
        assert chosen.answer
        assert chosen.answer.choices
        assert audit(chosen.answer) is None
        options = chosen.answer.choices
        assert len(options) >= (2 if problem.answer.type in ("yes_no", "text") else 3)
        for i, one in enumerate(options):
            assert not any(equivalent(one, other, problem.answer) for other in options[i + 1 :])
        if problem.answer.type != "choice":
            assert chosen.question.startswith(problem.question)
            assert split_question(chosen.question, options).stem == problem.question
        assert chosen.answer.value == problem.answer.value
        counterfactual = chosen.counterfactual.answer if chosen.counterfactual else None
        if counterfactual and problem.answer.type != "choice":
            assert counterfactual.choices == options
            assert counterfactual.value in options
            assert counterfactual.value != chosen.answer.value


def test_neither_place_nor_size_of_an_option_reveals_the_answer() -> None:
    hits: dict[str, list[float]] = {"first": [], "longest": [], "2nd": [], "3rd": [], "largest": []}
    for name in ("BarChart", "Counting", "Dice", "Table", "Ruler", "Clock"):
        for problem in drawn(name, 100):
            answer = as_choice(problem).answer
            assert answer
            assert answer.choices
            assert len(answer.choices) == 4
            sizes = [float(option.replace(":", ".")) for option in answer.choices]
            place = answer.choices.index(answer.value)
            rank = list(np.argsort(sizes)).index(place)
            most = max(map(len, answer.choices))
            longest = [i for i, option in enumerate(answer.choices) if len(option) == most]
            hits["longest"].append((place in longest) / len(longest))
            for kind, hit in (("first", place == 0), ("2nd", rank == 1), ("3rd", rank == 2)):
                hits[kind].append(float(hit))
            hits["largest"].append(float(rank == 3))
    assert all(0.19 < np.mean(hit) < 0.33 for hit in hits.values()), hits  # 600 problems: sd 0.018


@pytest.mark.parametrize("name", FAMILIES)
def test_no_blind_strategy_beats_chance_by_much(name: str) -> None:
    level = 1 + list(FAMILIES).index(name) % len(LEVELS)
    found = measure_blind_baselines(FAMILIES[name](level), 250)
    assert max(found.open, found.place, found.look, found.frequent, found.telling) <= 0.35, found
    assert found.two_ways <= 0.6, found


def test_a_blind_strategy_that_works_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Betraying(BarChart):
        def vary(self, latent: Any, rng: np.random.Generator) -> Any:
            values = rng.permutation(100)[: self.bars]
            return {**latent, "values": [100 + int(value) ** 2 for value in values]}

    monkeypatch.setitem(FAMILIES, "BarChart", Betraying)
    found = measure_blind_baselines(Betraying(), 100)
    assert min(found.frequent, found.telling, found.look) > 0.35, found


def test_the_seed_determines_the_options() -> None:
    problem = drawn("Table", 1)[0]
    assert as_choice(problem).answer == as_choice(problem).answer
    others = Counter(str(as_choice(problem, seed).answer) for seed in range(6))
    assert len(others) > 3


def test_a_question_with_two_answers_gets_two_options_and_one_without_any_stays_open() -> None:
    yes = Problem("p", (), "Is it?", Answer("yes_no", "yes"), distractors=("no",))
    answer = as_choice(yes).answer
    assert answer
    assert sorted(answer.choices or ()) == ["no", "yes"]
    word = Problem("p", (), "Who?", Answer("text", "Ida"))
    assert as_choice(word) is word
    number = Problem("p", (), "How many?", Answer("count", "7"))
    assert len(as_choice(number, options=5).answer.choices) == 5  # type: ignore[union-attr, arg-type]


def test_options_that_are_letters_are_listed_without_letters() -> None:
    assert layout_for(("red", "blue")) == "(A)"
    assert layout_for(("E", "A")) == "-"
    question = join_question(split_question("Which?", ()), ("E", "A"), "-")
    assert question == "Which?\n- E\n- A"


def test_too_few_or_too_many_options_are_refused() -> None:
    with pytest.raises(ValueError, match="2 to 26"):
        as_choice(drawn("Dice", 1)[0], options=1)


def test_an_environment_poses_multiple_choice_and_finds_its_problems_by_id() -> None:
    env = gymnasium.make("mstar/BarChart-v1", form="choice", size=96)
    observation, info = env.reset(seed=4)
    posed: Problem = env.get_wrapper_attr("problem")
    assert posed.answer is not None
    assert posed.answer.choices is not None
    assert "\n(A) " in observation["prompt"]
    letter = "ABCD"[posed.answer.choices.index(posed.answer.value)]
    again, _ = env.reset(options={"problem_id": info["problem_id"]})
    assert again["prompt"] == observation["prompt"]
    assert env.step(f"Answer: {letter}")[1] > 0.9
    assert verify(f"Answer: {posed.answer.value}", posed.answer).correct
    with pytest.raises(ValueError, match="form must be"):
        gymnasium.make("mstar/BarChart-v1", form="closed")
