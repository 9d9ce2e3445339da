"""A score as a Gaussian process over temperature, from differences pooled over rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score at J temperatures, from the same problems.

    Attributes:
        round_number: when.
        temperatures: (J,), J >= 2.
        values: (J,), means over the problems.
        covariance: (J, J) of these means; it holds what the temperatures have in common, such as
            problems that are hard at all of them.
    """

    round_number: int
    temperatures: tuple[float, ...]
    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def of(
        cls, round_number: int, temperatures: Sequence[float], values: Sequence[Floats]
    ) -> Comparison | None:
        """From J arrays (N,) of a score problem by problem; None where there is nothing to compare.

        Problems that lack a value at any of the temperatures (NaN) are left out.
        """
        table = np.array(values)  # (J, N)
        table = table[:, ~np.isnan(table).any(axis=0)] if len(table) > 1 else table
        if len(table) < 2 or table.shape[1] < 2:
            return None
        # Adds half a problem of each outcome: zero variance in the sample is not certainty.
        floor = 0.25 / table.shape[1] ** 2
        noise = np.cov(table) / table.shape[1] + floor * np.eye(len(table))
        return cls(
            round_number,
            tuple(temperatures),
            tuple(float(mean) for mean in table.mean(axis=1)),
            tuple(tuple(float(x) for x in row) for row in noise),
        )

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Comparison:
        """From its fields as JSON values."""
        return cls(
            int(state["round_number"]),
            tuple(state["temperatures"]),
            tuple(state["values"]),
            tuple(tuple(row) for row in state["covariance"]),
        )


@dataclass(frozen=True, slots=True)
class Prior:
    """How much the score is expected to vary, before any comparison.

    Attributes:
        height: standard deviation over temperatures, in shares of problems.
        width: of a bump, in natural logarithms of temperature.
        memory: rounds after which the correlation has fallen to 1 / e.
    """

    height: float
    width: float
    memory: float


def posterior(
    prior: Prior, comparisons: Sequence[Comparison], grid: Floats, now: int
) -> tuple[Floats, Floats]:
    """Mean (G,) and covariance (G, G) of the score over a grid of temperatures, up to its level.

    Gaussian process regression (Rasmussen and Williams 2006, equations 2.25 and 2.26) with the
    kernel height^2 exp(-(log T - log T')^2 / (2 width^2)) exp(-|r - r'| / memory) over temperature
    T and round r. Each comparison has an unknown level of its own, so that only differences within
    a comparison count: that the policy gets better is no reason to move.

    Args:
        prior: of the score.
        comparisons: in any order.
        grid: (G,) temperatures.
        now: the round that the score is predicted for.
    """
    at = np.log(grid)
    before = _kernel(prior, at, at, np.zeros((len(grid), len(grid))))
    if not comparisons:
        return np.zeros(len(grid)), before
    known = np.log(np.concatenate([c.temperatures for c in comparisons]))
    when = np.concatenate([[float(c.round_number)] * len(c.temperatures) for c in comparisons])
    owner = np.concatenate([[float(i)] * len(c.temperatures) for i, c in enumerate(comparisons)])
    values = np.concatenate([np.array(c.values) - np.mean(c.values) for c in comparisons])
    total = _kernel(prior, known, known, when[:, None] - when[None, :])
    total += np.equal.outer(owner, owner)  # an unknown level, of standard deviation 1
    start = 0
    for comparison in comparisons:
        stop = start + len(comparison.temperatures)
        total[start:stop, start:stop] += np.array(comparison.covariance)
        start = stop
    shared = _kernel(prior, at, known, (now - when)[None, :])
    solved = np.linalg.solve(total, np.column_stack([values, shared.T]))
    return shared @ solved[:, 0], before - shared @ solved[:, 1:]


def _kernel(prior: Prior, one: Floats, other: Floats, rounds: Floats) -> Floats:
    apart = (one[:, None] - other[None, :]) / prior.width
    near: Floats = prior.height**2 * np.exp(-(apart**2) / 2 - np.abs(rounds) / prior.memory)
    return near


def surprise(prior: Prior, comparisons: Sequence[Comparison], new: Comparison) -> float:
    """How far a new comparison lies from what the earlier ones predict, in standard deviations.

    The squared Mahalanobis distance of its J - 1 differences is chi-squared with as many degrees of
    freedom where the prediction holds. Its mean is subtracted and the rest divided by its standard
    deviation, sqrt(2 (J - 1)).
    """
    mean, covariance = posterior(prior, comparisons, np.array(new.temperatures), new.round_number)
    contrast = np.eye(len(mean))[1:] - np.eye(len(mean))[:-1]  # neighbours, (J - 1, J)
    off = contrast @ (np.array(new.values) - mean)
    spread = contrast @ (covariance + np.array(new.covariance)) @ contrast.T
    freedom = len(off)
    return float((off @ np.linalg.solve(spread, off) - freedom) / np.sqrt(2 * freedom))
