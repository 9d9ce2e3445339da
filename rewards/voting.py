"""Votes of a group of responses: equivalent answers counted together, and hard votes with a winner.

``pseudo_labels`` has the votes that can stand in for a label, by name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.verify import equivalent, extract

# Fractions of the group's total weight; chosen from the label accuracy of the embedded model's
# first votes.
CONFIDENCE = 0.5  # a winner with less gives no label
MINORITY = 0.5  # of the winner's weight: with more, the runner-up may still be the right answer


def answers_by_class(group: Sequence[Attempt]) -> list[str | None]:
    """The answer of each response, as the text that represents its class of equivalent answers.

    None for a response without an answer. Equivalence within a tolerance is not transitive, so
    each class forms around its most frequent text, in an order that does not depend on the order
    of the group.
    """
    spec = group[0].answer or group[0].answer_spec
    answers = [extract(attempt.response, spec) for attempt in group]
    counts = Counter(answer for answer in answers if answer is not None)
    representative: dict[str, str] = {}  # of each text
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        known = sorted(set(representative.values()))
        representative[text] = next((k for k in known if equivalent(k, text, spec)), text)
    return [None if answer is None else representative[answer] for answer in answers]


def votes(group: Sequence[Attempt]) -> NDArray[np.int64]:
    """The number of responses of a group that agree with each one, itself included.

    (N,) counts; 0 for a response without an answer.
    """
    classes = answers_by_class(group)
    sizes = Counter(answer for answer in classes if answer is not None)
    return np.array([0 if answer is None else sizes[answer] for answer in classes], np.int64)


def vote_weights(scores: Sequence[float]) -> list[float]:
    """The weights of a group's votes from a score; an abstention gets the mean of the others.

    If every model abstained, or all scores are 0, each vote has weight 1.

    >>> vote_weights([0.5, 1.0, float("nan")])
    [0.5, 1.0, 0.75]
    """
    known = [score for score in scores if score == score]
    if not any(known):
        return [1.0] * len(scores)
    mean = sum(known) / len(known)
    return [score if score == score else mean for score in scores]


def plain_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """1 for the responses whose answer has the winner's text, 0 for the others.

    The pseudo-label of M-STaR, argmax_a sum_i 1[a_i = a] R_p(y_i) (arXiv 2412.17451, on
    unlabelled prompts), with answers compared as text. A tie goes to the answer that comes first
    in alphabetical order. (N,) float32, all NaN if no response has an answer.

    Args:
        group: N responses to one problem.
        weights: N weights >= 0; see ``vote_weights``.
    """
    spec = group[0].answer or group[0].answer_spec
    answers = [extract(attempt.response, spec) for attempt in group]
    tally = _tally(answers, weights)
    if not tally:
        return np.full(len(group), np.nan, np.float32)
    winner = min(tally, key=lambda answer: (-tally[answer], answer))
    return np.array([answer == winner for answer in answers], np.float32)


def guarded_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """The vote with four safeguards; (N,) float32, all NaN where no label can be trusted.

    1. Answers are grouped by the verifier's equivalence, not by their text.
    2. The winner needs ``CONFIDENCE`` of the total weight, responses without an answer included.
    3. If the runner-up has at least ``MINORITY`` of the winner's weight there is no label, so that
       a right answer in the minority is not trained away (the extinction window of Lin et al.
       2026, arXiv 2605.19444).
    4. A response scores 1 only if the other responses alone would have elected its answer: its
       own vote is not evidence for it.
    """
    classes = answers_by_class(group)
    tally = _tally(classes, weights)
    abstention = np.full(len(group), np.nan, np.float32)
    if not tally:
        return abstention
    ranked = sorted(tally, key=lambda answer: (-tally[answer], answer))
    first, second = tally[ranked[0]], tally[ranked[1]] if len(ranked) > 1 else 0.0
    if first < CONFIDENCE * sum(weights) or second >= MINORITY * first:
        return abstention
    return np.array(
        [
            answer == ranked[0] and first - weight > second
            for answer, weight in zip(classes, weights, strict=True)
        ],
        np.float32,
    )


def _tally(answers: Sequence[str | None], weights: Sequence[float]) -> dict[str, float]:
    """The summed weight of each answer that has any."""
    tally: dict[str, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None and weight > 0:
            tally[answer] += weight
    return dict(tally)
