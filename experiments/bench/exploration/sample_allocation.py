"""Replay sample-allocation rules on stored samples of the embedded model.

python -m mstar.experiments.bench.exploration.sample_allocation FILE, a file that ``curves`` wrote
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from mstar.agents.explore.sample_allocation import next_wave, unsolved
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.stats import estimate

EVEN, FIRST, KEEP = 8, 2, 2  # samples per problem on average, initial ones, right ones needed
REPLAYS = 40  # each with the stored samples in another order
Right = NDArray[np.float64]  # (N, K), 1 right, 0 not


def even(right: Right) -> list[int]:
    """The same number of samples for every problem."""
    return [EVEN] * len(right)


def mixed_only(right: Right) -> list[int]:
    """Two waves: half of the even share, then the rest for problems with mixed results.

    A problem is mixed if some but not all of its samples are right. This gives the budget to mixed
    groups alone, as DAPO's dynamic sampling and HS-STaR's budgets do for other purposes; no
    problem is asked again in a later round.
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
    """The rule of ``--allocation by-prompt``."""
    drawn = [FIRST] * len(right)
    left = (EVEN - FIRST) * len(right)
    while any(more := next_wave(_seen(right, drawn), KEEP, EVEN, left)):
        left -= sum(more)
        drawn = [own + extra for own, extra in zip(drawn, more, strict=True)]
    return drawn


RULES: dict[str, Callable[[Right], list[int]]] = {
    "uniform": even,
    "mixed only": mixed_only,
    "by-prompt": by_prompt,
}


def _seen(right: Right, drawn: Sequence[int]) -> list[list[float]]:
    return [row[:count].tolist() for row, count in zip(right, drawn, strict=True)]


def replay(right: Right, rule: Callable[[Right], list[int]], seed: int = 0) -> dict[str, Right]:
    """Samples, solved or not, and training examples of each problem, (N,), means over replays."""
    rng = np.random.default_rng(seed)
    spent, solved, examples = [], [], []
    for _ in range(REPLAYS):
        shuffled = rng.permuted(right, axis=1)
        drawn = rule(shuffled)
        found = np.array([sum(row) for row in _seen(shuffled, drawn)])
        spent.append(drawn)
        solved.append(found > 0)
        examples.append(np.minimum(found, KEEP))
    return {
        "samples": np.mean(spent, axis=0),
        "solved": np.mean(solved, axis=0),
        "examples": np.mean(examples, axis=0),
    }


def replay_warming(
    right: Sequence[Right], start: int, step: int, seed: int = 0
) -> dict[str, Right]:
    """As ``replay`` by the rule of ``--allocation by-prompt``, with ``--warming``.

    Args:
        right: samples at ascending temperatures, each (N, K).
        start: place of the round's temperature among them.
        step: by how many places a problem moves up with every wave in vain; 0 for no warming.
        seed: of the order of the samples.
    """
    rng = np.random.default_rng(seed)
    problems = len(right[0])
    found: dict[str, list[list[float]]] = {"samples": [], "solved": [], "examples": []}
    for _ in range(REPLAYS):
        stored = [rng.permuted(part, axis=1) for part in right]
        used = np.zeros((len(right), problems), int)
        places, seen = [start] * problems, [list[float]() for _ in range(problems)]
        more, left = [FIRST] * problems, EVEN * problems
        while any(more):
            left -= sum(more)
            for i, count in enumerate(more):
                if seen[i] and unsolved(seen[i]):
                    places[i] = min(len(right) - 1, places[i] + step)
                first = used[places[i], i]
                seen[i] += stored[places[i]][i, first : first + count].tolist()
                used[places[i], i] += count
            more = next_wave(seen, KEEP, EVEN, left)
        found["samples"].append([len(own) for own in seen])
        found["solved"].append([float(any(own)) for own in seen])
        found["examples"].append([min(sum(own), KEEP) for own in seen])
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def warming_table(rows: Sequence[Row], temperatures: Sequence[float] = (0.3, 0.6, 1.0)) -> str:
    """By-prompt without warming and with it as a markdown table, 95 % intervals over problems."""
    ladder = sorted({row["temperature"] for row in rows})
    lines = []
    for policy in dict.fromkeys(row["policy"] for row in rows):
        right = [
            np.array(
                [
                    [float(c) for c in row["right"]]
                    for row in rows
                    if row["policy"] == policy and row["temperature"] == t
                ]
            )
            for t in ladder
        ]
        for temperature in temperatures:
            for step, name in ((0, "none"), (1, "one place a wave")):
                found = replay_warming(right, ladder.index(temperature), step)
                examples = estimate([found["examples"]])
                lines.append(
                    f"| {policy} | {temperature} | {name} | {found['samples'].mean():.2f} | "
                    f"{percent(estimate([found['solved']]))} | "
                    f"{examples.mean:.2f} [{examples.low:.2f}, {examples.high:.2f}] |"
                )
    head = "| policy | temperature | warming | samples | solved, % | examples per problem |"
    return table(head, lines)


def budget_table(rows: Sequence[Row], temperatures: Sequence[float] = (0.6, 1.0)) -> str:
    """The results of each rule as a markdown table, with 95 % intervals over problems."""
    head = (
        "| policy | temperature | rule | samples per problem | solved, % | examples per problem |"
    )
    lines = []
    for policy in dict.fromkeys(row["policy"] for row in rows):
        for temperature in temperatures:
            own = [r for r in rows if r["policy"] == policy and r["temperature"] == temperature]
            right = np.array([[float(c) for c in row["right"]] for row in own])
            for name, rule in RULES.items():
                found = replay(right, rule)
                examples = estimate([found["examples"]])
                lines.append(
                    f"| {policy} | {temperature} | {name} | {found['samples'].mean():.2f} | "
                    f"{percent(estimate([found['solved']]))} | "
                    f"{examples.mean:.2f} [{examples.low:.2f}, {examples.high:.2f}] |"
                )
    return table(head, lines)


if __name__ == "__main__":
    stored = read_rows(Path(sys.argv[1]))
    Console().print(f"{budget_table(stored)}\n\n{warming_table(stored)}", soft_wrap=True)
