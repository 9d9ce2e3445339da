"""How many problems per second each family draws and scores on one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mstar.envs import FAMILIES, ProblemEnv
from mstar.experiments.bench.base import Bench
from mstar.experiments.rows import Row

SIZE = 96  # pixels
WARM_UP = 20  # pairs, which load fonts and lazy imports


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvsBench(Bench):
    """Count the problems a second that each family draws and scores on one core."""

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each family, and their median."""
        return bench_envs(0.5)


def bench_envs(seconds_each: float = 1.0, panel: Sequence[str] | None = None) -> list[Row]:
    """Time ``reset`` and ``step`` of every family.

    Args:
        seconds_each: processor time to spend on each family, in seconds.
        panel: names of the reward models; correctness and format if None.

    Returns:
        One row per family: ``family``, ``pairs`` (of ``reset`` and ``step``) and
        ``pairs_per_second`` of processor time. The last row, named ``median``, is the median.
    """
    rows = [_family(name, seconds_each, panel) for name in FAMILIES]
    median = float(np.median([float(row["pairs_per_second"]) for row in rows]))
    pairs = sum(int(row["pairs"]) for row in rows)
    rows.append({"family": "median", "pairs": pairs, "pairs_per_second": round(median, 1)})
    return rows


def _family(name: str, seconds: float, panel: Sequence[str] | None) -> Row:
    env = ProblemEnv(source=name, size=SIZE, panel=panel)
    env.reset(seed=0)
    for _ in range(WARM_UP):
        _pair(env)
    pairs, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        _pair(env)
        pairs += 1
    return {"family": name, "pairs": pairs, "pairs_per_second": round(pairs / spent, 1)}


def _pair(env: ProblemEnv) -> None:
    env.reset()
    env.step("3 + 4 = 7\nAnswer: 7")
