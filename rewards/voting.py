"""What stands for the label where there is none: a weighted vote over the group's answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.models.self_consistency import answers_by_class
from mstar.rewards.verifier.verify import extract

VoteName = Literal["vote", "guarded"]
VOTES: tuple[VoteName, ...] = get_args(VoteName)

# Shares of the group's weight. Fixed from the label accuracy of the embedded model's first votes.
CONFIDENCE = 0.5  # a winner with less is no label
MINORITY = 0.5  # of the winner's weight: with more, the second answer may yet be the right one


def plain_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """1 for the responses whose answer reads like the winner's, 0 for the others.

    M-STaR's pseudo-label, argmax_a sum_i 1[a_i = a] R_p(y_i) (arXiv 2412.17451, on unlabelled
    prompts), with answers compared as they are written. Of equal weights the first in the
    alphabet wins. (N,) float32, all NaN where nobody gave an answer.

    Args:
        group: N responses to one problem.
        weights: N votes' weights, >= 0; see ``vote_weights``.
    """
    kind = group[0].answer or group[0].kind
    said = [extract(attempt.response, kind) for attempt in group]
    tally = _tally(said, weights)
    if not tally:
        return np.full(len(group), np.nan, np.float32)
    winner = min(tally, key=lambda answer: (-tally[answer], answer))
    return np.array([answer == winner for answer in said], np.float32)


def guarded_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """The vote with four guards; (N,) float32, all NaN where they find no label to trust.

    Answers are classed by the verifier's equivalence, not by their wording. The winner needs
    ``CONFIDENCE`` of all weight, that of responses without an answer included. Where the second
    class has ``MINORITY`` of the winner's weight or more, nothing is learned, so that a right
    answer in the minority is not trained away (the extinction window of Lin et al. 2026, arXiv
    2605.19444). And a response passes only if the others alone would have elected its class: no
    response is its own witness.
    """
    classes = answers_by_class(group)
    tally = _tally(classes, weights)
    silent = np.full(len(group), np.nan, np.float32)
    if not tally:
        return silent
    ranked = sorted(tally, key=lambda answer: (-tally[answer], answer))
    first, second = tally[ranked[0]], tally[ranked[1]] if len(ranked) > 1 else 0.0
    if first < CONFIDENCE * sum(weights) or second >= MINORITY * first:
        return silent
    return np.array(
        [
            answer == ranked[0] and first - weight > second
            for answer, weight in zip(classes, weights, strict=True)
        ],
        np.float32,
    )


PSEUDO_LABELS: dict[VoteName, Callable[[Sequence[Attempt], Sequence[float]], Scores]] = {
    "vote": plain_vote,
    "guarded": guarded_vote,
}


def vote_weights(scores: Sequence[float]) -> list[float]:
    """The weights of a group's votes by a score; an abstention weighs as the mean of the others.

    Where every score abstained, or all are 0, each vote weighs 1.

    >>> vote_weights([0.5, 1.0, float("nan")])
    [0.5, 1.0, 0.75]
    """
    told = [score for score in scores if score == score]
    if not any(told):
        return [1.0] * len(scores)
    mean = sum(told) / len(told)
    return [score if score == score else mean for score in scores]


def _tally(answers: Sequence[str | None], weights: Sequence[float]) -> dict[str, float]:
    """The summed weight of each answer that weighs anything."""
    tally: dict[str, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None and weight > 0:
            tally[answer] += weight
    return dict(tally)
