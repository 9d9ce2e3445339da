"""Exploration control: what decides between rounds how the next one samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from mstar.agents.config import Recipe
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, SamplingPlan

# Temperatures at which controllers without probes ask for every response's log-probability.
LADDER = (0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.15, 1.3, 1.6)
# The paper's sweep: 0.3 to 1.6 in steps of 0.1 (arXiv 2412.17451). No controller leaves its range
# unless the first plan lies outside it.
SWEEP = tuple(round(0.3 + 0.1 * i, 1) for i in range(14))
COOLEST, HOTTEST = SWEEP[0], SWEEP[-1]


class ExplorationController:
    """Moves temperature and threshold of the sampling plan as the policy changes.

    After every round the agent evaluates the policy at the temperatures that ``probes`` asks for,
    hands the result to ``observe``, and takes the next round's plan from ``plan``. A subclass
    changes ``self._plan`` in ``observe``; whatever else it remembers goes through ``state`` and
    ``restore``, so that a killed run resumes with the same plans.

    Args:
        plan: of the first round.
        recipe: all settings, of which a controller takes what it needs.

    Attributes:
        ladder: temperatures at which the sampler is to record every response's log-probability.
    """

    ladder: ClassVar[tuple[float, ...]] = ()

    def __init__(self, plan: SamplingPlan, recipe: Recipe) -> None:
        self._plan = plan

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Temperatures to evaluate at after this round, the plan's own among them."""
        return (self.plan().temperature,)

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Take the evaluation of a round into account.

        Args:
            round_number: 0 for the base policy.
            metrics: of the policy after the round.
            samples: that the metrics are made from, and the round's own training samples.
        """

    def plan(self) -> SamplingPlan:
        """The plan for the next round."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        return {"temperature": self._plan.temperature}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""
        self._plan = replace(self._plan, temperature=float(state["temperature"]))


class Fixed(ExplorationController):
    """One plan for all rounds."""
