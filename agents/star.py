"""STaR: what the policy cannot solve it explains with the answer at hand, and learns that too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mstar.agents.collect import Rollout, by_problem, collect
from mstar.agents.explore import SamplingPlan
from mstar.agents.sampler import Prompt, Response, Sampler
from mstar.agents.seeds import mix
from mstar.agents.self_evolving import SelfEvolving
from mstar.envs.problem import Problem


class Star(SelfEvolving):
    """Self-taught reasoner with rationalisation (Zelikman et al. 2022, arXiv 2203.14465).

    Problems that no sample got right are asked again with the gold as a hint. Right responses to
    those are learned from as if they had been found without it. Every round restarts from the
    base.
    """

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The rollouts of a round, and behind them those with a hint.

        Only a hinted rollout's problem has more than ``plan.samples`` of them.
        """
        rollouts = super().sample(number, plan)
        unsolved = self._unsolved(rollouts)
        hints = {p.id: hint(p.answer.value) for p in unsolved if p.answer is not None}
        if not hints:
            return rollouts
        hinted = collect(
            Hinting(self.sampler, hints),
            self.env,
            [problem for problem in unsolved if problem.id in hints],
            [plan.temperature] * plan.samples,
            seed=mix(self.recipe.seed, number, 4),
            version=number - 1,
        )
        return rollouts + [replace(rollout, extra=True) for rollout in hinted]

    def _unsolved(self, rollouts: Sequence[Rollout]) -> list[Problem]:
        return [
            rollouts[members[0]].problem
            for members in by_problem(rollouts).values()
            if not any(rollouts[i].scores[self.guards.gate] == 1.0 for i in members)
        ]


class Hinting:
    """A sampler that gives the answer away to the policy, and to nobody else.

    Args:
        sampler: writes the responses.
        hints: what is added to the text of a prompt, by its key.
    """

    def __init__(self, sampler: Sampler, hints: Mapping[str, str]) -> None:
        self._sampler, self._hints = sampler, hints

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """As ``Sampler.sample``, to the prompts with their hints."""
        hinted = [replace(p, text=f"{p.text}\n{self._hints[p.key]}") for p in prompts]
        return self._sampler.sample(hinted, samples, temperature, seed)


def hint(answer: str) -> str:
    """How the gold is given away.

    >>> hint("7")
    'The answer is 7: explain why.'
    """
    return f"The answer is {answer}: explain why."
