"""M-STaR's rule: sweep the temperatures on held-out problems and take the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mstar.agents.explore.base import SWEEP, SamplingPlan

if TYPE_CHECKING:
    from mstar.agents.explore.evidence import Evidence
    from mstar.agents.monitor.metrics import Dynamics


class RewardPass2:
    """M-STaR's rule: every second round, the temperature with the highest Reward-Pass@2.

    Where the paper (arXiv 2412.17451) is silent, ours: the first plan holds until the first sweep,
    and of equal temperatures the one nearest to the present is taken.

    Args:
        plan: of the first rounds.
        sweep: temperatures to try.
        every: rounds between two sweeps.
        at_start: sweep the base policy too, so that the first round is not blind.
    """

    measured: ClassVar[Literal["reward_pass_2", "pass_k"]] = "reward_pass_2"

    def __init__(
        self,
        plan: SamplingPlan,
        sweep: tuple[float, ...] = SWEEP,
        every: int = 2,
        at_start: bool = False,
    ) -> None:
        self._plan, self.sweep, self.every, self.at_start = plan, sweep, every, at_start

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The whole sweep in every second round, else the plan's temperature."""
        present = self._plan.temperature
        if round_number % self.every or (round_number == 0 and not self.at_start):
            return (present,)
        return tuple(sorted({*self.sweep, present}))

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Move to the best temperature of a sweep; without labels none is better than another."""
        found = {t: getattr(spread, self.measured) for t, spread in dynamics.spread.items()}
        if len(found) < 2 or any(map(isnan, found.values())):
            return
        present = self._plan.temperature
        best = max(found, key=lambda t: (found[t], -abs(t - present)))
        self._plan = replace(self._plan, temperature=best)

    def plan(self) -> SamplingPlan:
        """The first plan at the chosen temperature."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """The chosen temperature."""
        return {"temperature": self._plan.temperature}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on at the chosen temperature."""
        self._plan = replace(self._plan, temperature=float(state["temperature"]))


class PassK(RewardPass2):
    """The variant that the paper tried and rejected: the temperature with the highest Pass@K."""

    measured = "pass_k"
