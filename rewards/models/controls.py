"""Control rewards that carry little or no information, as baselines for real rewards.

The third control, format only, is a panel of ``Format`` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores, rows_by_group
from mstar.rewards.voting import votes


@dataclass(frozen=True)
class RandomReward:
    """1 for a fixed share of all responses, chosen by their hash, else 0.

    Source: the Bernoulli control of "Spurious Rewards" (arXiv 2506.10947). A response is
    chosen by a hash of seed, group, question and response, so that it always gets the same score.

    Attributes:
        seed: another seed chooses other responses.
        share: of the responses that score 1, in [0, 1].
    """

    seed: int = 0
    share: float = 0.5
    name = "random"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1; never abstains."""
        return np.array([self._chance(a) < self.share for a in attempts], np.float32)

    def _chance(self, attempt: Attempt) -> float:
        fields = [str(self.seed), attempt.group, attempt.question, attempt.response]
        digest = hashlib.sha256("\0".join(fields).encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


class MajorityOnly:
    """1 for every member of the largest class of equivalent answers in its group, else 0.

    Source: TTRL (arXiv 2504.16084) and MM-UPT (arXiv 2505.22453): the hard vote, in which
    the scored response votes too and the majority may be small. Answers are equivalent if the
    verifier says so; in a tie every largest class scores 1. Abstains without a group and where no
    response has an answer.
    """

    name = "majority"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Vote within each group; (N,) float32, 0 or 1, or NaN."""
        scores = np.full(len(attempts), np.nan, np.float32)
        for rows in rows_by_group(attempts):
            counts = votes([attempts[row] for row in rows])
            if counts.max() > 0:
                scores[rows] = counts == counts.max()
        return scores
