"""Exploration controllers by name: what was measured in, the next round's sampling plan out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from mstar.agents.explore.balance import Balance
from mstar.agents.explore.base import SWEEP, ExplorationController, SamplingPlan
from mstar.agents.explore.entropy import Entropy
from mstar.agents.explore.paired import Paired
from mstar.agents.explore.schedule import Anneal, Schedule
from mstar.agents.explore.sweep import PassK, RewardPass2

if TYPE_CHECKING:  # a recipe names controllers, and the command line reads recipes without torch
    from mstar.agents.config import Recipe
    from mstar.agents.explore.evidence import Evidence
    from mstar.agents.monitor.metrics import Dynamics

__all__ = [
    "CONTROLLERS",
    "SWEEP",
    "Anneal",
    "ControllerName",
    "ExplorationController",
    "Fixed",
    "RewardPass2",
    "SamplingPlan",
]


class Fixed:
    """One plan for all rounds."""

    def __init__(self, plan: SamplingPlan) -> None:
        self._plan = plan

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Only the plan's own temperature."""
        return (self._plan.temperature,)

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Nothing moves it."""

    def plan(self) -> SamplingPlan:
        """Always the same."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """Its temperature, for the record."""
        return {"temperature": self._plan.temperature}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore: the recipe holds the plan."""


ControllerName = Literal[
    "fixed", "schedule", "reward-pass@2", "pass@k", "balance", "entropy", "paired"
]

# Each gets the first round's plan, and takes of the recipe what it needs.
CONTROLLERS: dict[ControllerName, Callable[[SamplingPlan, Recipe], ExplorationController]] = {
    "fixed": lambda plan, recipe: Fixed(plan),
    "schedule": lambda plan, recipe: Schedule(
        plan, recipe.run.rounds, recipe.exploration.last_temperature, recipe.exploration.anneal
    ),
    "reward-pass@2": lambda plan, recipe: RewardPass2(plan),
    "pass@k": lambda plan, recipe: PassK(plan),
    "balance": lambda plan, recipe: Balance(plan),
    "entropy": lambda plan, recipe: Entropy(plan),
    "paired": lambda plan, recipe: Paired(plan),
}
