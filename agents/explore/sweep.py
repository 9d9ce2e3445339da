"""M-STaR's rule: sweep the temperatures on validation problems and take the best."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from typing import ClassVar, Literal

from mstar.agents.config import Recipe
from mstar.agents.explore.base import SWEEP, ExplorationController
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, SamplingPlan


class RewardPass2(ExplorationController):
    """M-STaR's rule: every second round, the temperature with the highest Reward-Pass@2.

    Two details are not in the paper (arXiv 2412.17451): the first plan holds until the first sweep,
    and ties go to the temperature nearest to the present one.

    Args:
        plan: of the first rounds.
        recipe: all settings.
        sweep: temperatures to try.
        every: rounds between two sweeps.
        at_start: whether to sweep the base policy too, before the first round.
    """

    metric: ClassVar[Literal["reward_pass_2", "pass_k"]] = "reward_pass_2"

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        sweep: tuple[float, ...] = SWEEP,
        every: int = 2,
        at_start: bool = False,
    ) -> None:
        super().__init__(plan, recipe)
        self.sweep, self.every, self.at_start = sweep, every, at_start

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The whole sweep in every second round, else the plan's temperature."""
        present = self._plan.temperature
        if round_number % self.every or (round_number == 0 and not self.at_start):
            return (present,)
        return tuple(sorted({*self.sweep, present}))

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Move to the best temperature of a sweep; without labels, keep the present one."""
        scores = {t: getattr(found, self.metric) for t, found in metrics.by_temperature.items()}
        if len(scores) < 2 or any(map(isnan, scores.values())):
            return
        present = self._plan.temperature
        best = max(scores, key=lambda t: (scores[t], -abs(t - present)))
        self._plan = replace(self._plan, temperature=best)


class PassK(RewardPass2):
    """The variant that the paper tried and rejected: the temperature with the highest Pass@K."""

    metric = "pass_k"
