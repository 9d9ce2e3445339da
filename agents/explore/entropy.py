"""A temperature that holds the policy's entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING, Any

from mstar.agents.explore.base import COOLEST, HOTTEST, SamplingPlan

if TYPE_CHECKING:
    from mstar.agents.explore.evidence import Evidence
    from mstar.agents.monitor.metrics import Dynamics


class Entropy:
    """Samples hotter when the entropy of the policy's tokens falls below a target, else cooler.

    After every round log T rises by gain x log(target / entropy), within a factor of 2 a round and
    the range of the paper's sweep. The idea of holding entropy by the temperature is that of
    E3-RL4LLMs (arXiv 2505.18573); the rule is ours. Entropy is measured at temperature 1, so that
    it is the policy that is held, through what it learns from, and not its samples.

    Args:
        plan: of the first round.
        target: nats a token; the base policy's if None.
        gain: of the loop.
    """

    def __init__(self, plan: SamplingPlan, target: float | None = None, gain: float = 0.3) -> None:
        self._plan, self._target, self._gain = plan, target, gain

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Only the plan's own temperature."""
        return (self._plan.temperature,)

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Take the first entropy as the target where none was given, then hold it."""
        present = self._plan.temperature
        entropy = max(dynamics.spread[present].entropy, 1e-6)
        if self._target is None:
            self._target = entropy
        step = self._gain * (log(self._target) - log(entropy))
        hotter = present * exp(max(-log(2), min(log(2), step)))
        temperature = round(max(COOLEST, min(HOTTEST, hotter)), 4)
        self._plan = replace(self._plan, temperature=temperature)

    def plan(self) -> SamplingPlan:
        """The first plan at the chosen temperature."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """The chosen temperature and the target."""
        return {"temperature": self._plan.temperature, "target": self._target}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on at the chosen temperature."""
        self._plan = replace(self._plan, temperature=float(state["temperature"]))
        self._target = None if state["target"] is None else float(state["target"])
