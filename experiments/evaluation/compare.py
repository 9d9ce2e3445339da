"""Tables, with intervals, of several finished runs that are seeds of one recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mstar.experiments.evaluation.evaluate import METRICS, gain, values
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import estimate

HEAD = "| test problems | metric | base, % | evolved, % | paired gain, points | n | seeds |"


# Settings in which seeds of one recipe may differ: the seed itself, and how fast a machine is.
NOT_DECIDING = ("seed", "threads", "batch_rows")


def compare_runs(runs: Sequence[Path]) -> str:
    """``gain_table`` of runs in folders; only seeds of one recipe are pooled.

    Args:
        runs: folders with an ``evaluation.jsonl`` each. Where their recipes differ there is a table
            for each recipe, under the settings that tell it from the others.

    Raises:
        ValueError: a folder has no evaluation, is given twice, or two runs of one recipe have the
            same seed, so that they would be counted as two.
    """
    tested = {run: _evaluation(run) for run in runs}
    recipes = {run: RunFolder(run).recipe().settings() for run in runs}
    _check_distinct(runs, recipes)
    deciding = [name for name in next(iter(recipes.values())) if name not in NOT_DECIDING]
    differing = [n for n in deciding if len({repr(found[n]) for found in recipes.values()}) > 1]
    groups: dict[str, list[Path]] = {}
    for run in runs:
        said = ", ".join(f"{name} {_shown(recipes[run][name])}" for name in differing)
        groups.setdefault(said, []).append(run)
    if not differing:
        return gain_table(list(tested.values()))
    parts = ["These runs differ in their recipe, so each recipe has a table of its own."]
    for said, members in groups.items():
        names = ", ".join(str(run) for run in members)
        parts.append(f"**{said}** ({names})\n\n{gain_table([tested[run] for run in members])}")
    return "\n\n".join(parts)


def _check_distinct(runs: Sequence[Path], recipes: Mapping[Path, Row]) -> None:
    """Raise ValueError where one run would be counted twice."""
    by_place: dict[Path, Path] = {}
    for run in runs:
        if (place := run.resolve()) in by_place:
            raise ValueError(f"{run} is given twice; one run is one seed, give each folder once")
        by_place[place] = run
    by_recipe: dict[str, Path] = {}
    for run, settings in recipes.items():
        decides = {n: v for n, v in settings.items() if n == "seed" or n not in NOT_DECIDING}
        if (other := by_recipe.setdefault(repr(decides), run)) != run:
            raise ValueError(
                f"{other} and {run} are the same recipe with the same seed {settings['seed']}: two "
                "copies are not two seeds, give one of them"
            )


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


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _rows(rows: Sequence[Row], group: str, policy: str) -> list[Row]:
    return [row for row in rows if row["group"] == group and row["policy"] == policy]
