"""Intervals that cover, gains that pair, and rows that cannot be paired by mistake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mstar.experiments.evaluation.evaluate import gain, values
from mstar.experiments.stats import (
    Estimate,
    chance_of_zero,
    estimate,
    estimate_over_runs,
    hierarchical_means,
    holm,
    stratified_means,
)


def test_the_interval_covers_the_truth_about_95_times_of_100() -> None:
    rng = np.random.default_rng(1)
    trials, truth = 200, 0.3
    covered = 0
    for _ in range(trials):
        found = estimate([(rng.random(50) < truth).astype(float) for _ in range(2)])
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / trials <= 0.99


def test_the_mean_is_over_problems_and_lies_in_its_interval() -> None:
    found = estimate([np.array([1.0, 1.0, 1.0]), np.array([0.0])])
    assert (found.mean, found.n, found.runs) == (0.75, 4, 2)
    assert found.low <= found.mean <= found.high


def test_problems_are_resampled_within_each_run() -> None:
    apart = estimate([np.zeros(20), np.ones(20)])
    assert (apart.low, apart.mean, apart.high) == (0.5, 0.5, 0.5)
    pooled = estimate([np.concatenate([np.zeros(20), np.ones(20)])])
    assert pooled.low < 0.4 < 0.6 < pooled.high


def test_more_problems_make_the_interval_narrower() -> None:
    draws = (np.random.default_rng(0).random(1600) < 0.5).astype(float)
    few, many = estimate([draws[:100]]), estimate([draws])
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    draws = np.random.default_rng(0).random(30)
    assert estimate([draws], seed=5) == estimate([draws], seed=5)
    assert estimate([draws], seed=5) != estimate([draws], seed=6)


@pytest.mark.parametrize("means", [stratified_means, hierarchical_means])
def test_several_columns_are_resampled_as_each_would_be_alone(means: Any) -> None:
    rng = np.random.default_rng(0)
    runs = [rng.integers(0, 9, (length, 3)) / 8 for length in (30, 20)]
    alone = [means([run[:, column] for run in runs]) for column in range(3)]
    assert np.array_equal(means(runs), np.stack(alone, axis=1))


@pytest.mark.parametrize("runs", [[], [np.zeros(0)], [np.ones(3), np.zeros(0)]])
def test_an_estimate_needs_values(runs: list[Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate(runs)


@pytest.mark.parametrize(
    ("low", "high", "excludes"),
    [(0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.1, False), (0.0, 0.2, False)],
)
def test_an_interval_excludes_zero_only_if_zero_lies_outside(
    low: float, high: float, excludes: bool
) -> None:
    assert Estimate((low + high) / 2, low, high, 10, 1).excludes_zero is excludes


def test_an_estimate_reads_as_a_sentence() -> None:
    assert str(Estimate(0.5, 0.25, 0.75, 40, 1)) == "50.0 % [25.0, 75.0], n = 40, 1 seed"
    assert str(Estimate(0.5, 0.25, 0.75, 80, 2)).endswith("2 seeds")


def rows(*right: bool, first: int = 0) -> list[dict[str, Any]]:
    """A row a problem, greedy right or not, of two samples the first as the greedy one."""
    return [
        {"id": f"p{first + i}", "greedy": ok, "samples": [ok, False]} for i, ok in enumerate(right)
    ]


def test_metrics_read_the_rows() -> None:
    table = rows(True, False)
    assert values(table, "greedy").tolist() == [1.0, 0.0]
    assert values(table, "pass@1").tolist() == [0.5, 0.0]
    assert values(table, "pass@k").tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="metric 'accuracy' is not known"):
        values(table, "accuracy")


def test_a_gain_is_paired() -> None:
    rng = np.random.default_rng(0)
    before = rng.random(200) < 0.5
    after = before | (rng.random(200) < 0.1)  # nothing is forgotten, a few are learned
    change = gain([rows(*before)], [rows(*after)], "greedy")
    assert change.mean == pytest.approx(after.mean() - before.mean())
    assert change.low > 0
    alone = estimate([after.astype(float)])
    assert change.high - change.low < 0.6 * (alone.high - alone.low)
    assert gain([rows(*after)], [rows(*before)], "greedy").high < 0


def test_gains_over_runs_pair_run_by_run() -> None:
    change = gain([rows(False), rows(True)], [rows(True), rows(True)], "pass@1")
    assert (change.mean, change.n, change.runs) == (0.25, 2, 2)


def test_runs_on_different_problems_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="different problems"):
        gain([rows(True, False)], [rows(True, False, first=1)], "greedy")
    with pytest.raises(ValueError, match="shorter"):
        gain([rows(True)], [], "greedy")


def test_other_seeds_widen_the_interval_and_the_same_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    alike = [(rng.random(500) < 0.5).astype(float) for _ in range(5)]
    apart = [(rng.random(500) < share).astype(float) for share in (0.3, 0.4, 0.5, 0.6, 0.7)]

    def widths(runs: list[Any]) -> tuple[float, float]:
        within, over = estimate(runs), estimate_over_runs(runs)
        return within.high - within.low, over.high - over.low

    within, over = widths(apart)
    assert over > 3 * within
    within, over = widths(alike)
    assert over < 2 * within


@pytest.mark.parametrize(
    ("spread", "least", "most"),
    [(0.0, 0.94, 1.0), (0.06, 0.8, 0.94)],  # what a page says of it: 87 to 98 of 100
)
def test_three_seeds_cover_the_truth_less_the_more_they_differ(
    spread: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(0)
    within = over = 0
    for _ in range(150):
        shifts = rng.normal(0, spread, 3) / 2
        runs = [rng.choice([-1.0, 0.0, 1.0], 150, p=[0.15 - s, 0.7, 0.15 + s]) for s in shifts]
        plain, wide = estimate(runs), estimate_over_runs(runs)
        within += plain.low <= 0 <= plain.high
        over += wide.low <= 0 <= wide.high
    assert least <= over / 150 <= most
    assert within < over


def test_an_interval_over_seeds_needs_two() -> None:
    with pytest.raises(ValueError, match="two runs or more"):
        estimate_over_runs([np.ones(3)])


def test_holm_corrects_by_rank() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # 3 x, 1 x, 2 x; no less
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_without_a_difference_p_is_spread_evenly() -> None:
    rng = np.random.default_rng(3)
    chances = [chance_of_zero(stratified_means([rng.normal(0, 1, 80)])) for _ in range(300)]
    assert 0.01 <= float(np.mean(np.array(chances) < 0.05)) <= 0.1
    assert chance_of_zero(np.zeros(10)) == 1.0
    assert chance_of_zero(np.ones(1000)) == pytest.approx(0.002)
