"""The learning rate of every arm of a study, by one small grid and validation problems alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mstar.experiments.run_folder import Row, read_rows, write_rows
from mstar.experiments.studies import TUNING
from mstar.experiments.study_plan import Plan, Planned, rate_name
from mstar.experiments.study_runs import Failure, Terms, carry_out

GRID = "tuning.jsonl"


def tune(plan: Plan, out: Path, terms: Terms) -> list[Failure]:
    """Run the grid of every arm that has not been tuned yet, and write down what came of it.

    Returns:
        The runs that failed; an arm is tuned by those of its runs that did not.
    """
    known = {row["arm"] for row in read_rows(out / GRID)}
    planned = [run for arm in plan.arms if arm not in known for run in grid(plan, arm, out)]
    if not planned:
        return []
    failures = carry_out(planned, out, terms)
    failed = {failure.run for failure in failures}
    rows = read_rows(out / GRID)
    for arm in plan.arms:
        runs = [run for run in planned if run.arm == arm]
        if runs and not failed & set(runs):  # a grid with a hole is tried again next time
            rows += scores(runs)
    write_rows(out / GRID, rows)
    return failures


def grid(plan: Plan, arm: str, out: Path) -> list[Planned]:
    """A run for each learning rate."""
    tuning = plan.study.tuning
    if tuning is None:
        return []
    own = plan.study.recipe(arm, tuning.seed, {**tuning.changes, **plan.changes})
    own = replace(own, token_budget=round(tuning.budget * own.token_budget))
    runs = []
    for factor in tuning.factors:
        rate = float(f"{getattr(own, rate_name(own)) * factor:.3g}")
        change: dict[str, Any] = {rate_name(own): rate}
        recipe = replace(own, **change)
        folder = out / TUNING / arm / f"rate-{rate:g}"
        runs.append(Planned(f"{arm}, tuning at {rate:g}", arm, tuning.seed, recipe, folder))
    return runs


def scores(runs: Sequence[Planned]) -> list[Row]:
    """A row for each rate of an arm: its score, and whether it is the best and at an edge."""
    rates = [float(getattr(run.recipe, rate_name(run.recipe))) for run in runs]
    found = [score(read_rows(run.folder / "rounds.jsonl")) for run in runs]
    best = int(np.argmax(found))
    return [
        {
            "arm": run.arm,
            "rate": rate,
            "score": value,
            "problems": run.recipe.held_out,
            "seed": run.seed,
            "chosen": place == best,
            "edge": place == best and rate in (min(rates), max(rates)) and len(rates) > 1,
        }
        for place, (run, rate, value) in enumerate(zip(runs, rates, found, strict=True))
    ]


def score(rounds: Sequence[Row]) -> float:
    """Greedy accuracy on validation problems, the mean over the last third of the rounds."""
    trained = [row["dynamics"]["greedy"] for row in rounds if row["number"]]
    last = trained[-max(1, len(trained) // 3) :]
    return float(np.mean(last)) if last else float("-inf")


def chosen(out: Path) -> dict[str, float]:
    """The best rate of every arm that has been tuned."""
    return {row["arm"]: row["rate"] for row in read_rows(out / GRID) if row["chosen"]}
