"""Canaries at the start of a run, of its own problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from env_doubles import Stored
from killed_runs import Killed, run
from tiny_runs import TINY

from mstar.agents.config import Recipe
from mstar.envs.task import Task
from mstar.experiments.run.canary_check import (
    FILE,
    CanaryCheck,
    apply_check,
    check_run,
    stored_warnings,
)
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.recipes import RECIPES
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.diagnostics.canaries import JUNK
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel


def checked(recipe: Recipe) -> CanaryCheck:
    return check_run(recipe, open_task(recipe, "train"), open_task(recipe, "validation"))


@pytest.mark.parametrize("name", RECIPES)
def test_no_recipe_learns_from_junk(name: str) -> None:
    found = checked(RECIPES[name])
    assert (found.fatal, found.failures, found.problems) == (None, (), 8)
    assert found.learned == {"golden": 1.0, **dict.fromkeys(JUNK, 0.0)}


CONTROLS: list[tuple[dict[str, Any], set[str]]] = [
    ({"panel": ("correctness", "format"), "gate": "format"}, {"number spray", "other image"}),
    ({"panel": ("correctness", "majority"), "gate": "majority"}, {"other image", "hedge"}),
    (
        {
            "agent": "grpo",
            "panel": ("correctness", "brevity"),
            "weights": (0.0, 1.0),
            "rule": "weighted_sum",
        },
        {"other image", "truncated"},
    ),
    (
        {
            "agent": "grpo",
            "panel": ("correctness", "random"),
            "weights": (0.0, 1.0),
            "rule": "weighted_sum",
        },
        {"line spray"},
    ),
]


@pytest.mark.parametrize(("changes", "junk"), CONTROLS)
def test_a_control_that_would_learn_from_junk_must_be_allowed(
    tmp_path: Path, changes: dict[str, Any], junk: set[str]
) -> None:
    recipe = Recipe.of(families=("BarChart",), rank="reward", **changes)
    found = checked(recipe)
    assert junk <= set(found.junk)
    with pytest.raises(ValueError, match=r"would learn from junk.*--canaries warn"):
        apply_check(found, recipe, tmp_path)
    recorded = json.loads((tmp_path / FILE).read_text())
    assert recorded["junk"] == list(found.junk)
    told = apply_check(found, recipe.replace(canaries="warn"), tmp_path)
    assert "learn from junk" in told[0]
    assert stored_warnings(tmp_path) == told


def test_without_labels_the_validation_problems_are_checked() -> None:
    found = checked(Recipe.of(families=("Dice",), unlabelled=1.0))
    assert (found.problems, found.fatal) == (8, None)


class Silent:
    """A gate that lets nothing through."""

    name = "correctness"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.zeros(len(attempts), np.float32)


def test_a_gate_that_accepts_no_right_answer_is_found() -> None:
    task = Task(source="Dice", panel=RewardPanel([Silent()]), seed=0)
    recipe = Recipe.of(panel=("correctness",), rank="reward")
    assert check_run(recipe, task, task).fatal == "this run would not learn from right answers"
    assert check_run(recipe.replace(agent="sft"), task, task).fatal is None


def test_where_nothing_has_a_label_nothing_is_known_and_that_is_said() -> None:
    task = Task(source=Stored(), panel=RewardPanel([Silent()]), seed=0)
    (told,) = check_run(Recipe(), task, task).warnings()
    assert "no labelled problem" in told


def test_a_run_that_goes_on_is_not_checked_again(model: str, tmp_path: Path) -> None:
    recipe = TINY.replace(model=model, rounds=1, prompts=2, updates=1)
    folder = run(recipe, tmp_path)
    told = json.dumps(asdict(CanaryCheck(8, {}, ("told before",), (), False)))
    (folder.path / "canaries.json").write_text(told)
    run(recipe, tmp_path)
    assert json.loads((folder.path / "canaries.json").read_text()) == json.loads(told)


def test_a_check_is_stored_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (CanaryCheck(8, {}, (failure,), (), False) for failure in ("a", "b"))
    apply_check(first, TINY, tmp_path)

    def killed(*_: object) -> None:
        raise Killed

    # Another process of the run reads the file at any time, and this one is killed at any time.
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(Killed):
        apply_check(second, TINY, tmp_path)
    assert stored_warnings(tmp_path) == first.warnings() != second.warnings()


def test_a_judge_that_likes_everything_is_told_of() -> None:
    class Flat:
        name = "flat"

        def score(self, attempts: Sequence[Attempt]) -> Scores:
            return np.ones(len(attempts), np.float32)

    task = Task(source="BarChart", seed=0, panel=RewardPanel([Correctness(), Flat()]))
    found = check_run(Recipe(), task, task)
    assert found.indifferent == ("flat",)
    assert any("flat gives right answers and junk the same score" in w for w in found.warnings())
