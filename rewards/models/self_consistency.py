"""How many of the other responses of the group give an equivalent answer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores, rows_by_group
from mstar.rewards.voting import votes

SMALLEST = 3  # responses in a group; with one other response the share can only be 0 or 1


@dataclass(frozen=True)
class SelfConsistency:
    """The share of the other responses that agree; it needs no label.

    Source: the soft, leave-one-out form of TTRL's majority reward (arXiv 2504.16084; EvoLMM,
    arXiv 2511.16672, on why agreement should be continuous). Answers agree if the
    verifier calls them equivalent, whatever their text. A response without an answer scores 0 and
    agrees with none, but counts among the others. The group's confidence is the share of its
    largest class of answers: below the gate the vote is close to chance, and above it there
    is nothing left to learn; in both cases the model abstains on the whole group. It also abstains
    without a group of at least three.

    Attributes:
        gate: (lowest, highest) confidence for which groups are scored, in [0, 1].
    """

    gate: tuple[float, float] = (0.3, 0.9)
    name = "self_consistency"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Compare answers within each group; (N,) float32 in [0, 1] or NaN."""
        low, high = self.gate
        scores = np.full(len(attempts), np.nan, np.float32)
        for rows in rows_by_group(attempts):
            counts = votes([attempts[row] for row in rows])
            if len(rows) >= SMALLEST and low <= counts.max() / len(rows) <= high:
                scores[rows] = np.maximum(counts - 1, 0) / (len(rows) - 1)
        return scores
