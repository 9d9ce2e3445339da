"""Picking one of many samples: by vote, by judge, by both; and how fast a judge is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mstar.experiments.bench import judge as bench_judge
from mstar.experiments.judges.best_of import (
    BestOf,
    advantage,
    advantages,
    best_of,
    best_of_estimates,
    best_of_table,
    picked,
)
from mstar.experiments.judges.figures import selection_curves
from mstar.experiments.rows import read_rows

ROW = {
    "seed": 0,
    "problem": "a",
    "right": [False, False, True, True],
    "answers": ["3", "3", "", "4"],
    "process": [0.2, 0.3, float("nan"), 0.9],
    "self_certainty": [0.9, 0.1, 0.1, 0.1],
}


def test_each_way_selects_by_its_score() -> None:
    found = picked(ROW, 4)
    assert found["mean"] == 0.5
    assert found["majority"] == 0.0
    assert found["weighted vote, lowest step"] == 1.0  # 0.9 for 4 against 0.2 + 0.3 for 3
    assert found["best of N, lowest step"] == 1.0
    assert found["best of N, certainty"] == 0.0
    assert found["any"] == 1.0
    assert "best of N, outcome" not in found
    assert picked(ROW, 2)["any"] == 0.0


def test_the_table_and_the_curves_show_every_way_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "seed": seed,
            "problem": str(index),
            "right": (rng.random(16) < 0.5).tolist(),
            "answers": [str(v) for v in rng.integers(3, size=16)],
            "process": rng.random(16).tolist(),
        }
        for seed in range(2)
        for index in range(5)
    ]
    table = best_of_table(rows)
    assert table.splitlines()[0].endswith("N = 16 |")
    assert len(table.splitlines()) == 2 + len(picked(rows[0], 1))
    gain = advantage(rows, "best of N, lowest step", "majority")
    assert gain.low <= gain.mean <= gain.high
    assert advantage(rows, "any", "any").mean == 0.0
    assert "weighted vote, lowest step" in advantages(rows)
    assert selection_curves(best_of_estimates(rows)).startswith("<svg")


def test_samples_are_stored_with_what_each_judge_says(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    best_of(BestOf(out, problems=2, seeds=(0,), figure=tmp_path / "curves.svg"))
    rows = read_rows(out)
    assert len(rows) == 2
    assert {len(rows[0][name]) for name in ("right", "answers", "process", "product")} == {16}
    for least, product in zip(rows[0]["process"], rows[0]["product"], strict=True):
        assert np.isnan(least) or product <= least + 1e-3
    assert (tmp_path / "curves.svg").read_text().startswith("<svg")


def test_a_judge_is_timed_against_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PROBLEMS", 1), ("SAMPLES", 2), ("REPEATS", 1)):
        monkeypatch.setattr(bench_judge, name, value)
    (row,) = bench_judge.bench_judge()
    assert row["responses"] == 2
    assert row["apart / shared"] > 0
