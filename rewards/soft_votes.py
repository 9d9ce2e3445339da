"""Votes without a winner: a response counts by how many agree with it.

A hard vote gives everything to one answer, so that what is learned is what was most frequent, right
or wrong. Here each of the N responses of a group has a weight in [0, 1], and what is learned comes,
on average, in proportion to what a loss weighted by them would count. Of equal texts one is learned
from, so chances are those of texts: a text passes with the sum of its responses' weights over N,
the probability that one response drawn from the group has it and is accepted by its weight. Texts
that passed each on their own would make most lessons of groups in which no two responses agree.
Whether a text passes is decided by the texts of its group, so that a run can be repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.voting import votes

SOFTNESS = 0.7  # gamma, the exponent of the agreement
# Of the judge's factor: what it adds above HIGH and takes away below LOW, over which width.
REACH, HIGH, LOW, HIGH_WIDTH, LOW_WIDTH = 0.2, 0.95, 0.40, 0.02, 0.05


def agreement_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """Responses have the weight p^0.7, p the share of the group that agrees with them.

    The continuous self-consistency reward of EvoLMM (Thawakar et al. 2025, arXiv 2511.16672), which
    has an exponent in (0, 1] and no winner; its penalty on length is left to the reward models.
    The weights are not used. (N,) float32: 1 or 0; all NaN if no response has an answer.

    Args:
        group: N responses to one problem.
        weights: N weights >= 0; see ``vote_weights``.
    """
    return passing(group, agreement(group))


def judged_vote(group: Sequence[Attempt], weights: Sequence[float]) -> Scores:
    """As ``agreement_vote``, with the share of each response reweighted by a judge within bounds.

    Wu et al. 2026 (arXiv 2603.21289): a judge that does not learn scores every response, and its
    score s in [0, 1] changes the agreement by a factor of 0.8 to 1.2,

        g(s) = 1 + 0.2 sigmoid((s - 0.95) / 0.02) - 0.2 sigmoid((0.40 - s) / 0.05),

    with the constants of their code, so that it cannot overrule the group. The judge here is the
    score that ranks: ``--rank process`` is a model that does not learn in the run. They start from
    the share itself, with exponent 1 (and their code from a hard vote where more than 85 % agree);
    here it is that of ``agreement_vote``, so that the two differ by the judge alone. That they take
    the logarithm of the softmax of a group's rewards as advantages has no counterpart where
    responses are selected.

    Args:
        group: N responses to one problem.
        weights: N scores of the judge in [0, 1]; see ``vote_weights``.
    """
    scores = np.clip(np.asarray(weights, np.float64), 0.0, 1.0)
    return passing(group, np.minimum(agreement(group) * judged_factor(scores), 1.0))


def agreement(group: Sequence[Attempt]) -> NDArray[np.float64]:
    """p^0.7 of each of N responses, p the share of the group with an equivalent answer; (N,)."""
    found: NDArray[np.float64] = (votes(group) / len(group)) ** SOFTNESS
    return found


def judged_factor(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The factor g of scores in [0, 1].

    >>> judged_factor(np.array([0.0, 0.7, 1.0])).round(3).tolist()
    [0.8, 1.0, 1.185]
    """
    up = 1 / (1 + np.exp(-(scores - HIGH) / HIGH_WIDTH))
    down = 1 / (1 + np.exp(-(LOW - scores) / LOW_WIDTH))
    found: NDArray[np.float64] = 1 + REACH * up - REACH * down
    return found


def passing(group: Sequence[Attempt], weights: NDArray[np.float64]) -> Scores:
    """1 for the responses whose text passes; all NaN if no response has a weight above 0."""
    if not weights.any():
        return np.full(len(group), np.nan, np.float32)
    chances: dict[str, float] = defaultdict(float)
    for attempt, weight in zip(group, weights.tolist(), strict=True):
        chances[attempt.response] += weight / len(group)
    texts = "\n".join(sorted(attempt.response for attempt in group))  # others in another round
    drawn = [uniform(f"{a.group}\n{a.response}\n{texts}") < chances[a.response] for a in group]
    return np.array(drawn, np.float32)


def uniform(text: str) -> float:
    """A number in [0, 1) that a text always gives, spread evenly over texts."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") / 2**64
