"""A temperature that follows a line or a half cosine, whatever is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import cos, pi
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import ExplorationController
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, SamplingPlan


class Schedule(ExplorationController):
    """Moves the temperature from the first plan's to ``last_temperature`` over the rounds of a run.

    With s = r / (rounds - 1) for round r = 0, 1, ...: start + (last - start) s, or with
    (1 - cos(pi s)) / 2 in place of s if ``anneal`` is ``cosine``.
    """

    def __init__(self, plan: SamplingPlan, recipe: Recipe) -> None:
        super().__init__(plan, recipe)
        self._rounds, self._exploration = recipe.run.rounds, recipe.exploration
        self._done = 0

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Count the rounds."""
        self._done = round_number

    def plan(self) -> SamplingPlan:
        """The first plan, at the temperature of the next round."""
        progress = min(1.0, self._done / max(1, self._rounds - 1))
        if self._exploration.anneal == "cosine":
            progress = (1 - cos(pi * progress)) / 2
        start, last = self._plan.temperature, self._exploration.last_temperature
        return replace(self._plan, temperature=round(start + (last - start) * progress, 4))

    def state(self) -> dict[str, Any]:
        """How many rounds are done."""
        return {"rounds_done": self._done}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume after so many rounds."""
        self._done = int(state["rounds_done"])
