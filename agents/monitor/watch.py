"""Has a measurement completed, and the guards look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mstar.agents.monitor.alarms import Alarm
from mstar.agents.monitor.drift import Anchor
from mstar.agents.monitor.guards import Guards
from mstar.agents.monitor.metrics import Dynamics, health_of
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import Rollout, score_table
from mstar.envs.vector_env import ProblemVectorEnv


class Watch:
    """Adds to a measurement what takes the whole panel, and the base: health and drift.

    Args:
        policy: as it is at every look.
        env: of the held-out problems.
        guards: look at everything that was measured.
    """

    def __init__(self, policy: Policy, env: ProblemVectorEnv, guards: Guards) -> None:
        self._policy, self._env, self._guards = policy, env, guards
        self._anchor: Anchor | None = None

    def look(
        self, number: int, measured: Dynamics, probed: Sequence[Rollout], temperature: float
    ) -> tuple[Dynamics, tuple[Alarm, ...]]:
        """The whole measurement of a round, and what the guards say of it.

        Args:
            number: of the round; the first look is at the base.
            measured: what the answers alone show.
            probed: those answers.
            temperature: of the samples that panel and guards are held to.
        """
        if self._anchor is None:
            self._anchor = Anchor.drop(self._policy, self._env, probed, temperature)
        present = [rollout for rollout in probed if rollout.temperature == temperature]
        health, agreement = health_of(present)
        # All processes must see the same alarms, and GPUs of one kind round differently.
        drift = distributed.agreed(self._anchor.drift(self._policy, self._env, probed))
        whole = replace(measured, health=health, agreement=agreement, drift=drift)
        return whole, self._guards.observe(number, whole, temperature, score_table(present))

    def state(self) -> dict[str, Any] | None:
        """The base's responses, as JSON values; None before the first look."""
        return self._anchor.state() if self._anchor else None

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Go on from a state."""
        self._anchor = Anchor.from_state(state) if state else None
