"""Unlabelled problems: how many are drawn, and the votes that stand in for their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from mstar.agents.rollout import by_problem
from mstar.agents.selection import ranking_score
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.envs.variants.unlabelled import is_right
from mstar.rewards.base import Scores
from mstar.rewards.pseudo_labels import PSEUDO_LABELS, VoteName
from mstar.rewards.voting import vote_weights

SCORE = "pseudo"


def pseudo_labelled(rollouts: Sequence[Rollout], vote: VoteName, rank: str) -> list[Rollout]:
    """The rollouts with a ``pseudo`` score: 1 or 0 by their group's vote, NaN without a verdict.

    It is NaN for labelled problems; where all are labelled the rollouts are returned unchanged.

    Args:
        rollouts: judged, of whole groups.
        vote: the voting rule.
        rank: the score that weights the votes; ``reward`` is the combined one.
    """
    if all(rollout.problem.answer is not None for rollout in rollouts):
        return list(rollouts)
    verdicts = np.full(len(rollouts), np.nan, np.float32)
    for members in by_problem(rollouts).values():
        group = [rollouts[i] for i in members]
        if group[0].problem.answer is None:
            verdicts[members] = elect(group, vote, rank)
    return [
        replace(rollout, scores={**rollout.scores, SCORE: float(verdict)})
        for rollout, verdict in zip(rollouts, verdicts, strict=True)
    ]


def elect(group: Sequence[Rollout], vote: VoteName, rank: str) -> Scores:
    """The verdicts of a vote on the responses to one problem, (K,); NaN where there is none."""
    attempts = [r.problem.attempt(r.judged) for r in group]
    scores = [ranking_score(r, rank) for r in group]  # -1 where the model abstained
    weights = vote_weights([score if score >= 0 else nan for score in scores])
    return PSEUDO_LABELS[vote](attempts, weights)


@dataclass(frozen=True, slots=True)
class PseudoAccuracy:
    """How well the pseudo-labels of a round agree with the withheld labels; never learned from.

    Attributes:
        problems: unlabelled ones whose withheld answer is known.
        labelled: share of them that got a pseudo-label.
        label_accuracy: share of the pseudo-labels that are right, NaN without any; where a vote
            has no single winner, a problem counts by the share of its passing responses.
        reward_accuracy: share of the verdicts on single responses, of those problems, that are
            those of the withheld labels; high even for wrong labels if wrong answers scatter
            (arXiv 2504.16084).
    """

    problems: int
    labelled: float
    label_accuracy: float
    reward_accuracy: float


def pseudo_accuracy(rollouts: Sequence[Rollout]) -> PseudoAccuracy | None:
    """Measured by the withheld answers; None where no problem is unlabelled."""
    elected: list[float | None] = []
    agreed: list[bool] = []
    for members in by_problem(rollouts).values():
        group = [rollouts[i] for i in members]
        if SCORE not in group[0].scores or group[0].problem.answer is not None:
            continue
        right = [is_right(r.problem, r.judged) for r in group]
        if None in right:
            continue
        verdicts = [r.scores[SCORE] for r in group]
        winners = [was for was, verdict in zip(right, verdicts, strict=True) if verdict == 1.0]
        elected.append(float(np.mean([bool(was) for was in winners])) if winners else None)
        if winners:
            agreed += [(v == 1.0) == was for v, was in zip(verdicts, right, strict=True)]
    if not elected:
        return None
    labels = [was for was in elected if was is not None]
    return PseudoAccuracy(
        len(elected),
        len(labels) / len(elected),
        float(np.mean(labels)) if labels else nan,
        float(np.mean(agreed)) if agreed else nan,
    )


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """How often labelled problems were solved, and voted on rightly.

    Attributes:
        problems: how many there were.
        solved: those with a right response.
        voted: those that would have got a pseudo-label, had they been unlabelled.
        right: those whose pseudo-label would have been right.
    """

    problems: int = 0
    solved: int = 0
    voted: int = 0
    right: int = 0


def vote_record(rollouts: Sequence[Rollout], vote: VoteName, rank: str) -> VoteRecord:
    """How the vote does where the label is known, and how many problems are solved.

    Args:
        rollouts: judged, of whole groups; those of unlabelled problems are ignored.
        vote: the voting rule.
        rank: the score that weights the votes.
    """
    groups = [[rollouts[i] for i in rows] for rows in by_problem(rollouts).values()]
    solved = voted = right = 0
    known = [group for group in groups if group[0].problem.answer is not None]
    for group in known:
        correct = [rollout.scores["correctness"] == 1.0 for rollout in group]
        elected = elect(group, vote, rank) == 1.0
        solved += any(correct)
        voted += bool(elected.any())
        right += any(was for was, won in zip(correct, elected, strict=True) if won)
    return VoteRecord(len(known), solved, voted, right)


def draw_problems(task: Task, count: int, unlabelled: float | None) -> list[Problem]:
    """The next problems, so many of them unlabelled; fewer where too few of either kind are found.

    Args:
        task: poses the problems.
        count: how many problems.
        unlabelled: share of them without a label; None takes the next ones as they come.

    Raises:
        ValueError: labelled problems are wanted, and there are none.
    """
    if unlabelled is None:
        return task.draw(count)
    hidden = round(unlabelled * count)
    wanted = {True: hidden, False: count - hidden}  # by whether the answer is withheld
    found: list[Problem] = []
    left = 100 * count  # bounds the search in a set that lacks one kind
    while (missing := sum(wanted.values())) and left > 0:
        left -= missing
        for problem in task.draw(missing):
            if wanted[problem.answer is None]:
                wanted[problem.answer is None] -= 1
                found.append(problem)
    if wanted[False] and not any(problem.answer is not None for problem in found):
        raise ValueError(
            f"a round needs {wanted[False]} labelled problems, and the set has none; lower "
            "--unlabelled, or leave --unlabelled-start and --mixing at their defaults"
        )
    return found
