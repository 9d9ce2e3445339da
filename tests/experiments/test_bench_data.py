from __future__ import annotations

from mstar.experiments.bench.data import bench_data


def test_the_bench_of_data_sets_measures_each_step_once() -> None:
    rows = bench_data(4)
    assert [row["step"] for row in rows] == ["decode in full", "validate", "read again"]
    assert all(row["rows"] == 4 and row["cpu_seconds"] > 0 for row in rows)
    assert 50 < rows[0]["kilobytes"] < 150
