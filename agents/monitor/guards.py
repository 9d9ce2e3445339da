"""Guards of a run: every alarm is reported, and has one remedy at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import HOTTEST
from mstar.agents.monitor.alarms import REMEDIES, BaseMetrics, signs
from mstar.agents.types import Alarm, AlarmName, Metrics, SamplingPlan
from mstar.rewards.base import ScoreTable
from mstar.rewards.diagnostics.health import adapted_weights
from mstar.rewards.diagnostics.proxy_guard import ProxyGuard
from mstar.rewards.panel import RewardPanel

REFERENCE = "correctness"
MAJORITY = {"self_consistency", "majority"}  # reward models that follow the majority
WARMER = 0.2  # added to the temperature in each round of exploring


class Guards:
    """Checks every evaluation for alarms and applies their remedies; see ``REMEDIES``.

    If the recipe says so, the guards also adapt the panel's weights after each round to how well
    each model agrees with the verifier on the validation problems.

    Args:
        recipe: says whether the guards act, and what the run learns from.
        panels: whose weights the guards set.

    Attributes:
        gate, rank: the recipe's, unless they were frozen.
        back_to: the round that the policy must return to before it goes on; None if it need not.
        stopped: whether the run is over.
        best: the round with the highest greedy accuracy on validation problems, the last of
            equals; the newest where they have no labels.
    """

    def __init__(self, recipe: Recipe, panels: Sequence[RewardPanel]) -> None:
        self.recipe, self._panels = recipe, panels
        self._weights: dict[str, float] = {}  # at the first evaluation
        self._proxies = ProxyGuard(REFERENCE)
        self._base: BaseMetrics | None = None
        self._warmer = 0.0
        self._best_greedy = 0.0
        self.gate, self.rank = recipe.selection.gate, recipe.selection.rank
        self.back_to: int | None = None
        self.stopped = False
        self.best = 0

    @property
    def act(self) -> bool:
        """Whether alarms have their remedies applied."""
        return self.recipe.run.guards == "act"

    def observe(
        self, number: int, metrics: Metrics, temperature: float, table: ScoreTable
    ) -> tuple[Alarm, ...]:
        """Check the evaluation of a round, and apply what follows from it.

        Args:
            number: of the round.
            metrics: of the policy.
            temperature: that the samples in the table were drawn at.
            table: scores of the samples of the validation problems.
        """
        if self._base is None:
            self._base = BaseMetrics.of(metrics, temperature)
            self._weights = dict(self._panels[0].weights)
        better = number == 0 or metrics.greedy > self._best_greedy
        alarms = self._proxy_alarms(number, metrics)
        found = signs(metrics, self._base, temperature)
        if self.recipe.rewards.unfinished == "everything":
            found.pop("cut off", None)  # as the recipe wants it
        if not self._follows_majority():
            found.pop("over-confidence", None)  # it does no harm to what is learned from labels
        alarms += [self._alarm(name, number, why, better) for name, why in found.items()]
        remedies = {alarm.remedy for alarm in alarms if alarm.acted}
        warmer = self._warmer + (WARMER if "explore" in remedies else -WARMER)
        self._warmer = round(max(0.0, min(warmer, HOTTEST - temperature)), 6)
        self.stopped = "stop" in remedies
        if "roll back" in remedies:
            self.back_to = self.best
        elif not metrics.greedy < self._best_greedy:  # also where it is NaN
            self._best_greedy, self.best = metrics.greedy, number
        self._weigh(table)
        return tuple(alarms)

    def plan(self, plan: SamplingPlan) -> SamplingPlan:
        """The plan, with a higher temperature while responses are collapsing."""
        warmer = min(plan.temperature + self._warmer, max(HOTTEST, plan.temperature))
        return replace(plan, temperature=round(warmer, 6)) if self._warmer else plan

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        return {
            "start": self._base.state() if self._base else None,
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
        """Resume from a state, with the policy already at the round that ``back_to`` named."""
        self._base = BaseMetrics.from_state(state["start"]) if state["start"] else None
        self._proxies = ProxyGuard.from_state(state["proxies"])
        self._warmer, self.stopped = float(state["warmer"]), bool(state["stopped"])
        best = state["best_greedy"]
        self.best, self._best_greedy = int(state["best"]), nan if best is None else float(best)
        self.gate, self.rank, self.back_to = state["gate"], state["rank"], None
        self._weights = dict(state["weights"]["given"])
        for panel in self._panels:
            panel.weights = dict(state["weights"]["present"])

    def _proxy_alarms(self, number: int, metrics: Metrics) -> list[Alarm]:
        """Alarms for reward models that rise alone; replaces them where they are gate or rank."""
        observed = {REFERENCE, *self._learned_from()}
        means = {name: health.mean for name, health in metrics.health.items() if name in observed}
        before = self._proxies.frozen
        self._proxies = self._proxies.observe(number, means)
        fresh = self._proxies.frozen[len(before) :]
        for proxy in fresh if self.act else ():
            self.gate = REFERENCE if self.gate == proxy.name else self.gate
            self.rank = "reward" if self.rank == proxy.name else self.rank
        return [self._alarm("proxy gaming", number, f"{proxy.reason}.") for proxy in fresh]

    def _follows_majority(self) -> bool:
        """Whether training follows the answer of the majority: as a label, or as a reward."""
        return self.recipe.mixing.learns_from_votes or bool(MAJORITY & self._learned_from())

    def _learned_from(self) -> set[str]:
        """The reward models that training follows: no other can be gamed."""
        recipe = self.recipe
        online = recipe.learns_online
        by_rank = recipe.selection.rule in ("top-k", "threshold")
        ranked = by_rank or recipe.mixing.learns_from_votes
        names = set() if online else {self.gate}
        if online or (ranked and self.rank == "reward"):
            names |= {name for name, weight in self._weights.items() if weight > 0}
        elif ranked:
            names.add(self.rank)
        return names

    def _weigh(self, table: ScoreTable) -> None:
        """Set the panels' weights: adapted ones, then 0 for frozen models."""
        weights = self._weights
        if self.recipe.rewards.weighting == "agreement":
            weights = adapted_weights(weights, table, REFERENCE)
        if self.act:
            weights = self._proxies.weights(weights)
        for panel in self._panels:
            panel.weights = dict(weights)

    def _alarm(self, name: AlarmName, number: int, reason: str, better: bool = False) -> Alarm:
        remedy, why_not = REMEDIES[name], ""
        if remedy == "none":
            why_not = "another setting is needed"
        elif not self.act:
            why_not = "the guards only watch"
        elif remedy == "roll back" and better:
            why_not = "no round was as good"
        return Alarm(name, number, reason, remedy, not why_not, why_not)
