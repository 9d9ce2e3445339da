"""Rewards that ought to teach nothing: what a real reward must beat.

The third control, format only, is a panel of ``Format`` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.groups import rows_by_group
from mstar.rewards.models.self_consistency import votes


@dataclass(frozen=True)
class RandomReward:
    """1 for a share of all responses picked by their hash, else 0.

    Source: the Bernoulli control of "Spurious Rewards" (arXiv 2506.10947). The chance is a hash
    of seed, group, question and response, so that one response always gets one score.

    Attributes:
        seed: another seed picks other responses.
        share: how many score 1, in [0, 1].
    """

    seed: int = 0
    share: float = 0.5
    name = "random"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1; never abstains."""
        return np.array([self._chance(a) < self.share for a in attempts], np.float32)

    def _chance(self, attempt: Attempt) -> float:
        parts = [str(self.seed), attempt.group, attempt.question, attempt.response]
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


class MajorityOnly:
    """1 for every member of the largest class of equivalent answers in its group, else 0.

    Source: TTRL (arXiv 2504.16084) and MM-UPT (arXiv 2505.22453): the hard vote, in which the
    scored response votes too and no confidence is asked for. Classes are the verifier's, and all
    of the largest ones win a tie. Abstains without a group and where nobody gave an answer.
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
