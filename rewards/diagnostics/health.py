"""Agreement of a panel's reward models with each other and with the verifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Scores, ScoreTable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ModelHealth:
    """One reward model compared with the verifier, over the attempts that both scored.

    Attributes:
        name: the reward model.
        mean: its mean score.
        abstained: the share of all attempts that it did not score.
        agreement: Spearman correlation with the verifier, in [-1, 1].
        brier: mean squared difference from the verifier's score, in [0, 1].
        fooled: the share of wrong attempts (by the verifier) that it scores above 0.5.
        missed: the share of right attempts that it scores below 0.5.
        length: Spearman correlation with the response's length in characters.

    A value that the attempts don't determine is NaN.
    """

    name: str
    mean: float
    abstained: float
    agreement: float
    brier: float
    fooled: float
    missed: float
    length: float


def panel_health(
    table: ScoreTable, lengths: NDArray[np.int64], reference: str = "correctness"
) -> dict[str, ModelHealth]:
    """The health of each reward model of a table, by name.

    Args:
        table: N attempts, K reward models.
        lengths: (N,) length of each response in characters.
        reference: the column to take as the truth.

    Raises:
        KeyError: the table has no column `reference`.
        ValueError: not as many lengths as attempts.
    """
    if len(lengths) != len(table):
        raise ValueError(f"{len(table)} attempts need as many lengths, got {len(lengths)}")
    truth = table[reference]
    return {name: _health(name, table[name], truth, lengths) for name in table.names}


def agreement(table: ScoreTable) -> Floats:
    """(K, K) Spearman correlations between the models, each over the attempts that both scored."""
    size = len(table.names)
    matrix = np.full((size, size), np.nan)
    for one in range(size):
        for other in range(one, size):
            rho = spearman(table.scores[:, one], table.scores[:, other])
            matrix[one, other] = matrix[other, one] = rho
    return matrix


def pairwise(table: ScoreTable) -> dict[str, float]:
    """The agreement of each pair of models, by ``"one/other"`` in the table's order."""
    matrix = agreement(table)
    return {
        f"{one}/{other}": float(matrix[i, j])
        for i, one in enumerate(table.names)
        for j, other in enumerate(table.names)
        if i < j
    }


def spearman(one: NDArray[np.number], other: NDArray[np.number]) -> float:
    """Spearman's rank correlation over the rows where neither is NaN; ties share a rank.

    NaN with fewer than three such rows, or if either side is constant.

    >>> spearman(np.array([0.1, 0.2, 0.9]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    both = ~(np.isnan(one) | np.isnan(other))
    if both.sum() < 3:
        return float("nan")
    ranks, others = _ranks(one[both]), _ranks(other[both])
    spread = float(ranks.std() * others.std())
    if spread == 0:
        return float("nan")
    covariance = float(((ranks - ranks.mean()) * (others - others.mean())).mean())
    return float(np.clip(round(covariance / spread, 12), -1.0, 1.0))


def adapted_weights(
    weights: Mapping[str, float], validation: ScoreTable, reference: str = "correctness"
) -> dict[str, float]:
    """Weights scaled by each model's agreement with the verifier on validation problems.

    A model keeps the share max(0, rho - 1 / sqrt(n - 1)) of its weight: Spearman's rho, minus its
    standard error. The verifier keeps its weight, and so does a model whose agreement is not
    known because it abstained or gave every attempt the same score.

    Args:
        weights: the configured weights by name, not those adapted before.
        validation: scores of labelled attempts that are not trained on.
        reference: the column to take as the truth.

    Raises:
        KeyError: the table lacks the reference or a weighted model.
    """
    adapted = {}
    for name, weight in weights.items():
        rho = spearman(validation[name], validation[reference])
        shared = int((~(np.isnan(validation[name]) | np.isnan(validation[reference]))).sum())
        known = name != reference and not np.isnan(rho)
        adapted[name] = weight * (max(0.0, rho - (shared - 1) ** -0.5) if known else 1.0)
    return adapted


def _health(name: str, scores: Scores, truth: Scores, lengths: NDArray[np.int64]) -> ModelHealth:
    both = ~(np.isnan(scores) | np.isnan(truth))
    score, right = scores[both].astype(np.float64), truth[both].astype(np.float64)
    return ModelHealth(
        name=name,
        mean=_mean(scores[~np.isnan(scores)]),
        abstained=_mean(np.isnan(scores)),
        agreement=spearman(scores, truth),
        brier=_mean((score - right) ** 2),
        fooled=_mean(score[right < 0.5] > 0.5),
        missed=_mean(score[right > 0.5] < 0.5),
        length=spearman(scores, lengths.astype(np.float64)),
    )


def _mean(values: NDArray[np.floating | np.bool_]) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def _ranks(values: NDArray[np.number]) -> Floats:
    """Ranks from 0; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    ranks: Floats = (first + (counts - 1) / 2.0)[place]
    return ranks
