"""How many of the other responses in the group give an equivalent answer?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.groups import rows_by_group
from mstar.rewards.verifier.verify import equivalent, extract

SMALLEST = 3  # with one other response its share is 0 or 1, whatever the policy knows


@dataclass(frozen=True)
class SelfConsistency:
    """The share of the other responses that agree; it looks at no gold, so labels aren't needed.

    Source: the soft, leave-one-out form of TTRL's majority reward (arXiv 2504.16084; EvoLMM,
    arXiv 2511.16672, on why agreement should be continuous). Answers are classed by the
    verifier's equivalence, not by their text; a response without an answer scores 0 and votes
    for nobody, but counts among the others. The group's confidence is the size of its largest
    class over the size of the group: outside the gate the group is left to chance or has nothing
    left to learn, and the model abstains on all of it. It abstains too without a group of three.

    Attributes:
        gate: (lowest, highest) confidence that is paid for, in [0, 1].
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


def votes(group: Sequence[Attempt]) -> NDArray[np.int64]:
    """How many responses of a group give an answer equivalent to each one's, itself included.

    (N,) counts; 0 for a response without an answer.
    """
    said = answers_by_class(group)
    sizes = Counter(answer for answer in said if answer is not None)
    return np.array([0 if answer is None else sizes[answer] for answer in said], np.int64)


def answers_by_class(group: Sequence[Attempt]) -> list[str | None]:
    """The answer of each response, in the wording that stands for all that are equivalent to it.

    None for a response without an answer. Equivalence within a tolerance is not transitive, so
    classes form around their most frequent wording, in an order that does not depend on that of
    the group.
    """
    kind = group[0].answer or group[0].kind
    said = [extract(attempt.response, kind) for attempt in group]
    counts = Counter(answer for answer in said if answer is not None)
    classes: dict[str, str] = {}  # each wording, and the wording that stands for its class
    for wording in sorted(counts, key=lambda text: (-counts[text], text)):
        stands = set(classes.values())
        same = (kept for kept in sorted(stands) if equivalent(kept, wording, kind))
        classes[wording] = next(same, wording)
    return [None if answer is None else classes[answer] for answer in said]
