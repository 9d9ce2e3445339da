"""A temperature that keeps the policy's entropy at a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import COOLEST, HOTTEST, ExplorationController
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, SamplingPlan


class Entropy(ExplorationController):
    """Raises the temperature when the entropy of the policy's tokens falls below a target.

    After every round log T rises by gain x log(target / entropy), within a factor of 2 a round and
    the range of the paper's sweep. Holding entropy by the temperature is the idea of E3-RL4LLMs
    (arXiv 2505.18573); the rule is ours. Entropy is measured at temperature 1: the target is that
    of the policy, which the temperature changes through the responses it learns from, and not that
    of the samples.

    Args:
        plan: of the first round.
        recipe: all settings.
        target: nats a token; the base policy's if None.
        gain: of the control loop.
    """

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        target: float | None = None,
        gain: float = 0.3,
    ) -> None:
        super().__init__(plan, recipe)
        self._target, self._gain = target, gain

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Take the first entropy as the target where none was given, then hold it."""
        present = self._plan.temperature
        entropy = max(metrics.by_temperature[present].entropy, 1e-6)
        if self._target is None:
            self._target = entropy
        step = self._gain * (log(self._target) - log(entropy))
        moved = present * exp(max(-log(2), min(log(2), step)))
        temperature = round(max(COOLEST, min(HOTTEST, moved)), 4)
        self._plan = replace(self._plan, temperature=temperature)

    def state(self) -> dict[str, Any]:
        """The chosen temperature and the target."""
        return {**super().state(), "target": self._target}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume at the chosen temperature, with the target."""
        super().restore(state)
        self._target = None if state["target"] is None else float(state["target"])
