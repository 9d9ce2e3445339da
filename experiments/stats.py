"""Bootstrap intervals over problems within each run, and over runs and problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval.

    Attributes:
        mean: the mean over all runs and problems.
        low: 2.5 % quantile of the bootstrap.
        high: 97.5 % quantile.
        n: number of problems in all runs together.
        runs: number of runs.
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

    @classmethod
    def of(
        cls, mean: float, drawn: NDArray[np.float64], runs: Sequence[NDArray[np.float64]]
    ) -> Estimate:
        """The mean of runs, with the percentile interval of its (RESAMPLES,) resampled means."""
        low, high = np.quantile(drawn, [0.025, 0.975])
        return cls(mean, float(low), float(high), sum(map(len, runs)), len(runs))

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def estimate(runs: Sequence[NDArray[np.float64]], seed: int = 0) -> Estimate:
    """The mean, and the percentile interval when problems are resampled within each run.

    This is the stratified bootstrap of Agarwal et al. 2021 (arXiv 2108.13264). For a paired
    difference, pass the differences problem by problem.

    Args:
        runs: one array of values per run, each (problems,).
        seed: of the resampling.

    Raises:
        ValueError: no run, or a run without values.
    """
    drawn = stratified_means(runs, seed)
    return Estimate.of(float(np.mean(np.concatenate(runs))), drawn, runs)


def stratified_means(runs: Sequence[NDArray[np.float64]], seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap means, as used by ``estimate``.

    Args:
        runs: one array per run, each (problems,), or (problems, columns) for several means of the
            same problems: together they take little more time than one.
        seed: of the resampling.

    Returns:
        (RESAMPLES,) or (RESAMPLES, columns).

    Raises:
        ValueError: no run, or a run without values.
    """
    if not runs or any(len(run) == 0 for run in runs):
        raise ValueError("an estimate needs at least one run, and each at least one value")
    drawn = resampled_counts(tuple(map(len, runs)), seed)
    totals = sum(counts @ np.asarray(run, float) for run, counts in zip(runs, drawn, strict=True))
    means: NDArray[np.float64] = totals / sum(map(len, runs))
    return means


@lru_cache(maxsize=8)  # a study resamples the same few numbers of problems hundreds of times
def resampled_counts(lengths: tuple[int, ...], seed: int) -> list[NDArray[np.uint16]]:
    """How often each resample draws each problem, (RESAMPLES, problems) for each run.

    Args:
        lengths: the number of problems of each run.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    found = []
    for length in lengths:
        counts = np.zeros((RESAMPLES, length), np.uint16)
        for row, picks in zip(counts, rng.integers(0, length, counts.shape), strict=True):
            row[:] = np.bincount(picks, minlength=length)
        found.append(counts)
    return found


def estimate_over_runs(runs: Sequence[NDArray[np.float64]], seed: int = 0) -> Estimate:
    """The mean, and the percentile interval when runs are resampled and then their problems.

    This is the hierarchical bootstrap. Unlike the interval of ``estimate``, it also covers what
    other seeds would have given, but it is somewhat too narrow with as few as three runs. The mean
    is the mean of the runs' means.

    Args:
        runs: one array of values per run, each (problems,); two runs at least.
        seed: of the resampling.

    Raises:
        ValueError: fewer than two runs, or a run without values.
    """
    drawn = hierarchical_means(runs, seed)
    return Estimate.of(float(np.mean([np.mean(run) for run in runs])), drawn, runs)


def hierarchical_means(runs: Sequence[NDArray[np.float64]], seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap means, as used by ``estimate_over_runs``, which raises the same errors.

    Takes and returns arrays as ``stratified_means`` does.
    """
    if len(runs) < 2 or any(len(run) == 0 for run in runs):
        raise ValueError("an interval over runs needs two runs or more, and values in each")
    rng = np.random.default_rng(seed)
    means = np.stack([stratified_means([run], seed + place) for place, run in enumerate(runs)])
    picks = rng.integers(0, len(runs), (RESAMPLES, len(runs)))
    # A run that is drawn twice gets two independent resamples of its problems.
    rows, places = np.indices(picks.shape)
    found: NDArray[np.float64] = means[picks, (rows + places) % RESAMPLES].mean(axis=1)
    return found


def chance_of_zero(drawn: NDArray[np.float64]) -> float:
    """Two-sided p value of no difference: twice the smaller share of resampled means beyond 0."""
    beyond = min(float(np.mean(drawn <= 0)), float(np.mean(drawn >= 0)))
    return min(1.0, 2 * max(beyond, 1 / len(drawn)))


def holm(chances: Sequence[float]) -> list[float]:
    """P values corrected for multiple comparisons (Holm 1979), in the order given."""
    order = np.argsort(chances, kind="stable")
    corrected = [1.0] * len(chances)
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(chances) - rank) * chances[place]))
        corrected[place] = least
    return corrected
