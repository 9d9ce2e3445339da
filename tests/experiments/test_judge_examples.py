"""What a judge learns from: generated problems, and stored ones that nobody has solved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mstar.envs.families.catalog import FAMILIES
from mstar.experiments.judges.evaluation import evaluation_items
from mstar.experiments.judges.examples import JudgeExamples, one_batch


@pytest.fixture
def unsolved(tmp_path: Path) -> str:
    """Problems with answers and without worked solutions."""
    rows = []
    for index in range(12):
        problem = FAMILIES["Dice"](1).problem("train", 0, index)
        problem.images[0].render(96).save(tmp_path / f"{index}.png")
        assert problem.answer is not None
        rows.append(
            {
                "image": f"{index}.png",
                "question": problem.question,
                "answer": problem.answer.value,
                "split": ("train", "test")[index % 2],
            }
        )
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_batch_has_the_solution_a_corrupted_one_samples_and_the_bare_answer_of_each_problem() -> (
    None
):
    right, sure = one_batch(JudgeExamples(problems=2, samples=1), 0)["labels"]
    assert len(right) == 8
    assert (right[0][~np.isnan(right[0])] == 1.0).all()
    assert np.isnan(right[-2:]).all()
    assert (sure[-2:].sum(axis=1) == 1.0).all()


def test_unsolved_problems_are_labelled_by_completions(unsolved: str) -> None:
    settings = JudgeExamples(env=unsolved, problems=3, samples=2, labels="soft", completions=2)
    right, _ = one_batch(settings, 0)["labels"]
    assert len(right) == 3 * 2 + 3
    known = right[:6][~np.isnan(right[:6])]
    assert len(known) >= 6
    assert set(known) <= {0.0, 0.5, 1.0}


def test_exact_labels_of_unsolved_problems_are_refused(unsolved: str) -> None:
    with pytest.raises(ValueError, match=r"no worked solution.*--labels hard"):
        one_batch(JudgeExamples(env=unsolved, problems=2), 0)


def test_outcomes_need_no_solution(unsolved: str) -> None:
    settings = JudgeExamples(env=unsolved, problems=2, samples=1, target="outcome")
    right, _ = one_batch(settings, 0)["labels"]
    assert (np.isnan(right).sum(axis=1)[:2] == right.shape[1] - 1).all()


def test_unsolved_problems_are_evaluated_at_their_answers(unsolved: str) -> None:
    settings = JudgeExamples(env=unsolved, samples=1, labels="hard")
    asked = evaluation_items(settings, "test", 4, [0])
    assert {question.source for question in asked} == {"own"}
    assert all(np.isnan(q.example.right[:-1]).all() for q in asked)
