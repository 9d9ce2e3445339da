"""A study: a question, the arms that it compares, and the settings that they share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mstar.agents.config import Recipe

Changes = Mapping[str, Any]  # fields of a recipe and their values

LABEL = re.compile(r"[\w.@-]+")  # of an arm: it names a folder
BASE = "base"  # no arm: the policy before any training
TUNING = "tuning"  # no arm: the folder of the tuning runs


@dataclass(frozen=True)
class TuningGrid:
    """A small grid of learning rates from which each arm's is chosen before the comparison.

    The best by greedy accuracy on validation problems, averaged over the last third of the rounds,
    is taken. No test problem is used, and the seed is not among those compared later.

    Attributes:
        factors: multiples of the arm's own learning rate to try.
        seed: of the tuning runs.
        budget: share of the token budget that a tuning run has.
        changes: to the recipe of a tuning run.
    """

    factors: tuple[float, ...] = (1 / 9, 1 / 3, 1.0, 3.0)
    seed: int = 1000
    budget: float = 0.5
    changes: Changes = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Runs that differ in one thing, over several seeds.

    Attributes:
        question: the one that it answers.
        design: what is equal in all arms, and how other differences are ruled out; plain text.
        base: the recipe that all arms start from.
        arms: the settings that each arm changes, by its label.
        baseline: the arm that all others are compared with.
        optional: arms that run only when they are named.
        seeds: of the runs.
        tuning: the grid to tune learning rates on first; None compares the recipes as they are.
    """

    question: str
    design: str
    base: Recipe
    arms: Mapping[str, Changes]
    baseline: str
    optional: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    tuning: TuningGrid | None = None

    def __post_init__(self) -> None:
        for label in self.arms:
            if not LABEL.fullmatch(label) or label in (BASE, TUNING):
                raise ValueError(
                    f"an arm cannot be called {label!r}: it names a folder; take letters, digits, "
                    f"'-', '.', '_' or '@', and neither {BASE!r} nor {TUNING!r}"
                )
        for label in (self.baseline, *self.optional):
            if label not in self.arms:
                raise ValueError(f"{label!r} is not among the arms: {', '.join(self.arms)}")

    @property
    def usual(self) -> tuple[str, ...]:
        """The arms that run when none are named."""
        return tuple(label for label in self.arms if label not in self.optional)

    def recipe(self, arm: str, seed: int, changes: Changes) -> Recipe:
        """The recipe of one run; `changes` hold for all arms and win over the arm's own."""
        return self.base.replace(**{**self.arms[arm], **changes, "seed": seed})
