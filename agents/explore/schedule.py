"""A temperature that follows a line or a half cosine, whatever is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import cos, pi
from typing import TYPE_CHECKING, Any, Literal

from mstar.agents.explore.base import SamplingPlan

if TYPE_CHECKING:
    from mstar.agents.explore.evidence import Evidence
    from mstar.agents.monitor.metrics import Dynamics

Anneal = Literal["linear", "cosine"]


class Schedule:
    """Moves the temperature from the plan's to a last one over the rounds of a run.

    With s = r / (rounds - 1) for round r = 0, 1, ...: start + (last - start) s, or with
    (1 - cos(pi s)) / 2 in place of s.

    Args:
        plan: of the first round.
        rounds: of the run.
        last: temperature of the last round.
        shape: of the way between.
    """

    def __init__(self, plan: SamplingPlan, rounds: int, last: float, shape: Anneal) -> None:
        self._first, self._rounds, self._last, self._shape = plan, rounds, last, shape
        self._done = 0

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Only the plan's own temperature."""
        return (self.plan().temperature,)

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Only counts the rounds."""
        self._done = round_number

    def plan(self) -> SamplingPlan:
        """The first plan, as hot as the round that comes is to be."""
        way = min(1.0, self._done / max(1, self._rounds - 1))
        if self._shape == "cosine":
            way = (1 - cos(pi * way)) / 2
        start = self._first.temperature
        return replace(self._first, temperature=round(start + (self._last - start) * way, 4))

    def state(self) -> dict[str, Any]:
        """The rounds that are done."""
        return {"rounds_done": self._done}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after so many rounds."""
        self._done = int(state["rounds_done"])
