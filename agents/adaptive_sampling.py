"""Adaptive sampling: a few samples of every problem, then more where right ones are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import SamplingPlan
from mstar.agents.explore.sample_allocation import AGAIN, RetryQueue, next_wave
from mstar.agents.rollout import (
    Rollout,
    ask,
    by_problem,
    collect,
    combined,
    judged,
    sample_shared,
)
from mstar.agents.sampling.base import Sampler
from mstar.agents.seeds import mix
from mstar.envs.problem import Problem
from mstar.envs.vector_env import ProblemVectorEnv

Groups = list[list[Rollout]]  # a group for each problem


class AdaptiveSampling:
    """How a round spends its samples under ``by-prompt`` budgets.

    Every problem gets a few, and those with fewer than `keep` right ones get more in waves, as long
    as the round's samples last; problems without a right one are asked again in a later round. How
    many samples a problem gets so depends on what was drawn, and the share of right ones among all
    rollouts says little of the policy: hard problems have more of them. Only the first few do; the
    others are marked ``extra``. What is selected problem by problem, out of its right answers, is
    not biased by it.

    Args:
        sampler: of the policy as it is now.
        env: poses and judges the problems.
        recipe: ``first`` is how many a few are, and the ``gate`` says what is right.
    """

    def __init__(self, sampler: Sampler, env: ProblemVectorEnv, recipe: Recipe) -> None:
        self._sampler, self._env, self._recipe = sampler, env, recipe
        self._queue = RetryQueue()
        self._queued: dict[str, Problem] = {}  # as they were drawn

    def due(self, number: int) -> list[Problem]:
        """The problems to ask again in a round; a resumed run looks for them by their ids."""
        find = self._env.examiner.find
        names = self._queue.due(number, self._recipe.sampling.prompts // AGAIN)
        return [self._queued.get(name) or find(name) for name in names]

    def sample(self, number: int, problems: Sequence[Problem], plan: SamplingPlan) -> list[Rollout]:
        """The judged responses of a round, problem by problem; no more than an even share takes."""
        few = min(self._recipe.sampling.initial_samples, plan.samples)
        rollouts = collect(
            self._sampler,
            self._env,
            problems,
            [plan.temperature] * few,
            seed=mix(self._recipe.run.seed, number, 0),
            version=number - 1,
        )
        groups = [rollouts[start : start + few] for start in range(0, len(rollouts), few)]
        left = len(problems) * plan.samples - len(rollouts)
        while any(more := next_wave(self._gated(groups), plan.keep, plan.samples, left)):
            left -= sum(more)
            seed = mix(self._recipe.run.seed, number, 6, left)
            groups = self._extended(groups, more, plan.temperature, seed)
        drawn = [
            replace(rollout, extra=place >= few)
            for group in groups
            for place, rollout in enumerate(group)
        ]
        return combined(drawn, self._env)

    def note(self, number: int, drawn: Sequence[Problem], rollouts: Sequence[Rollout]) -> None:
        """Queue what had no right answer.

        Args:
            number: of the round.
            drawn: its problems, before phrasing.
            rollouts: what came of them.
        """
        groups = by_problem(rollouts)
        scores = self._gated([[rollouts[i] for i in rows] for rows in groups.values()])
        self._queue.note(number, dict(zip(groups, scores, strict=True)))
        known = self._queued | {problem.id: problem for problem in drawn}
        self._queued = {name: known[name] for name in self._queue.waiting if name in known}

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        return {"aside": self._queue.waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        waiting = {name: (due, waited) for name, (due, waited) in state["aside"].items()}
        self._queue = RetryQueue(waiting)

    def _gated(self, groups: Sequence[Sequence[Rollout]]) -> list[list[float]]:
        return [
            [rollout.scores[self._recipe.selection.gate] for rollout in group] for group in groups
        ]

    def _extended(
        self, groups: Groups, more: Sequence[int], temperature: float, seed: int
    ) -> Groups:
        """The groups with so many more rollouts each, judged anew as whole groups."""
        longer = [i for i, count in enumerate(more) if count]
        problems = [groups[i][0].problem for i in longer]
        prompts = [ask(self._env, problem) for problem in problems]
        counts = [more[i] for i in longer]
        written = sample_shared(self._sampler, prompts, counts, temperature, seed)
        whole = [
            [rollout.response for rollout in groups[i]] + responses
            for i, responses in zip(longer, written, strict=True)
        ]
        heats = [[temperature] * len(responses) for responses in whole]
        rollouts = judged(self._env, problems, whole, heats, groups[0][0].version)
        extended = dict(zip(longer, by_problem(rollouts).values(), strict=True))
        return [
            [rollouts[row] for row in extended[i]] if i in extended else group
            for i, group in enumerate(groups)
        ]
