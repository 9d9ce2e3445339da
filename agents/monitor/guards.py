"""Guards of a run: each alarm has one consequence, and none passes in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import HOTTEST, SamplingPlan
from mstar.agents.monitor.alarms import REMEDIES, Alarm, AlarmName, Start, signs
from mstar.agents.monitor.metrics import Dynamics
from mstar.rewards.base import ScoreTable
from mstar.rewards.diagnostics.health import adapted_weights
from mstar.rewards.diagnostics.proxy_guard import ProxyGuard
from mstar.rewards.panel import RewardPanel

REFERENCE = "correctness"
WARMER = 0.2  # what exploring adds to the temperature, a round


class Guards:
    """Looks at every measurement, raises alarms, and answers them as ``REMEDIES`` says.

    It also weighs the panel anew after each round, where the recipe wants that: by how surely
    each model agrees with the verifier on the held-out problems.

    Args:
        recipe: says whether the guards act, and what the run learns from.
        panels: whose weights follow the guards.

    Attributes:
        gate, rank: the recipe's, unless they were frozen.
        back_to: the round that the policy must return to before it goes on; None if it need not.
        stopped: whether the run is over.
        best: the round with the highest greedy accuracy on held-out problems, the last of equals;
            the newest where they have no labels.
    """

    def __init__(self, recipe: Recipe, panels: Sequence[RewardPanel]) -> None:
        self.recipe, self._panels = recipe, panels
        self._weights: dict[str, float] = {}  # as they are at the first look
        self._proxies = ProxyGuard(REFERENCE)
        self._start: Start | None = None
        self._warmer = 0.0
        self._best_greedy = 0.0
        self.gate, self.rank = recipe.selection.gate, recipe.selection.rank
        self.back_to: int | None = None
        self.stopped = False
        self.best = 0

    @property
    def act(self) -> bool:
        """Whether alarms have consequences."""
        return self.recipe.run.guards == "act"

    def observe(
        self, number: int, dynamics: Dynamics, temperature: float, table: ScoreTable
    ) -> tuple[Alarm, ...]:
        """Take note of a round's measurement, and do what follows from it.

        Args:
            number: of the round.
            dynamics: what was measured.
            temperature: the one whose samples the table holds.
            table: scores of held-out samples.
        """
        if self._start is None:
            self._start = Start.of(dynamics, temperature)
            self._weights = dict(self._panels[0].weights)
        better = number == 0 or dynamics.greedy > self._best_greedy
        alarms = self._proxy_alarms(number, dynamics, table)
        for name, reason in signs(dynamics, self._start, temperature).items():
            alarms.append(self._alarm(name, number, reason, better))
        answered = {alarm.remedy for alarm in alarms if alarm.acted}
        warmer = self._warmer + (WARMER if "explore" in answered else -WARMER)
        self._warmer = round(max(0.0, min(warmer, HOTTEST - temperature)), 6)
        self.stopped = "stop" in answered
        if "roll back" in answered:
            self.back_to = self.best
        elif not dynamics.greedy < self._best_greedy:  # also where it is not known
            self._best_greedy, self.best = dynamics.greedy, number
        self._weigh(table)
        return tuple(alarms)

    def plan(self, plan: SamplingPlan) -> SamplingPlan:
        """The controller's plan, warmer while answers collapse."""
        warmer = min(plan.temperature + self._warmer, max(HOTTEST, plan.temperature))
        return replace(plan, temperature=round(warmer, 6)) if self._warmer else plan

    def state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "start": self._start.state() if self._start else None,
            "proxies": self._proxies.state(),
            "weights": {"given": self._weights, "present": dict(self._panels[0].weights)},
            "warmer": self._warmer,
            "best": self.best,
            "best_greedy": self._best_greedy,
            "gate": self.gate,
            "rank": self.rank,
            "stopped": self.stopped,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; a return that was due has been made by whoever restores."""
        self._start = Start.from_state(state["start"]) if state["start"] else None
        self._proxies = ProxyGuard.from_state(state["proxies"])
        self._warmer, self.stopped = float(state["warmer"]), bool(state["stopped"])
        best = state["best_greedy"]
        self.best, self._best_greedy = int(state["best"]), nan if best is None else float(best)
        self.gate, self.rank, self.back_to = state["gate"], state["rank"], None
        self._weights = dict(state["weights"]["given"])
        for panel in self._panels:
            panel.weights = dict(state["weights"]["present"])

    def _proxy_alarms(self, number: int, dynamics: Dynamics, table: ScoreTable) -> list[Alarm]:
        """Proxies that rise alone; frozen ones stop to pay, gate or rank."""
        if REFERENCE not in table.names:
            return []
        watched = {REFERENCE, *self._paid()}
        means = {name: health.mean for name, health in dynamics.health.items() if name in watched}
        before = self._proxies.frozen
        self._proxies = self._proxies.observe(number, means)
        fresh = self._proxies.frozen[len(before) :]
        for found in fresh if self.act else ():
            self.gate = REFERENCE if self.gate == found.name else self.gate
            self.rank = "reward" if self.rank == found.name else self.rank
        return [self._alarm("proxy gaming", number, f"{found.reason}.") for found in fresh]

    def _paid(self) -> set[str]:
        """The reward models that learning follows: nothing else can be gamed."""
        recipe = self.recipe
        online = recipe.learns_online
        ranked = recipe.selection.rule in ("top-k", "threshold") or recipe.mixing.unlabelled > 0
        paid = set() if online else {self.gate}
        if online or (ranked and self.rank == "reward"):
            paid |= {name for name, weight in self._weights.items() if weight > 0}
        elif ranked:
            paid.add(self.rank)
        return paid

    def _weigh(self, table: ScoreTable) -> None:
        """Adapted first, then frozen: freezing overrules."""
        weights = self._weights
        if self.recipe.rewards.weighting == "agreement" and REFERENCE in table.names:
            weights = adapted_weights(weights, table, REFERENCE)
        if self.act:
            weights = self._proxies.weights(weights)
        for panel in self._panels:
            panel.weights = dict(weights)

    def _alarm(self, name: AlarmName, number: int, reason: str, better: bool = False) -> Alarm:
        remedy, why_not = REMEDIES[name], ""
        if not self.act:
            why_not = "the guards only watch"
        elif remedy == "roll back" and better:
            why_not = "no round was as good"
        return Alarm(name, number, reason, remedy, not why_not, why_not)
