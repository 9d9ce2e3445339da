"""Calibration of confidences: of votes and of likelihoods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence against outcome over N predictions; all values in [0, 1]. Stored by these names.

    Attributes:
        said: mean confidence.
        right: the share of predictions that were right.
        ece: expected calibration error, the mean absolute difference of confidence and accuracy
            in ten bins of confidence (Guo et al. 2017, arXiv 1706.04599).
        brier: Brier score, the mean squared difference of confidence and outcome (Brier 1950).

    All NaN without predictions.
    """

    said: float
    right: float
    ece: float
    brier: float

    @property
    def over(self) -> float:
        """Over-confidence: mean confidence minus accuracy, in [-1, 1]."""
        return self.said - self.right


def calibration(confidence: Floats, right: NDArray[np.bool_]) -> Calibration:
    """The calibration of N confidences in [0, 1], given whether each prediction was right.

    >>> calibration(np.array([0.9, 0.9, 0.1]), np.array([True, True, False]))
    Calibration(said=0.6333333333333333, right=0.6666666666666666, ece=0.1, brier=0.01)

    Raises:
        ValueError: not as many outcomes as confidences.
    """
    if len(confidence) != len(right):
        raise ValueError(f"{len(confidence)} confidences need as many outcomes, got {len(right)}")
    if not len(confidence):
        return Calibration(float("nan"), float("nan"), float("nan"), float("nan"))
    outcome = right.astype(np.float64)
    bins = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
    # The difference of means, weighted by the bin's share, is the difference of sums over N.
    differences = np.bincount(bins, weights=confidence - outcome, minlength=BINS)
    return Calibration(
        said=float(confidence.mean()),
        right=float(outcome.mean()),
        ece=round(float(np.abs(differences).sum() / len(confidence)), 12),
        brier=round(float(((confidence - outcome) ** 2).mean()), 12),
    )
