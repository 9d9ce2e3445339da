"""How certain was the policy of the tokens it generated?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores


@dataclass(frozen=True)
class SelfCertainty:
    """Self-certainty mapped to [0, 1): certainty / (certainty + half).

    Source: Intuitor (arXiv 2505.19590): the mean over tokens of KL(uniform || policy), here
    mapped by a function that keeps the order. Alone it rewards over-confidence; combine it with
    ``self_consistency`` (arXiv 2605.22620). Abstains where the sampler recorded no certainty.

    Attributes:
        half: the certainty, in nats, that scores 0.5.
    """

    half: float = 10.0
    name = "self_certainty"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32 in [0, 1), or NaN without a certainty."""
        values = [np.nan if a.certainty is None else max(a.certainty, 0.0) for a in attempts]
        certainty = np.array(values, np.float64)
        return (certainty / (certainty + self.half)).astype(np.float32)
