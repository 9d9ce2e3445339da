"""Rules that combine a score table into one reward per attempt.

A rule is a pure function of the table and a weight by name, so that stored rollouts can be
rescored. It returns (N,) float32, NaN where every model that counts abstained. Its other
parameters are keywords with defaults; set them with ``functools.partial``. Another rule = one
function here and one line in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Rule, Scores, ScoreTable

DEAD_BAND = 0.02  # standard deviation within a group below which a column is taken as constant

Floats = NDArray[np.float64]


def weighted_sum(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """The weighted mean over the models that did not abstain; (N,), NaN where all did."""
    weight = _weights(table, weights) * table.valid  # (N, K)
    total = weight.sum(axis=1)
    summed = (weight * np.nan_to_num(table.scores)).sum(axis=1)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan).astype(np.float32)


def gated(table: ScoreTable, weights: Mapping[str, float], *, gate: str = "correctness") -> Scores:
    """The weighted mean, times the gate's score: a wrong answer earns nothing.

    The form of M-STaR's reward, 1[correct] x process score (arXiv 2412.17451). In [0, 1]; NaN
    where the gate abstained.

    Raises:
        KeyError: the table has no column named `gate`.
    """
    # Where every weighted model abstained, the reward is the gate's own score.
    others = np.nan_to_num(weighted_sum(table, weights), nan=1.0)
    reward: Scores = (table[gate] * others).astype(np.float32)
    return reward


def minimum(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """The lowest score among the models with weight > 0; (N,) in [0, 1] or NaN."""
    return _ordered(table, weights, 0)


def second_lowest(table: ScoreTable, weights: Mapping[str, float]) -> Scores:
    """The second lowest score, so that no single model has a veto.

    The only score where all but one of the models with weight > 0 abstained. (N,) in [0, 1].
    """
    return _ordered(table, weights, 1)


def mean_minus_std(
    table: ScoreTable, weights: Mapping[str, float], *, penalty: float = 1.0
) -> Scores:
    """Weighted mean minus `penalty` x weighted standard deviation over the models.

    After the uncertainty-weighted objective of Coste et al. (arXiv 2310.02743), which subtracts
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
    """The weighted sum of each model's z-score within the group, as a z-score over the batch.

    GDPO (arXiv 2601.05242), with two changes: a model whose standard deviation within a group is
    at most `dead_band` adds nothing there, since dividing by it would amplify noise to the size
    of a real difference; and abstentions are left out. (N,) of mean 0 and standard deviation 1;
    NaN where every model with weight > 0 abstained.
    """
    weight = _weights(table, weights)
    summed = sum(
        (
            weight[k] * _within_groups(table, np.ones(len(table), bool), k, dead_band)
            for k in range(len(table.names))
        ),
        np.zeros(len(table)),
    )
    abstained = ~(table.valid & (weight > 0)).any(axis=1)
    return _standardised(np.where(abstained, np.nan, summed), 0.0).astype(np.float32)


def outcome_anchor(
    table: ScoreTable,
    weights: Mapping[str, float],
    *,
    outcome: str = "correctness",
    dead_band: float = DEAD_BAND,
) -> Scores:
    """The outcome's z-score over the group, plus the other models' z-scores among correct attempts.

    PAPO (arXiv 2603.26535): a process score ranks the correct attempts and can't lift a wrong
    one. In a group with fewer than two correct attempts only the outcome counts. (N,) centred on
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
    known = counted.sum(axis=1)
    picked = ordered[np.arange(len(table)), np.clip(known - 1, 0, rank)]
    return np.where(known > 0, picked, np.nan).astype(np.float32)


def _within_groups(table: ScoreTable, among: NDArray[np.bool_], k: int, dead_band: float) -> Floats:
    """Column k as z-scores among the rows of each group that are in `among`; 0 elsewhere."""
    normal = np.zeros(len(table))
    groups, group_of = np.unique(np.array(table.groups, dtype=np.str_), return_inverse=True)
    for number, group in enumerate(groups):
        rows = np.flatnonzero((group_of == number) & among)
        if group:
            values = table.scores[rows, k].astype(np.float64)
            normal[rows] = np.nan_to_num(_standardised(values, dead_band))
    return normal


def _standardised(values: Floats, dead_band: float) -> Floats:
    """(values - mean) / std over what is not NaN (std with n - 1); 0 where std <= dead band."""
    known = values[~np.isnan(values)]
    if len(known) < 2 or known.std(ddof=1) <= max(dead_band, 1e-9):
        return values * 0.0
    standardised: Floats = (values - known.mean()) / known.std(ddof=1)
    return standardised
