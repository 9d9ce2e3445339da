"""How far the policy has moved from the base, measured on responses that the base gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.likelihood import log_probabilities
from mstar.agents.types import Rollout

RESPONSES = 32  # stored in every round's state, so that a killed run resumes with the same


@dataclass(frozen=True)
class BaseResponses:
    """Fixed responses of the base to validation problems.

    The drift is the mean over their tokens of log p_base - log p_now. For responses sampled at
    temperature 1 that is the plain Monte-Carlo estimate of KL(base || policy) a token: unbiased,
    and negative by chance only if there is almost no drift. At another temperature it is a mean
    log-probability ratio and no KL. This direction of the KL grows where the policy abandons what
    the base would say, and it needs no second model in memory. Its few forward passes are not
    counted as cost.

    Attributes:
        problems: their ids.
        tokens: of each response.
        logprobs: of each under the base, in nats.
    """

    problems: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    logprobs: tuple[float, ...] = ()

    @classmethod
    def of(cls, policy: Policy, rollouts: Sequence[Rollout], temperature: float) -> BaseResponses:
        """The first response at a temperature to each problem, with its present log-probability."""
        first: dict[str, Rollout] = {}
        for rollout in rollouts:
            if rollout.temperature == temperature:
                first.setdefault(rollout.problem.id, rollout)
        kept = list(first.values())[:RESPONSES]
        base = cls(
            tuple(rollout.problem.id for rollout in kept),
            tuple(rollout.response.tokens for rollout in kept),
        )
        return replace(base, logprobs=tuple(base._likelihoods(policy, rollouts)))

    def drift(self, policy: Policy, rollouts: Sequence[Rollout]) -> float:
        """In nats a token; 0 for the base, NaN without responses.

        Args:
            policy: as it is now.
            rollouts: hold the same problems; their responses do not matter.
        """
        count = sum(map(len, self.tokens))
        if not count:
            return float("nan")
        now = self._likelihoods(policy, rollouts)
        return (sum(self.logprobs) - sum(now)) / count

    def state(self) -> dict[str, Any]:
        """All that ``from_state`` needs, as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BaseResponses:
        """The responses that ``state`` returned."""
        tokens = tuple(tuple(response) for response in state["tokens"])
        return cls(tuple(state["problems"]), tokens, tuple(state["logprobs"]))

    def _likelihoods(self, policy: Policy, rollouts: Sequence[Rollout]) -> list[float]:
        prompts = {rollout.problem.id: rollout.prompt for rollout in reversed(rollouts)}
        responses = [Response("", tokens, 0.0, 0.0, 0.0, True) for tokens in self.tokens]
        return log_probabilities(policy, [prompts[name] for name in self.problems], responses)
