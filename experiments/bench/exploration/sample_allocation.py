"""What samples by prompt would have found, replayed on stored samples of the embedded model.

python -m mstar.experiments.bench.exploration.sample_allocation FILE, a file that ``curves`` wrote
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mstar.agents.explore.sample_allocation import next_wave
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.stats import estimate

EVEN, FIRST, KEEP = 8, 2, 2  # samples of a problem on average, those before any wave, wanted ones
REPLAYS = 40  # each in another order of the stored samples
Right = NDArray[np.float64]  # (N, K), 1 right, 0 not


def even(right: Right) -> list[int]:
    """The same number of samples for every problem."""
    return [EVEN] * len(right)


def mixed_only(right: Right) -> list[int]:
    """Two waves: half of the even share, then the rest where that was neither all right nor none.

    What is spent so is what resampling mixed groups alone comes to (as DAPO's dynamic sampling or
    HS-STaR's budgets do for other ends); nothing is asked again.
    """
    half = EVEN // 2
    found = right[:, :half].sum(axis=1)
    asking = np.flatnonzero((found > 0) & (found < half))
    drawn = [half] * len(right)
    left = half * len(right)
    for rank, place in enumerate(asking):
        share = left // len(asking) + (rank < left % len(asking))
        drawn[place] = min(right.shape[1], half + share)
    return drawn


def by_prompt(right: Right) -> list[int]:
    """As ``--budget by-prompt`` does."""
    drawn = [FIRST] * len(right)
    left = (EVEN - FIRST) * len(right)
    while any(more := next_wave(_seen(right, drawn), KEEP, EVEN, left)):
        left -= sum(more)
        drawn = [own + extra for own, extra in zip(drawn, more, strict=True)]
    return drawn


RULES: dict[str, Callable[[Right], list[int]]] = {
    "uniform": even,
    "more where mixed": mixed_only,
    "by-prompt": by_prompt,
}


def _seen(right: Right, drawn: Sequence[int]) -> list[list[float]]:
    return [row[:count].tolist() for row, count in zip(right, drawn, strict=True)]


def replay(right: Right, rule: Callable[[Right], list[int]], seed: int = 0) -> dict[str, Right]:
    """Samples, whether any is right, and lessons of each problem, (N,), mean over the replays."""
    rng = np.random.default_rng(seed)
    spent, solved, lessons = [], [], []
    for _ in range(REPLAYS):
        shuffled = rng.permuted(right, axis=1)
        drawn = rule(shuffled)
        found = np.array([sum(row) for row in _seen(shuffled, drawn)])
        spent.append(drawn)
        solved.append(found > 0)
        lessons.append(np.minimum(found, KEEP))
    return {
        "samples": np.mean(spent, axis=0),
        "solved": np.mean(solved, axis=0),
        "lessons": np.mean(lessons, axis=0),
    }


def budget_table(rows: Sequence[Row], temperatures: Sequence[float] = (0.6, 1.0)) -> str:
    """What each rule finds, as a markdown table; intervals are 95 %, over problems."""
    head = "| policy | temperature | rule | samples a problem | solved, % | lessons a problem |"
    lines = []
    for policy in dict.fromkeys(row["policy"] for row in rows):
        for temperature in temperatures:
            own = [r for r in rows if r["policy"] == policy and r["temperature"] == temperature]
            right = np.array([[float(c) for c in row["right"]] for row in own])
            for name, rule in RULES.items():
                found = replay(right, rule)
                lessons = estimate([found["lessons"]])
                lines.append(
                    f"| {policy} | {temperature} | {name} | {found['samples'].mean():.2f} | "
                    f"{percent(estimate([found['solved']]))} | "
                    f"{lessons.mean:.2f} [{lessons.low:.2f}, {lessons.high:.2f}] |"
                )
    return table(head, lines)


if __name__ == "__main__":
    Console().print(budget_table(read_rows(Path(sys.argv[1]))), soft_wrap=True)
