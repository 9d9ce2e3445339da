"""Evaluation of the policy after every round, on the same problems with the same random draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.monitor.drift import BaseResponses
from mstar.agents.monitor.guards import REFERENCE, Guards
from mstar.agents.monitor.metrics import health_of, measure
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import collect_together, score_table, unique_problems
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.seeds import mix
from mstar.agents.types import Alarm, Metrics, Rollout
from mstar.envs.task import Task


@dataclass(frozen=True, slots=True)
class EvaluationCost:
    """The part of an evaluation that every agent has in common, without a controller's probes.

    Attributes:
        responses: number of greedy ones, and of samples at the evaluation temperature.
        tokens: number of tokens of these responses.
        prompt_tokens: number of prompt tokens read, for probes too.
        share: their share of all tokens that the evaluation generated.
    """

    responses: int
    tokens: int
    prompt_tokens: int
    share: float


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: of the policy.
        alarms: what may be wrong with the run.
        rollouts: those behind the metrics: greedy ones, and samples at every temperature.
        cost: of the part that all agents have in common.
    """

    metrics: Metrics
    alarms: tuple[Alarm, ...]
    rollouts: Sequence[Rollout]
    cost: EvaluationCost


class Monitor:
    """Evaluates a policy, compares it with the base, and has the guards check the result.

    Args:
        policy: as it is at every evaluation.
        sampler: of it.
        task: of the validation problems; as many as the recipe says are drawn from it.
        recipe: number of problems and samples, and the seed.
        guards: check every evaluation.

    Raises:
        ValueError: the panel of `task` lacks the verifier.
    """

    def __init__(
        self,
        policy: Policy,
        sampler: RolloutEngine,
        task: Task,
        recipe: Recipe,
        guards: Guards,
    ) -> None:
        if REFERENCE not in task.panel.names:
            raise ValueError(
                f"the panel of the validation problems is {task.panel.names}; add "
                f"{REFERENCE!r}, by which every round's accuracy is measured"
            )
        self._policy, self._sampler, self._task, self._recipe = policy, sampler, task, recipe
        self._guards = guards
        self._problems = unique_problems(task.draw(recipe.evaluation.validation_problems))
        self._base: BaseResponses | None = None

    def evaluate(
        self, number: int, temperature: float, probes: Collection[float] = ()
    ) -> Evaluation:
        """A greedy response to every validation problem, and samples at each temperature.

        Health of the reward models, drift and alarms are those at `temperature`. All is sampled in
        one call, in which every prompt is read once. The samples of a probe are numbered from 0,
        where the greedy response stands among those at `temperature`, so that all but one of them
        use the same random numbers: differences between temperatures are paired.

        Args:
            number: of the round; the first evaluation must be of the base.
            temperature: that every agent is evaluated at.
            probes: temperatures that a controller asks for.
        """
        samples, before = self._recipe.evaluation.validation_samples, self._sampler.prompt_tokens
        groups = [[0.0, *[temperature] * samples]]
        groups += [[probe] * samples for probe in sorted({*probes} - {temperature})]
        seed = mix(self._recipe.run.seed, 0, 3)
        collected = collect_together(
            self._sampler, self._task, self._problems, groups, seed, number
        )
        rollouts = [rollout for group in collected for rollout in group]
        (prompt_tokens,) = distributed.total(self._sampler.prompt_tokens - before)
        if self._base is None:
            self._base = BaseResponses.of(self._policy, rollouts, temperature)
        sampled = [rollout for rollout in rollouts if rollout.temperature == temperature]
        health, agreement = health_of(sampled)
        # All processes must see the same alarms, and GPUs of one kind round differently.
        drift = distributed.agreed(self._base.drift(self._policy, rollouts))
        metrics = replace(
            measure(rollouts, self._guards.rank), health=health, agreement=agreement, drift=drift
        )
        alarms = self._guards.observe(number, metrics, temperature, score_table(sampled))
        return Evaluation(metrics, alarms, rollouts, _cost(rollouts, temperature, prompt_tokens))

    def state(self) -> dict[str, Any] | None:
        """The base's responses, as JSON values; None before the first evaluation."""
        return self._base.state() if self._base else None

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Resume from a state."""
        self._base = BaseResponses.from_state(state) if state else None


def _cost(rollouts: Sequence[Rollout], temperature: float, prompt_tokens: int) -> EvaluationCost:
    lengths = [len(r.response.tokens) for r in rollouts]
    common = [
        length
        for length, rollout in zip(lengths, rollouts, strict=True)
        if rollout.temperature in (0.0, temperature)
    ]
    return EvaluationCost(
        len(common), sum(common), prompt_tokens, sum(common) / max(1, sum(lengths))
    )
