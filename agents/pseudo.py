"""Unlabelled problems: when they are asked, and what stands for their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from mstar.agents.collect import Rollout, by_problem
from mstar.agents.recipe import Recipe
from mstar.agents.select import ranking_score
from mstar.envs.problem import Problem
from mstar.envs.unlabelled import is_right
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.rewards.pseudo_labels import PSEUDO_LABELS, VoteName, vote_weights

SCORE = "pseudo"


def pseudo_labelled(rollouts: Sequence[Rollout], vote: VoteName, rank: str) -> list[Rollout]:
    """The rollouts with a ``pseudo`` score: 1 or 0 by their group's vote, NaN where it is silent.

    Labelled problems have NaN there; where all are labelled the rollouts stay as they are.

    Args:
        rollouts: judged, of whole groups.
        vote: how a group decides.
        rank: the score that weighs the votes; ``reward`` is the combined one.
    """
    if all(rollout.problem.answer is not None for rollout in rollouts):
        return list(rollouts)
    verdicts = np.full(len(rollouts), np.nan, np.float32)
    for members in by_problem(rollouts).values():
        group = [rollouts[i] for i in members]
        if group[0].problem.answer is None:
            attempts = [r.problem.attempt(r.response.text) for r in group]
            scores = [ranking_score(r, rank) for r in group]  # -1 where the model abstained
            weights = vote_weights([score if score >= 0 else nan for score in scores])
            verdicts[members] = PSEUDO_LABELS[vote](attempts, weights)
    return [
        replace(rollout, scores={**rollout.scores, SCORE: float(verdict)})
        for rollout, verdict in zip(rollouts, verdicts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PseudoAccuracy:
    """How well the pseudo-labels of a round stand to the withheld labels; nobody learns from this.

    Attributes:
        problems: unlabelled ones whose withheld answer can be told.
        labelled: share of them that got a pseudo-label.
        label_accuracy: share of the pseudo-labels that are right; NaN without any.
        reward_accuracy: share of the verdicts on single responses, of those problems, that are
            those of the withheld labels; high already where wrong answers scatter (arXiv
            2504.16084).
    """

    problems: int
    labelled: float
    label_accuracy: float
    reward_accuracy: float


def pseudo_accuracy(rollouts: Sequence[Rollout]) -> PseudoAccuracy | None:
    """Measured by the withheld answers; None where no problem is unlabelled."""
    elected: list[bool | None] = []
    agreed: list[bool] = []
    for members in by_problem(rollouts).values():
        group = [rollouts[i] for i in members]
        if SCORE not in group[0].scores or group[0].problem.answer is not None:
            continue
        right = [is_right(r.problem, r.response.text) for r in group]
        if None in right:
            continue
        verdicts = [r.scores[SCORE] for r in group]
        winners = [was for was, verdict in zip(right, verdicts, strict=True) if verdict == 1.0]
        elected.append(winners[0] if winners else None)
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


def mixed_in(env: ProblemVectorEnv, recipe: Recipe, number: int, asked: int = 0) -> list[Problem]:
    """The next problems of a round; labelled ones only, before the others are mixed in.

    Where `asked` of the round's problems are there already, so many fewer are drawn.

    M-STaR's T_mixin (arXiv 2412.17451): 0, 25, 50 or 75 % of training.

    Raises:
        ValueError: there are not enough labelled problems.
    """
    wanted = recipe.prompts - asked
    drawn = env.draw(wanted)
    if not recipe.unlabelled or number > recipe.mix_in * recipe.rounds:
        return drawn
    labelled = [problem for problem in drawn if problem.answer is not None]
    most = 100 * wanted  # a set without labels would be searched for ever
    while len(labelled) < wanted and most > 0:
        more = env.draw(wanted - len(labelled))
        most -= len(more)
        labelled += [problem for problem in more if problem.answer is not None]
    if wanted and not labelled:
        raise ValueError(
            f"mix_in is {recipe.mix_in}, but {recipe.env} has no labelled problems to begin with"
        )
    return labelled
