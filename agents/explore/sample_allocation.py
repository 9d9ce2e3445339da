"""Allocation of a round's samples: a few per problem, then more where right ones are missing.

``next_wave`` decides how many, ``RetryQueue`` which problems are asked again in a later round, and
``SampleAllocation`` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.base import HOTTEST
from mstar.agents.rollout import (
    by_problem,
    collect,
    combine_rewards,
    judge_responses,
    sample_shared,
)
from mstar.agents.sampling.base import Response, Sampler
from mstar.agents.seeds import mix
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem
from mstar.envs.task import Task

MOST = 2  # times the even share: no problem gets more
WAIT = 2  # rounds until an unsolved problem is asked again; twice as long every further time
AGAIN = 8  # at most one in so many problems of a round is asked again
REMEMBERED = 256  # unsolved problems; the oldest are given up

Groups = list[list[Rollout]]  # one group per problem


def next_wave(scores: Sequence[Sequence[float]], top_k: int, samples: int, left: int) -> list[int]:
    """How many more samples each problem gets: as many as it has, while it lacks right ones.

    A problem with `top_k` right samples needs no more, whether its other samples are right or
    wrong. A problem gets at most ``MOST`` times `samples`, since it may be too hard. An unlabelled
    problem gets its even share. On stored samples of the embedded model, waves to problems that
    lack right samples gave more training examples from more problems than an even share did, and
    waves to mixed problems alone gave fewer: see
    ``results/exploration-bench``.

    Args:
        scores: the gate's, of the samples of each of N problems so far; 1 is right, NaN unknown.
        top_k: right ones that a problem needs.
        samples: the even share.
        left: samples to give away; where they are too few, all get equally many of them, and the
            earlier problems one more.

    Returns:
        (N,) numbers of samples, their sum at most `left`; all 0 where no problem lacks any.

    >>> next_wave([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], top_k=2, samples=8, left=9)
    [0, 2, 2]
    >>> next_wave([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], top_k=2, samples=8, left=3)
    [0, 2, 1]
    """
    more = []
    for own in scores:
        known = [score for score in own if score == score]
        most = samples * MOST if known else samples
        lacks = sum(score == 1.0 for score in own) < top_k
        more.append(max(0, min(len(own), most - len(own))) if lacks else 0)
    lacking = [index for index, wanted in enumerate(more) if wanted]
    if sum(more) > left:
        for rank, index in enumerate(lacking):
            more[index] = min(more[index], left // len(lacking) + (rank < left % len(lacking)))
    return more


def unsolved(scores: Sequence[float]) -> bool:
    """Whether all samples are known to be wrong."""
    return all(score < 1.0 for score in scores)


def problem_temperature(plan: float, warming: float, vain: int) -> float:
    """The temperature of a problem that was asked so many times in vain.

    It is plan x warming^vain, but no higher than the controllers' highest unless the plan is.

    >>> problem_temperature(0.8, 1.25, 2)
    1.25
    """
    return max(plan, min(HOTTEST, round(plan * warming**vain, 4)))


@dataclass
class RetryQueue:
    """Unsolved problems, to be asked again later, when the policy may have improved.

    Attributes:
        waiting: by id, the round in which a problem is due and how long it waited for it.
    """

    waiting: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, round_number: int, most: int) -> list[str]:
        """The ids that are due in a round, the longest overdue first, at most so many."""
        ready = [name for name, (due, _) in self.waiting.items() if due <= round_number]
        return sorted(ready, key=lambda name: self.waiting[name][0])[:most]

    def failures(self, name: str) -> int:
        """In how many rounds a problem was asked without a right response."""
        _, waited = self.waiting.get(name, (0, 0))
        return (2 * waited // WAIT).bit_length() - 1 if waited else 0

    def note(self, round_number: int, results: Mapping[str, Sequence[float]]) -> None:
        """Queue what is unsolved, and drop what no longer is.

        Args:
            round_number: the present one.
            results: the gate's scores of all samples of each problem, by its id.
        """
        for name, scores in results.items():
            _, waited = self.waiting.pop(name, (0, WAIT // 2))
            if unsolved(scores):
                self.waiting[name] = (round_number + 2 * waited, 2 * waited)
        for name in list(self.waiting)[: -REMEMBERED or None]:
            del self.waiting[name]


class SampleAllocation:
    """Samples a round under the allocation ``by-prompt``.

    Every problem gets a few samples, and those with fewer than ``top_k`` right ones get more in
    waves, as long as the round's samples last; problems without a right one are asked again in a
    later round. The share of right samples among all rollouts is therefore no unbiased estimate of
    the policy's accuracy, because hard problems have more of them. Only the initial samples give
    one; the others are marked ``extra``. Selection, which takes right responses problem by problem,
    is not biased by this.

    A problem without a right response may need another temperature than the rest: where one wrong
    answer is likelier than the right one, a higher temperature helps, while the others lose by it.
    With ``warming``, its temperature rises with each wave and each round in vain; see
    ``problem_temperature``. Every rollout holds the temperature that it was drawn at.

    Args:
        sampler: of the policy as it is now.
        task: poses and judges the problems.
        recipe: ``initial_samples`` is how many a few are, and the ``gate`` says what is right.
    """

    def __init__(self, sampler: Sampler, task: Task, recipe: Recipe) -> None:
        self._sampler, self._task, self._recipe = sampler, task, recipe
        self._queue = RetryQueue()
        self._queued: dict[str, Problem] = {}  # as they were drawn

    def due(self, number: int) -> list[Problem]:
        """The problems to ask again in a round; a resumed run finds them by their ids."""
        find = self._task.find
        names = self._queue.due(number, self._recipe.sampling.prompts // AGAIN)
        return [self._queued.get(name) or find(name) for name in names]

    def sample(self, number: int, problems: Sequence[Problem], plan: SamplingPlan) -> list[Rollout]:
        """Judged responses to N problems, problem by problem; at most N x ``plan.samples``."""
        few = min(self._recipe.sampling.initial_samples, plan.samples)
        vain = [self._queue.failures(problem.id) for problem in problems]  # times asked
        groups = self._first(number, problems, few, self._temperatures(plan, vain))
        left = len(problems) * (plan.samples - few)
        while any(more := next_wave(self._gated(groups), plan.top_k, plan.samples, left)):
            left -= sum(more)
            seed = mix(self._recipe.run.seed, number, 6, left)
            failed = map(unsolved, self._gated(groups))
            vain = [times + failing for times, failing in zip(vain, failed, strict=True)]
            groups = self._extended(groups, more, self._temperatures(plan, vain), seed)
        sampled = [
            replace(rollout, extra=place >= few)
            for group in groups
            for place, rollout in enumerate(group)
        ]
        return combine_rewards(sampled, self._task)

    def note(self, number: int, drawn: Sequence[Problem], rollouts: Sequence[Rollout]) -> None:
        """Queue the problems of a round that had no right response.

        Args:
            number: of the round.
            drawn: its problems, before phrasing.
            rollouts: the responses to them.
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
        """Resume from a state."""
        waiting = {name: (due, waited) for name, (due, waited) in state["aside"].items()}
        self._queue = RetryQueue(waiting)

    def _gated(self, groups: Sequence[Sequence[Rollout]]) -> list[list[float]]:
        """The gate's score of each rollout."""
        gate = self._recipe.selection.gate
        return [[rollout.scores[gate] for rollout in group] for group in groups]

    def _temperatures(self, plan: SamplingPlan, vain: Sequence[int]) -> list[float]:
        """The temperature of each problem, by how often it was asked in vain."""
        warming = self._recipe.sampling.warming
        return [problem_temperature(plan.temperature, warming, times) for times in vain]

    def _first(
        self, number: int, problems: Sequence[Problem], few: int, temperatures: Sequence[float]
    ) -> Groups:
        """The first few rollouts of each problem at its temperature."""
        groups: dict[int, list[Rollout]] = {}
        for temperature in sorted({*temperatures}):
            own = [i for i, each in enumerate(temperatures) if each == temperature]
            rollouts = collect(
                self._sampler,
                self._task,
                [problems[i] for i in own],
                [temperature] * few,
                seed=mix(self._recipe.run.seed, number, 0),
                version=number - 1,
            )
            groups |= {i: rollouts[few * at : few * (at + 1)] for at, i in enumerate(own)}
        return [groups[i] for i in range(len(problems))]

    def _extended(
        self, groups: Groups, more: Sequence[int], temperatures: Sequence[float], seed: int
    ) -> Groups:
        """The groups with so many more rollouts each; extended groups are judged as a whole.

        Args:
            groups: of N problems.
            more: (N,), how many more.
            temperatures: (N,), that they are sampled at.
            seed: of the sampling.
        """
        written: dict[int, list[Response]] = {}
        for temperature in sorted({*temperatures}):
            own = [i for i, count in enumerate(more) if count and temperatures[i] == temperature]
            prompts, counts = [groups[i][0].prompt for i in own], [more[i] for i in own]
            drawn = sample_shared(self._sampler, prompts, counts, temperature, seed)
            written |= dict(zip(own, drawn, strict=True))
        longer = sorted(written)
        problems = [groups[i][0].problem for i in longer]
        prompts = [groups[i][0].prompt for i in longer]
        responses = [[rollout.response for rollout in groups[i]] + written[i] for i in longer]
        drawn_at = [
            [r.temperature for r in groups[i]] + [temperatures[i]] * more[i] for i in longer
        ]
        version = groups[0][0].version
        rollouts = judge_responses(self._task, problems, prompts, responses, drawn_at, version)
        extended = dict(zip(longer, by_problem(rollouts).values(), strict=True))
        return [
            [rollouts[row] for row in extended[i]] if i in extended else group
            for i, group in enumerate(groups)
        ]
