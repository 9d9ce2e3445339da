"""Rules that make one reward of a score table: pure functions, so stored rollouts re-score.

Each takes the table and a weight by name and returns (N,) float32, NaN where it had nothing to
go by. What a rule can be told beyond that is a keyword with a default; ``functools.partial``
changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mstar.rewards.base import Scores
    from mstar.rewards.panel import Rule, ScoreTable

DEAD_BAND = 0.02  # a column that varies less than this within a group says nothing about it

Floats = NDArray[np.float64]


def weighted_sum(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """Weighted mean over the models that did not abstain; (N,), NaN where all did."""
    weight = _weights(table, weights) * table.valid  # (N, K)
    total = weight.sum(axis=1)
    summed = (weight * np.nan_to_num(table.scores)).sum(axis=1)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan).astype(np.float32)


def gated(table: ScoreTable, weights: Mapping[str, float], *, gate: str = "correctness") -> Scores:
    """The weighted mean, times the gate's score: nothing else pays for a wrong answer.

    The form of M-STaR's reward, 1[correct] x process score (arXiv 2412.17451). In [0, 1]; NaN
    where the gate abstained.

    Raises:
        KeyError: the table has no column named `gate`.
    """
    # A gate that weighs 0 may be the only one that spoke; it then lets through its own score.
    others = np.nan_to_num(weighted_sum(table, weights), nan=1.0)
    paid: Scores = (table[gate] * others).astype(np.float32)
    return paid


def minimum(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """The lowest score among the models that weigh anything; (N,) in [0, 1]."""
    return _ordered(table, weights, 0)


def second_lowest(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """The second lowest score, so that no one model has a veto; the only one where one spoke."""
    return _ordered(table, weights, 1)


def mean_minus_std(
    table: ScoreTable, weights: Mapping[str, float], *, penalty: float = 1.0
) -> Scores:
    """Weighted mean minus `penalty` x weighted standard deviation over the models.

    After the uncertainty-weighted objective of Coste et al. (arXiv 2310.02743), which takes off
    the variance. (N,) in [-penalty / 2, 1].
    """
    mean = weighted_sum(table, weights).astype(np.float64)
    weight = _weights(table, weights) * table.valid  # (N, K)
    total = np.maximum(weight.sum(axis=1), np.finfo(float).tiny)
    spread = (weight * np.nan_to_num(table.scores - mean[:, None]) ** 2).sum(axis=1)
    pessimistic: Scores = (mean - penalty * np.sqrt(spread / total)).astype(np.float32)
    return pessimistic


def normalise_then_sum(
    table: ScoreTable, weights: Mapping[str, float], *, dead_band: float = DEAD_BAND
) -> Scores:
    """Each model's z-score within the group, weighted, summed, then the batch's z-score.

    GDPO (arXiv 2601.05242), with two changes: a model that varies by less than `dead_band` (as a
    standard deviation) within a group adds nothing to it, since dividing by its own jitter would
    blow that up to the size of a real difference; and abstentions are left out. (N,) of mean 0
    and standard deviation 1; NaN where every model that weighs anything abstained.
    """
    weight = _weights(table, weights)
    summed = sum(
        (
            weight[k] * _within_groups(table, np.ones(len(table), bool), k, dead_band)
            for k in range(len(table.names))
        ),
        np.zeros(len(table)),
    )
    silent = ~(table.valid & (weight > 0)).any(axis=1)
    return _standardised(np.where(silent, np.nan, summed), 0.0).astype(np.float32)


def outcome_anchor(
    table: ScoreTable,
    weights: Mapping[str, float],
    *,
    outcome: str = "correctness",
    dead_band: float = DEAD_BAND,
) -> Scores:
    """The outcome's z-score over the group, plus the others' z-scores among the correct alone.

    PAPO (arXiv 2603.26535): a process score tells correct attempts apart and can't make a wrong
    one look better. A group with fewer than two correct attempts has the outcome only. (N,) about
    0 in each group; NaN where the outcome abstained.

    Raises:
        KeyError: the table has no column named `outcome`.
    """
    weight = _weights(table, weights)
    everyone = np.ones(len(table), bool)
    correct = table[outcome] > 0.5
    reward = np.zeros(len(table))
    for k, name in enumerate(table.names):
        among = everyone if name == outcome else correct
        reward += weight[k] * _within_groups(table, among, k, dead_band)
    return np.where(np.isnan(table[outcome]), np.nan, reward).astype(np.float32)


RULES: dict[str, Rule] = {
    "weighted_sum": weighted_sum,
    "gated": gated,
    "minimum": minimum,
    "second_lowest": second_lowest,
    "mean_minus_std": mean_minus_std,
    "normalise_then_sum": normalise_then_sum,
    "outcome_anchor": outcome_anchor,
}


def _weights(table: ScoreTable, weights: Mapping[str, float]) -> Floats:
    return np.array([weights[name] for name in table.names], np.float64)  # (K,)


def _ordered(table: ScoreTable, weights: Mapping[str, float], rank: int) -> Scores:
    counted = table.valid & (_weights(table, weights) > 0)  # (N, K)
    ordered = np.sort(np.where(counted, table.scores, np.inf), axis=1)
    spoke = counted.sum(axis=1)
    picked = ordered[np.arange(len(table)), np.clip(spoke - 1, 0, rank)]
    return np.where(spoke > 0, picked, np.nan).astype(np.float32)


def _within_groups(table: ScoreTable, among: NDArray[np.bool_], k: int, dead_band: float) -> Floats:
    """Column k as z-scores within each group's rows of `among`; 0 elsewhere and where NaN."""
    normal = np.zeros(len(table))
    groups, group_of = np.unique(np.array(table.groups, dtype=np.str_), return_inverse=True)
    for number, group in enumerate(groups):
        rows = np.flatnonzero((group_of == number) & among)
        if group:
            values = table.scores[rows, k].astype(np.float64)
            normal[rows] = np.nan_to_num(_standardised(values, dead_band))
    return normal


def _standardised(values: Floats, dead_band: float) -> Floats:
    """(values - mean) / std over what is not NaN (std with n - 1); zeros within the dead band."""
    known = values[~np.isnan(values)]
    if len(known) < 2 or known.std(ddof=1) <= max(dead_band, 1e-9):
        return values * 0.0
    standardised: Floats = (values - known.mean()) / known.std(ddof=1)
    return standardised
