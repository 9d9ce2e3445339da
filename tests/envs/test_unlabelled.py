"""Problems with hidden answers."""

from dataclasses import fields

import gymnasium
import numpy as np
import pytest

from mstar.envs import FAMILIES, Task, as_choice, is_right, oracle
from mstar.envs.variants.unlabelled import unlabelled, withhold
from mstar.rewards.base import Attempt

PANEL = ("correctness", "format", "self_consistency", "grounding")


@pytest.mark.parametrize("name", FAMILIES)
def test_no_part_of_the_label_reaches_an_attempt(name: str) -> None:
    problem = FAMILIES[name](2).problem("train", 0, 0)
    hidden = withhold(problem)
    attempt = hidden.attempt("I don't know.")
    bare = Attempt(
        hidden.question,
        "I don't know.",
        None,
        hidden.images,
        hidden.id,
        answer_spec=hidden.answer_spec,
    )
    for part in fields(Attempt):
        assert getattr(attempt, part.name) == getattr(bare, part.name), part.name
    assert hidden.answer_spec is not None
    assert hidden.answer_spec.value == ""
    assert (hidden.steps, hidden.counterfactual, hidden.distractors, hidden.latent) == (
        (),
        None,
        (),
        {},
    )
    with pytest.raises(ValueError, match="unlabelled"):
        _ = hidden.solution


def test_observation_and_info_equal_those_of_the_labelled_problem() -> None:
    env = gymnasium.make("mstar/Dice-v1", unlabelled=1.0, size=96, panel=PANEL)
    labelled = gymnasium.make("mstar/Dice-v1", size=96, panel=PANEL)
    (seen, info), (other, told) = env.reset(seed=3), labelled.reset(seed=3)
    assert seen["prompt"] == other["prompt"]
    assert {k: v for k, v in info.items() if k != "images"} == {
        k: v for k, v in told.items() if k != "images"
    }
    problem = labelled.get_wrapper_attr("problem")
    ended = env.step(problem.solution)[4]
    assert not ended["valid"]["correctness"]
    assert not ended["valid"]["grounding"]
    again, _ = env.reset(options={"problem_id": info["problem_id"]})
    assert again["prompt"] == seen["prompt"]
    assert env.get_wrapper_attr("problem").answer is None


def test_the_oracle_still_judges_responses_to_hidden_answers() -> None:
    problem = FAMILIES["Counting"](1).problem("train", 0, 0)
    hidden = withhold(problem)
    assert oracle(hidden) == problem.answer == oracle(problem)
    assert is_right(hidden, problem.solution) is True
    assert is_right(hidden, "Answer: 99") is False
    assert withhold(hidden) is hidden


def test_agreement_uses_the_type_of_the_hidden_answer() -> None:
    problem = as_choice(FAMILIES["BarChart"](1).problem("train", 0, 0))
    assert problem.answer is not None
    assert problem.answer.choices is not None
    first, second = problem.answer.choices[:2]
    task = Task(source="BarChart", size=96, panel=("self_consistency",))
    said = ["Answer: (A)", f"Answer: {first}", "Answer: a", f"Answer: {second}"]
    table = task.score([withhold(problem)] * 4, said)
    assert table["self_consistency"].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])
    assert np.array_equal(table.scores, task.score([problem] * 4, said).scores)


def test_a_larger_share_hides_all_that_a_smaller_one_hides() -> None:
    family = FAMILIES["Dice"](1)

    def hidden(share: float) -> set[str]:
        source = unlabelled(family, share)
        drawn = [source.problem("train", 0, i) for i in range(200)]
        return {problem.id for problem in drawn if problem.answer is None}

    assert hidden(0.0) == set()
    assert len(hidden(1.0)) == 200
    assert hidden(0.3) < hidden(0.6)
    assert 35 < len(hidden(0.3)) < 85
    with pytest.raises(ValueError, match="share"):
        unlabelled(family, 1.5)
