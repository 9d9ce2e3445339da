"""Choose each arm's learning rate from a small grid, on validation problems only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.studies.plan import Plan, PlannedRun, rate_name
from mstar.experiments.studies.runner import Failure, RunnerOptions, execute
from mstar.experiments.studies.study import TUNING

GRID = "tuning.jsonl"


def tune(plan: Plan, out: Path, options: RunnerOptions) -> list[Failure]:
    """Run the rates of the grid that have not been run yet, and store their scores.

    After a grid has been widened only its new rates are run; the best is chosen among all.

    Returns:
        The runs that failed; the rate of an arm is chosen among its other runs.
    """
    stored = read_rows(out / GRID)
    known = {(row["arm"], row["rate"]) for row in stored}
    runs = [run for arm in plan.arms for run in grid(plan, arm, out)]
    planned = [run for run in runs if (run.arm, rate_of(run)) not in known]
    if not planned:
        return []
    failures = execute(planned, out, options)
    incomplete = {failure.run.arm for failure in failures}  # these are tried again next time
    stored += [scored(run) for run in planned if run.arm not in incomplete]
    arms = list(dict.fromkeys(row["arm"] for row in stored))
    rows = [row for arm in arms for row in ranked([row for row in stored if row["arm"] == arm])]
    write_rows(out / GRID, rows)
    return failures


def grid(plan: Plan, arm: str, out: Path) -> list[PlannedRun]:
    """A run for each learning rate."""
    tuning = plan.study.tuning
    if tuning is None:
        return []
    own = plan.study.recipe(arm, tuning.seed, {**tuning.changes, **plan.changes})
    own = own.replace(token_budget=round(tuning.budget * own.run.token_budget))
    runs = []
    for factor in tuning.factors:
        rate = float(f"{own.settings()[rate_name(own)] * factor:.3g}")
        change: dict[str, Any] = {rate_name(own): rate}
        recipe = own.replace(**change)
        folder = out / TUNING / arm / f"rate-{rate:g}"
        runs.append(PlannedRun(f"{arm}, tuning at {rate:g}", arm, tuning.seed, recipe, folder))
    return runs


def rate_of(run: PlannedRun) -> float:
    """The learning rate of a run's agent."""
    return float(run.recipe.settings()[rate_name(run.recipe)])


def scored(run: PlannedRun) -> Row:
    """The row of one rate of an arm."""
    return {
        "arm": run.arm,
        "rate": rate_of(run),
        "score": score(read_rows(run.folder / "rounds.jsonl")),
        "problems": run.recipe.evaluation.validation_problems,
        "seed": run.seed,
    }


def ranked(rows: Sequence[Row]) -> list[Row]:
    """An arm's rows by rate, each with whether it is the best and whether it ends the grid."""
    rows = sorted(rows, key=lambda row: row["rate"])
    best = max(rows, key=lambda row: row["score"])
    edges = (rows[0], rows[-1]) if len(rows) > 1 else ()
    return [
        {**row, "chosen": row is best, "edge": row is best and any(row is edge for edge in edges)}
        for row in rows
    ]


def score(rounds: Sequence[Row]) -> float:
    """Greedy accuracy on validation problems, the mean over the last third of the rounds."""
    trained = [row["dynamics"]["greedy"] for row in rounds if row["number"]]
    last = trained[-max(1, len(trained) // 3) :]
    return float(np.mean(last)) if last else float("-inf")


def chosen(out: Path) -> dict[str, float]:
    """The best rate of every arm that has been tuned."""
    return {row["arm"]: row["rate"] for row in read_rows(out / GRID) if row["chosen"]}
