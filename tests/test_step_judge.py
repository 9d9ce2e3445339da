"""The process reward: labels, the judge of steps, its training and how its finds are counted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import save_tiny_model

from mstar.agents.judges import panel_of
from mstar.agents.policy import Policy
from mstar.agents.recipe import Recipe
from mstar.agents.step_judge import StepJudge
from mstar.agents.step_labels import Labelled, exact, labelled, slipped
from mstar.envs.families import FAMILIES
from mstar.envs.problem import Problem
from mstar.experiments.step_errors import first_error_f1
from mstar.experiments.train_step_judge import JudgeTraining, examined, fit
from mstar.rewards.base import Attempt
from mstar.rewards.process import ProcessReward, Steps, first_error, largest_drop


@pytest.fixture
def judge(tmp_path: Path) -> StepJudge:
    torch.manual_seed(0)
    return StepJudge.fresh(Policy.load(str(save_tiny_model("llava", tmp_path / "llava"))))


def dice(index: int = 0) -> Problem:
    return FAMILIES["Dice"](1).problem("train", 0, index)


def test_the_weakest_step_is_the_score_and_no_step_is_an_abstention() -> None:
    steps = [np.array([0.9, 0.3, 0.8], np.float32), np.zeros(0, np.float32)]

    def scorer(attempts: object) -> list[Steps]:
        return steps

    scores = ProcessReward(scorer).score([Attempt("q", "a\nb\nc"), Attempt("q", "")])
    assert scores[0] == np.float32(0.3)
    assert np.isnan(scores[1])


def test_errors_and_drops_are_found_where_they_are() -> None:
    steps = np.array([0.9, 0.6, 0.4, 0.45], np.float32)
    assert first_error(steps) == 2
    assert first_error(steps[:2]) is None
    drop = largest_drop(steps)
    assert drop is not None
    assert drop[0] == 1
    assert largest_drop(np.array([0.2, 0.5], np.float32)) is None
    assert largest_drop(steps[:1]) is None


@pytest.mark.parametrize("name", ["Counting", "Dice", "Ruler", "Shapes"])
def test_labels_of_solutions_and_of_slips_are_exact(name: str) -> None:
    rng = np.random.default_rng(0)
    for index in range(20):
        problem = FAMILIES[name](1).problem("train", 0, index)
        assert all(exact(problem).right)
        wrong = slipped(problem, rng)
        assert wrong is not None
        place = wrong.first_error
        assert place is not None
        assert wrong.steps[:place] == exact(problem).steps[:place]
        assert wrong.steps[place] != exact(problem).steps[place]
        again = labelled(problem, "\n".join(wrong.steps))
        assert again is not None
        assert (again.first_error, again.kind) == (place, wrong.kind)


def test_a_bare_answer_is_one_step_and_nothing_is_none() -> None:
    problem = dice()
    assert problem.answer is not None
    right = labelled(problem, f"Answer: {problem.answer.value}")
    assert right is not None
    assert right.right == (True,)
    wrong = labelled(problem, "Answer: 999")
    assert wrong is not None
    assert (wrong.first_error, wrong.kind) == (0, "answer")
    assert labelled(problem, " \n ") is None


def test_scores_do_not_depend_on_the_batch_and_survive_saving(
    judge: StepJudge, tmp_path: Path
) -> None:
    torch.nn.init.normal_(judge.head.weight, std=0.01)
    torch.nn.init.zeros_(judge.head.bias)
    attempts = [dice(i).attempt(dice(i).solution) for i in range(3)]
    attempts.append(dice().attempt(""))
    together = judge.scores(attempts)
    assert [len(steps) for steps in together[:3]] == [len(exact(dice(i)).steps) for i in range(3)]
    assert len(together[3]) == 0
    judge.save(tmp_path / "judge")
    again = StepJudge.load(tmp_path / "judge")
    for attempt, steps in zip(attempts, together, strict=True):
        np.testing.assert_allclose(again.scores([attempt])[0], steps, atol=1e-5)
    assert np.ptp(np.concatenate(together)) > 0.01


def test_a_folder_without_a_judge_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train_step_judge"):
        StepJudge.load(tmp_path)


def test_training_tells_right_steps_from_wrong_ones(judge: StepJudge, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs: list[tuple[str, Labelled]] = []
    for index in range(4):
        wrong = slipped(dice(index), rng)
        assert wrong is not None
        pairs += [("exact", exact(dice(index))), ("slip", wrong)]
    settings = JudgeTraining(tmp_path, updates=120, batch=8, learning_rate=1e-2)
    losses = list(fit(judge, itertools.cycle([example for _, example in pairs]), settings))
    assert losses[-1] < 0.5 * losses[0]
    found = first_error_f1(examined(judge, pairs))
    assert found.f1 > 0.7
    assert found.low <= found.f1 <= found.high


def test_the_f1_counts_exact_places_and_spared_solutions() -> None:
    rows = [
        {"kind": "perceive", "first_error": 1, "seen": 1},
        {"kind": "compute", "first_error": 2, "seen": 1},
        {"kind": "", "first_error": None, "seen": None},
        {"kind": "", "first_error": None, "seen": None},
    ]
    assert first_error_f1(rows).f1 == pytest.approx(2 * 0.5 / 1.5)
    assert first_error_f1(rows, "perceive").f1 == 1.0
    assert first_error_f1(rows, "compute").f1 == 0.0
    with pytest.raises(ValueError, match="needs wrong and right"):
        first_error_f1(rows[:2])


def test_the_shipped_judge_sits_in_a_panel_by_name() -> None:
    recipe = replace(Recipe(), panel=("correctness", "process"), rank="process")
    problem = dice()
    table = panel_of(recipe).score([problem.attempt(problem.solution), problem.attempt("")])
    assert 0 <= table["process"][0] <= 1
    assert np.isnan(table["process"][1])


def test_an_unknown_name_in_a_panel_is_told_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"no reward model \['progress'\].*process"):
        panel_of(replace(Recipe(), panel=("correctness", "progress"), rank="correctness"))
