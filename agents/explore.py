"""Exploration controllers: what was measured in, the next round's sampling plan out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # a recipe names controllers, and the command line reads recipes without torch
    from mstar.agents.dynamics import Dynamics

# The paper's sweep: 0.3 to 1.6 in steps of 0.1 (arXiv 2412.17451).
SWEEP = tuple(round(0.3 + 0.1 * i, 1) for i in range(14))


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How the next round samples and selects.

    Attributes:
        temperature: of sampling, > 0.
        samples: per prompt.
        keep: how many right answers of a problem are learned from.
        threshold: least ranking score to be kept, under the ``threshold`` rule.
    """

    temperature: float = 1.0
    samples: int = 8
    keep: int = 2
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10 or self.samples < 1 or self.keep < 1:
            raise ValueError(
                f"{self}: temperature must lie in (0, 10), samples and keep must be at least 1"
            )


class ExplorationController(Protocol):
    """Moves the sampling plan as the policy changes; all it knows is JSON."""

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Temperatures to measure after this round; the plan's own is always among them."""
        ...

    def observe(self, round_number: int, dynamics: Dynamics) -> None:
        """Take note of a measurement."""
        ...

    def plan(self) -> SamplingPlan:
        """The plan for the next round."""
        ...

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...


class Fixed:
    """One plan for all rounds."""

    def __init__(self, plan: SamplingPlan) -> None:
        self._plan = plan

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Only the plan's own temperature."""
        return (self._plan.temperature,)

    def observe(self, round_number: int, dynamics: Dynamics) -> None:
        """Nothing moves it."""

    def plan(self) -> SamplingPlan:
        """Always the same."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """Its temperature, for the record."""
        return {"temperature": self._plan.temperature}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore: the recipe holds the plan."""


class RewardPass2:
    """M-STaR's rule: every second round, the temperature with the highest Reward-Pass@2.

    Where the paper is silent, ours: the first plan holds until the first sweep, and of equal
    temperatures the one nearest to the present is taken.

    Args:
        plan: of the first rounds.
        sweep: temperatures to try.
        every: rounds between two sweeps.
    """

    def __init__(
        self, plan: SamplingPlan, sweep: tuple[float, ...] = SWEEP, every: int = 2
    ) -> None:
        self._plan, self.sweep, self.every = plan, sweep, every

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The whole sweep in every second round, else the plan's temperature."""
        present = self._plan.temperature
        if round_number == 0 or round_number % self.every:
            return (present,)
        return tuple(sorted({*self.sweep, present}))

    def observe(self, round_number: int, dynamics: Dynamics) -> None:
        """Move to the best temperature of a sweep."""
        if len(dynamics.spread) < 2:
            return
        present = self._plan.temperature
        best = max(
            dynamics.spread,
            key=lambda t: (dynamics.spread[t].reward_pass_2, -abs(t - present)),
        )
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


ControllerName = Literal["fixed", "reward-pass@2"]
CONTROLLERS = {"fixed": Fixed, "reward-pass@2": RewardPass2}
