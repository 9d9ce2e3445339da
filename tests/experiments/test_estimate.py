"""What a run is predicted to take, held against finished runs whose rows are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mstar.agents.config import Recipe
from mstar.experiments.estimate.gpus import GPUS, gpu_named
from mstar.experiments.estimate.pilot import pilot_recipe
from mstar.experiments.estimate.predict import Range, advice, expected_accuracy, predict
from mstar.experiments.packed_rows import unpack

RESULTS = Path(__file__).parents[2] / "experiments" / "results"


def row(number: int, seconds: float, tokens: int, greedy: float, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "plan": {"temperature": 1.0} if number else None,
        "cost": {"seconds": seconds, "tokens": tokens, "flops": 100.0 * tokens},
        "seconds": {"sample and judge": 4.0, "fine-tune": 4.0, "measure": 2.0},
        "dynamics": {
            "problems": 100,
            "samples": 4,
            "greedy": greedy,
            "spread": {"1.0": {"pass_k": 0.9}},
        },
        "selection": {"solved": 0.8, "kept": 300, "passed": 0.5},
        "cut": 0.0,
        **more,
    }


ROWS = [row(0, 10.0, 500, 0.4), row(1, 20.0, 1500, 0.5), row(2, 40.0, 3500, 0.6)]
TEN = Recipe.of(rounds=10, test_samples=1)


def test_a_run_takes_as_many_rounds_as_the_pilot_measured() -> None:
    found = predict(ROWS, TEN, tested=100)
    assert found.rounds == 2
    assert found.seconds.mean == 10 + 10 * 15
    assert found.seconds.low == pytest.approx(10 + 10 * 10 * 0.85)
    assert found.seconds.high == pytest.approx(10 + 10 * 20 * 1.15)
    assert found.tokens.mean == 500 + 10 * 1500
    assert found.flops.mean == 100 * found.tokens.mean
    # 100 problems, greedy and one sample, of two policies; 500 answers took 10 seconds.
    assert found.test_seconds.mean == pytest.approx(400 * 10 / 500)


def test_a_smaller_pilot_is_scaled_up() -> None:
    large = Recipe.of(prompts=2048, updates=96)
    small = pilot_recipe(large)
    assert (small.sampling.prompts, small.optim.updates) == (256, 12)
    assert pilot_recipe(Recipe()) == Recipe()
    assert predict(ROWS, TEN, scale=8).seconds.mean == 10 + 10 * 8 * 15


def test_no_round_predicts_nothing() -> None:
    with pytest.raises(ValueError, match="at least one round"):
        predict(ROWS[:1], TEN)


def test_accuracy_goes_on_as_it_began_but_not_above_what_sampling_finds() -> None:
    found = expected_accuracy(ROWS, TEN)
    assert 0.5 < found.low < 0.6 < found.mean <= 0.9 < found.high < 1.0
    flat = [row(n, 10.0 * n, 100 * n, 0.5) for n in range(3)]
    assert expected_accuracy(flat, TEN).mean == pytest.approx(0.52, abs=0.06)
    unknown = [row(n, 10.0 * n, 100 * n, 0.5) for n in range(2)]
    for each in unknown:
        each["dynamics"]["greedy"] = None
    assert expected_accuracy(unknown, TEN).mean != expected_accuracy(unknown, TEN).mean  # NaN


def test_advice_says_what_is_short() -> None:
    assert "more rounds can turn that into accuracy" in advice(ROWS, TEN)[0]
    saturated = [*ROWS[:2], row(2, 40.0, 3500, 0.88)]
    assert "more rounds add little" in advice(saturated, TEN)[0]
    hard = row(2, 40.0, 3500, 0.6, selection={"solved": 0.2, "kept": 40, "passed": 0.1}, cut=0.2)
    said = " ".join(advice([*ROWS[:2], hard], TEN))
    for option in ("--samples", "--updates", "--max-new-tokens"):
        assert option in said


def test_a_gpu_is_named_and_its_hours_are_work_over_speed() -> None:
    hours = gpu_named("h100").hours(Range(1e18, 1e18, 1e18))
    assert hours.low == pytest.approx(1e18 / (0.35 * 989e12 * 3600))
    assert hours.low < hours.mean < hours.high
    assert all(0 < gpu.usable_bytes < gpu.gib * 2**30 for gpu in GPUS.values())
    with pytest.raises(ValueError, match="did you mean 'h100'"):
        gpu_named("h10")


@pytest.mark.skipif(not (RESULTS / "default").exists(), reason="results are no part of the wheel")
def test_finished_runs_took_what_their_first_two_rounds_predict() -> None:
    """Twelve runs of four agents, six rounds each: time within 25 %, and inside the range."""
    found = unpack(RESULTS / "default" / "rows.parquet")
    runs = {name: rows for name, rows in found.items() if name.endswith("rounds.jsonl")}
    assert len(runs) == 12
    for name, rows in runs.items():
        predicted, actual = predict(rows[:3], Recipe.of(rounds=len(rows) - 1)), rows[-1]["cost"]
        assert predicted.seconds.mean == pytest.approx(actual["seconds"], rel=0.25), name
        assert predicted.seconds.low < actual["seconds"] < predicted.seconds.high, name
        assert predicted.tokens.mean == pytest.approx(actual["tokens"], rel=0.25), name
