"""STaR: problems that the policy cannot solve are asked again with the answer as a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

from mstar.agents.rollout import by_problem, collect
from mstar.agents.sampling.base import Response, Sampler
from mstar.agents.seeds import mix
from mstar.agents.self_evolving import ReSTEM
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem, Prompt
from mstar.rewards.verifier.extract import has_reasoning


class Star(ReSTEM):
    """Self-taught reasoner with rationalisation (Zelikman et al. 2022, arXiv 2203.14465).

    Problems that no sample got right are asked again with the reference answer as a hint. Right
    responses to those are learned from as if they had been found without it, if they give reasons.
    Every round restarts from the base.

    The paper's few-shot prompts show a rationale after each hint, so that the policy writes one as
    well; a policy that only gets the answer may repeat it. The embedded model does: in the first
    round 58 % of its right responses to a hint are the bare answer, 23 % of those without one
    (mean over problems). They would teach it to guess, so the gate abstains on a hinted response
    without reasons. Reasons can still be made to fit the answer, which is why ReST-EM leaves hints
    out (Singh et al. 2023, arXiv 2312.06585); the study ``hints`` finds no sure gain over it.
    """

    def sample(self, number: int, plan: SamplingPlan) -> list[Rollout]:
        """The rollouts of a round, followed by those with a hint.

        Only a hinted rollout's problem has more than ``plan.samples`` of them.
        """
        rollouts = super().sample(number, plan)
        unsolved = self._unsolved(rollouts)
        if not unsolved:
            return rollouts
        problems = [rollout.problem for rollout in unsolved]
        texts = {problem.id: self._text_with_hint(problem) for problem in problems}
        hinted = collect(
            HintingSampler(self.training_sampler, texts),
            self.task,
            problems,
            [plan.temperature] * plan.samples,
            seed=mix(self.recipe.run.seed, number, 4),
            version=number - 1,
            prompts=[rollout.prompt for rollout in unsolved],
        )
        return rollouts + [self._with_reasons(rollout) for rollout in hinted]

    def _unsolved(self, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """The first rollout of each problem with an answer and without a right response."""
        groups = [[rollouts[i] for i in members] for members in by_problem(rollouts).values()]
        return [
            group[0]
            for group in groups
            if group[0].problem.answer is not None
            and not any(rollout.scores[self.guards.gate] == 1.0 for rollout in group)
        ]

    def _text_with_hint(self, problem: Problem) -> str:
        """The text of the prompt with the answer in it."""
        assert problem.answer is not None
        question = with_hint(problem.question, problem.answer.value)
        return self.task.prompt(replace(problem, question=question)).text

    def _with_reasons(self, hinted: Rollout) -> Rollout:
        """A hinted rollout; the gate abstains on one without reasons."""
        scores = hinted.scores
        if not has_reasoning(hinted.response.text):
            scores = {**scores, self.guards.gate: nan}
        return replace(hinted, scores=scores, extra=True)


class HintingSampler:
    """A sampler that puts the hint into the prompt alone: problem and rollout stay without it.

    Args:
        sampler: samples the responses.
        texts: by the key of a prompt, what replaces its text.
    """

    def __init__(self, sampler: Sampler, texts: Mapping[str, str]) -> None:
        self._sampler, self._texts = sampler, texts

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """As ``Sampler.sample``, to the prompts with their hints."""
        hinted = [replace(prompt, text=self._texts[prompt.key]) for prompt in prompts]
        return self._sampler.sample(hinted, samples, temperature, seed)


def with_hint(question: str, answer: str) -> str:
    r"""The question with the answer behind it, before the instruction to reason.

    >>> with_hint("How many are red?", "7")
    'How many are red?\nThe answer is 7.'
    """
    return f"{question}\nThe answer is {answer}."
