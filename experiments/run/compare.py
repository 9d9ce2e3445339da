"""Tables, with intervals, of several finished runs that are seeds of one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.evaluate import METRICS, gain, values
from mstar.experiments.stats import estimate

HEAD = "| test problems | metric | base, % | evolved, % | paired gain, points | n | seeds |"


def compare_runs(runs: Sequence[Path]) -> str:
    """``gain_table`` of runs in folders.

    Args:
        runs: folders with an ``evaluation.jsonl`` each.

    Raises:
        ValueError: a folder has no evaluation.
    """
    return gain_table([_evaluation(run) for run in runs])


def gain_table(tested: Sequence[Sequence[Row]]) -> str:
    """A markdown table of base against evolved over runs that are seeds of one recipe.

    Intervals are 95 %, by bootstrap over problems within each run.

    Args:
        tested: the rows of ``evaluation.jsonl`` of each run.
    """
    lines = []
    for group in dict.fromkeys(row["group"] for row in tested[0]):
        for metric in METRICS:
            base = [_rows(rows, group, "base") for rows in tested]
            evolved = [_rows(rows, group, "evolved") for rows in tested]
            before = estimate([values(rows, metric) for rows in base])
            after = estimate([values(rows, metric) for rows in evolved])
            change = gain(base, evolved, metric)
            lines.append(
                f"| {group} | {metric} | {percent(before)} | {percent(after)} "
                f"| {percent(change, '+')} | {change.n} | {change.runs} |"
            )
    return table(HEAD, lines)


def policy_table(tested: Sequence[Sequence[Row]], policy: str) -> str:
    """A markdown table of one policy's accuracy by family over runs.

    Args:
        tested: the rows of ``evaluation.jsonl`` of each run.
        policy: ``base`` or ``evolved``.
    """
    lines = []
    for family in dict.fromkeys(row["family"] for row in tested[0]):
        chosen = [
            [row for row in rows if (row["family"], row["policy"]) == (family, policy)]
            for rows in tested
        ]
        found = [estimate([values(rows, metric) for rows in chosen]) for metric in METRICS]
        cells = " | ".join(map(percent, found))
        lines.append(f"| {family} | {cells} | {found[0].n} | {found[0].runs} |")
    return table("| family | greedy, % | pass@1, % | pass@k, % | n | seeds |", lines)


def _evaluation(run: Path) -> list[Row]:
    rows = read_rows(run / "evaluation.jsonl")
    if not rows:
        raise ValueError(
            f"{run} has no evaluation.jsonl; give folders of finished runs, as `mstar train --out` "
            "writes them"
        )
    return rows


def _rows(rows: Sequence[Row], group: str, policy: str) -> list[Row]:
    return [row for row in rows if row["group"] == group and row["policy"] == policy]
