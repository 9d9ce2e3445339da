"""Intervals by bootstrap over problems, stratified by run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval.

    Attributes:
        mean: over all runs and problems.
        low: 2.5 % quantile of the bootstrap.
        high: 97.5 % quantile.
        n: problems in all runs together.
        runs: how many runs they come from.
    """

    mean: float
    low: float
    high: float
    n: int
    runs: int

    def __str__(self) -> str:
        return (
            f"{100 * self.mean:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], "
            f"n = {self.n}, {self.runs} seed{'s' if self.runs > 1 else ''}"
        )

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def estimate(runs: Sequence[NDArray[np.float64]], seed: int = 0) -> Estimate:
    """Mean and percentile interval; each run's problems are resampled within that run.

    Stratified bootstrap as in Agarwal et al. 2021 (arXiv 2108.13264). For a paired difference hand
    in the differences problem by problem.

    Args:
        runs: one array of values per run, each (problems,).
        seed: of the resampling.

    Raises:
        ValueError: no run, or a run without values.
    """
    if not runs or any(len(run) == 0 for run in runs):
        raise ValueError("an estimate needs at least one run, and each at least one value")
    rng = np.random.default_rng(seed)
    totals = np.zeros(RESAMPLES)
    n = sum(len(run) for run in runs)
    for run in runs:
        picks = rng.integers(0, len(run), size=(RESAMPLES, len(run)))
        totals += np.asarray(run, float)[picks].sum(axis=1)
    means = totals / n
    low, high = np.quantile(means, [0.025, 0.975])
    mean = sum(float(np.sum(run)) for run in runs) / n
    return Estimate(mean, float(low), float(high), n, len(runs))
