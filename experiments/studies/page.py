"""The page and the markdown tables of a study, made from its rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from mstar.experiments.evaluation.evaluate import METRICS
from mstar.experiments.markdown import interval, percent, table
from mstar.experiments.page import page
from mstar.experiments.rows import Row
from mstar.experiments.studies.plots import COSTS, color_of, figures, grid_of
from mstar.experiments.studies.rows import StudyRows
from mstar.experiments.studies.study import BASE
from mstar.experiments.studies.tables import (
    ENOUGH,
    Accuracy,
    Difference,
    MeanCost,
    accuracies,
    costs,
    differences,
    verdicts,
)

NARROW = (
    "With three seeds they contained the true value in 87 to 98 of 100 simulated studies, less "
    "often the more the seeds differ."
)
PAGE, TABLES = "study.html", "study.md"


def write_page(rows: StudyRows, out: Path, failures: Sequence[str] = ()) -> Path:
    """Write study.html, study.md and the figures; returns the path of the page.

    Args:
        rows: of the study.
        out: the folder.
        failures: runs that failed, with the reason.
    """
    accuracy, apart, spent = accuracies(rows), differences(rows), costs(rows)
    drawn = figures(rows, apart, spent)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for name, svg in drawn.items():
        (out / "figures" / f"{name}.svg").write_text(svg)
    (out / TABLES).write_text(markdown(rows, accuracy, apart, spent))
    written = page(
        "studies/study.html.jinja",
        plan=rows.plan,
        study=rows.plan.study,
        groups=rows.groups,
        metrics=METRICS,
        accuracy={(a.group, a.arm, a.metric): a for a in accuracy},
        arms=rows.arms,
        shown=[BASE, *rows.arms] if rows.base else rows.arms,
        differences={(d.group, d.arm, d.metric): d for d in apart},
        spendings=spent,
        grid=grid_of(rows.grid),
        figures={name: Markup(svg) for name, svg in drawn.items()},  # ours, not the policy's
        costs=COSTS,
        colors={arm: color_of(rows, arm) for arm in rows.arms},
        seeds=sorted({run.seed for run in rows.runs}),
        missing=missing(rows),
        failures=failures,
        enough=ENOUGH,
        narrow=NARROW,
        verdicts=verdicts(apart, rows.plan.study.baseline),
        made=made(rows),
        recipes=[(run.arm, run.seed, run.recipe.settings()) for run in rows.runs],
    )
    path = out / PAGE
    path.write_text(written)
    return path


def missing(rows: StudyRows) -> list[str]:
    """Planned runs that are not finished."""
    there = {(run.arm, run.seed) for run in rows.runs}
    return [
        f"{arm}, seed {seed}"
        for arm in rows.plan.arms
        for seed in rows.plan.seeds
        if (arm, seed) not in there
    ]


def made(rows: StudyRows) -> list[str]:
    """Commit, versions and cores of the runs, a line for each combination that occurs."""
    lines = []
    for run in rows.runs:
        versions = run.made.get("versions", {})
        known = [f"{name} {versions[name]}" for name in ("torch", "trl") if name in versions]
        cores = run.made.get("hardware", {}).get("cores", "?")
        commit = str(run.made.get("commit") or "unknown")[:10]
        lines.append(", ".join([f"commit {commit}", *known, f"{cores} cores"]))
    return list(dict.fromkeys(lines))


def markdown(
    rows: StudyRows,
    accuracy: Sequence[Accuracy],
    apart: Sequence[Difference],
    spent: Sequence[MeanCost],
) -> str:
    """The tables as markdown: accuracy, differences to the baseline, cost, and tuning."""
    study, seeds = rows.plan.study, sorted({run.seed for run in rows.runs})
    parts = [f"# {rows.plan.name}", study.question, study.design]
    if absent := missing(rows):
        parts.append(f"Missing: {'; '.join(absent)}.")
    parts.append("\n".join(f"- {line}" for line in verdicts(apart, study.baseline)))
    for group in rows.groups:
        head = (
            f"| {group} | metric | %, 95 % over problems | 95 % over seeds | by seed | n | seeds |"
        )
        lines = [
            f"| {a.arm} | {a.metric} | {percent(a.over_problems)} | {interval(a.over_seeds)} | "
            f"{' '.join(f'{100 * mean:.1f}' for mean in a.seeds.values())} | {a.over_problems.n} | "
            f"{len(a.seeds)} |"
            for a in accuracy
            if a.group == group
        ]
        parts.append(table(head, lines))
        head = (
            f"| {group}, minus {study.baseline} | metric | points, 95 % over problems | "
            "95 % over seeds | by seed | p | p (Holm) | improves |"
        )
        lines = [
            f"| {d.arm} | {d.metric} | {percent(d.over_problems, '+')} | "
            f"{interval(d.over_seeds, '+')} | "
            f"{' '.join(f'{100 * mean:+.1f}' for mean in d.seeds.values())} | {d.chance:.3f} | "
            f"{d.corrected:.3f} | {d.improves:.2f} |"
            for d in apart
            if d.group == group
        ]
        if lines:
            parts.append(table(head, lines))
    parts.append(cost_table(spent))
    if rows.grid:
        parts.append(tuning_table(rows.grid))
    parts += [
        reading(len(seeds), study.base.evaluation.test_temperature),
        f"Made with {'; and with '.join(made(rows))}.",
    ]
    return "\n\n".join(parts) + "\n"


def cost_table(spent: Sequence[MeanCost]) -> str:
    """The mean cost of a run, with training and evaluation listed separately."""
    head = (
        "| mean of a run | rounds | updates | responses | tokens | probe tokens | over budget | "
        "FLOP | seconds | measured tokens | measured seconds |"
    )
    return table(
        head,
        [
            f"| {s.arm} | {s.rounds:.0f} | {s.updates:.0f} | {s.responses:,.0f} | "
            f"{s.tokens:,.0f} | {s.probed:,.0f} | {s.overshoot:,.0f} | {s.flops:.2e} | "
            f"{s.seconds:.0f} | {s.measured_tokens:,.0f} | {s.measured_seconds:.0f} |"
            for s in spent
        ],
    )


def tuning_table(grid: Sequence[Row]) -> str:
    """The learning rates that were tried."""
    return table(
        "| tuned | learning rate | validation greedy, % | n | seed | chosen |",
        [
            f"| {row['arm']} | {row['rate']:g} | {100 * row['score']:.1f} | {row['problems']} | "
            f"{row['seed']} | {'yes, at the edge' if row['edge'] else 'yes' * row['chosen']} |"
            for row in grid
        ],
    )


def reading(seeds: int, temperature: float) -> str:
    """How to read the intervals, and pass@1, which is measured at a temperature."""
    over = (
        f"resample seeds and then problems; {NARROW[:-1].lower()}"
        if seeds >= ENOUGH
        else f"are not given, as they need {ENOUGH} seeds"
    )
    return (
        "Intervals over problems resample the problems within each seed and so describe these runs "
        f"only; intervals over seeds {over}. Differences are paired by problem. p is two-sided, "
        "from the same bootstrap, with Holm's correction over all arms of one table and metric, "
        "not over metrics or groups of problems. `improves` is the share of families and seeds "
        "in which the arm is better (Agarwal et al. 2021). pass@1 is the mean over samples at "
        f"temperature {temperature:g}; pass@k is whether any sample is right."
    )
