"""Does a stated confidence come true? Calibration of votes and of likelihoods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confidence stands to what came true, over N statements; all in [0, 1].

    Attributes:
        said: mean confidence.
        right: share of the statements that came true.
        ece: expected calibration error, the mean distance of the two within ten bins of confidence
            (Guo et al. 2017, arXiv 1706.04599).
        brier: mean squared difference of confidence and outcome (Brier 1950).

    All NaN where nothing was stated.
    """

    said: float
    right: float
    ece: float
    brier: float

    @property
    def over(self) -> float:
        """Over-confidence: what was said beyond what came true, in [-1, 1]."""
        return self.said - self.right


def calibration(said: Floats, right: NDArray[np.bool_]) -> Calibration:
    """The calibration of N confidences in [0, 1], against whether each came true.

    >>> calibration(np.array([0.9, 0.9, 0.1]), np.array([True, True, False]))
    Calibration(said=0.6333333333333333, right=0.6666666666666666, ece=0.1, brier=0.01)

    Raises:
        ValueError: not one outcome per confidence.
    """
    if len(said) != len(right):
        raise ValueError(f"{len(said)} confidences need as many outcomes, got {len(right)}")
    if not len(said):
        return Calibration(float("nan"), float("nan"), float("nan"), float("nan"))
    outcome = right.astype(np.float64)
    bins = np.clip((said * BINS).astype(np.int64), 0, BINS - 1)
    # The distance of means, weighted by the bin's share, is the distance of sums over N.
    misses = np.bincount(bins, weights=said - outcome, minlength=BINS)
    return Calibration(
        said=float(said.mean()),
        right=float(outcome.mean()),
        ece=round(float(np.abs(misses).sum() / len(said)), 12),
        brier=round(float(((said - outcome) ** 2).mean()), 12),
    )
