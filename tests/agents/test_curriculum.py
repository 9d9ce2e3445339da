"""A curriculum asks most of what is solved half the time, and forgets no kind of problem."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from rollout_doubles import rollout

from mstar.agents.config import Recipe
from mstar.agents.explore.curriculum import FLOOR, Curriculum, apportioned, kind_of, shares
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.experiments.run.problems import open_task
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

RECIPE = Recipe.of(mixing="curriculum", families=("Counting", "Dice"))
PLAN = SamplingPlan()


@pytest.fixture
def task() -> Task:
    return open_task(RECIPE, "train", panel=RewardPanel([Correctness()]))


def answered(
    problems: list[Problem], skill: dict[str, float], rng: np.random.Generator
) -> list[Rollout]:
    """Four responses to each problem of a policy that solves each kind as often as `skill` says."""
    return [
        replace(rollout(right=float(rng.random() < skill[kind_of(problem)])), problem=problem)
        for problem in problems
        for _ in range(4)
    ]


def test_all_families_are_drawn_at_all_levels_before_anything_is_known(task: Task) -> None:
    kinds = Counter(map(kind_of, Curriculum(RECIPE).draw(task, 24, PLAN)))
    assert kinds == {f"{name} {level}": 4 for name in ("Counting", "Dice") for level in (1, 2, 3)}
    assert open_task(RECIPE, "validation", panel=task.panel).draw(4)[0].tags["level"] == "1"


def test_the_mix_converges_to_what_is_solved_half_the_time_and_keeps_a_floor(task: Task) -> None:
    skill = dict.fromkeys(["Counting 1", "Counting 2", "Counting 3", "Dice 1", "Dice 3"], 0.02)
    skill |= {"Counting 1": 0.98, "Dice 2": 0.5}
    mixing, rng = Curriculum(RECIPE), np.random.default_rng(0)
    for _ in range(6):
        mixing.observe([], "reward", answered(mixing.draw(task, 48, PLAN), skill, rng))
    found = shares(mixing.rates)
    assert max(found, key=found.__getitem__) == "Dice 2"
    assert found["Dice 2"] > 0.4
    assert min(found.values()) >= FLOOR / 6 - 1e-3
    drawn = Counter(map(kind_of, mixing.draw(task, 48, PLAN)))
    assert drawn == Counter(apportioned(found, 48))
    assert "Dice 2" in mixing.note()
    for _ in range(4):  # the policy learns it and forgets another
        skill |= {"Dice 2": 0.99, "Counting 1": 0.6}
        mixing.observe([], "reward", answered(mixing.draw(task, 48, PLAN), skill, rng))
    found = shares(mixing.rates)
    assert max(found, key=found.__getitem__) == "Counting 1"


def test_a_restored_curriculum_draws_the_same(task: Task) -> None:
    mixing, rng = Curriculum(RECIPE), np.random.default_rng(0)
    problems = mixing.draw(task, 24, PLAN)
    mixing.observe([], "reward", answered(problems, {kind_of(p): 0.3 for p in problems}, rng))
    restored = Curriculum(RECIPE)
    restored.restore(json.loads(json.dumps(mixing.state())))
    other = open_task(RECIPE, "train", panel=task.panel)
    other.restore(task.state())
    assert mixing.note() == restored.note()
    assert mixing.draw(task, 17, PLAN) == restored.draw(other, 17, PLAN)


def test_a_kind_that_a_set_has_too_few_of_leaves_room_for_others(task: Task) -> None:
    mixing = Curriculum(RECIPE)
    mixing.restore({"kinds": {"Venn 1": [4, 8], "Dice 1": [0, 8]}})
    assert len(mixing.draw(task, 12, PLAN)) == 12


def test_a_curriculum_needs_labels() -> None:
    with pytest.raises(ValueError, match="needs labels"):
        Recipe.of(mixing="curriculum", unlabelled=0.5)
