"""Long runs under strain: growth is told from noise, and the strains are what they say."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from mstar.agents.sampling.base import Response
from mstar.experiments.bench.soak import (
    DAY,
    LONG,
    MEASURES,
    Watched,
    bench_soak,
    flatness,
    jumping_clock,
    lengthened,
)
from mstar.experiments.rows import Row
from mstar.experiments.run.recipes import RECIPES


def measured(growth: float, rounds: int = 300) -> list[Row]:
    """Rounds with noise of a tenth, and a growth from the first to the last."""
    rng = np.random.default_rng(0)
    values = (1 + growth * np.arange(rounds) / rounds) * (1 + 0.1 * rng.standard_normal(rounds))
    return [{"run": "r", **dict.fromkeys(MEASURES, float(value))} for value in values]


def test_growth_is_told_from_noise() -> None:
    for flat in flatness(measured(0.0)):
        assert flat["low"] < 0 < flat["high"]
        assert abs(flat["growth_percent"]) < 5
    for grown in flatness(measured(0.5)):
        assert grown["low"] > 20
        assert (grown["n"], grown["run"]) == (50, "r")
    assert [row["measure"] for row in flatness(measured(0.0))] == list(MEASURES)


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="39 rounds are too few"):
        bench_soak(39, 100, None)


def test_the_clock_jumps_ahead_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    jumping_clock(RECIPES["default"].replace(rounds=30), Path(), 0)
    read = []
    for done in (0, 9, 10, 19, 20, 29):
        monkeypatch.setattr(Watched, "rounds", done)
        read.append(time.time())
    assert read == [0, 0, DAY, DAY, 0, 0]


@pytest.mark.parametrize("text", ["red is 3\nAnswer: 3", ""])
def test_a_long_response_ends_as_it_did(text: str) -> None:
    long = lengthened(Response(text, (1,), 0.0, 0.0, 0.0, True))
    assert LONG <= len(long.text) <= LONG + 100
    assert long.text.endswith(text or "?")
    assert long.tokens == (1,)
