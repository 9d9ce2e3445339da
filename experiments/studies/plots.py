"""Figures of a study as SVG; an arm has one colour in all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mstar.experiments.plots import GRAY, present, svg
from mstar.experiments.rows import Row
from mstar.experiments.studies.rows import RunRows, StudyRows
from mstar.experiments.studies.tables import Difference, MeanCost, practice_cost

# An agent keeps its colour in every study; shades of it are the same agent at other intervals.
COLORS = {
    "continuous": "#0072b2",
    "continuous-100": "#08306b",
    "continuous-50": "#08519c",
    "continuous-25": "#2171b5",
    "continuous-12.5": "#6baed6",
    "continuous-6.25": "#9ecae1",
    "mstar": "#d55e00",
    "iterative-rft": "#009e73",
    "rest-em": "#b5a100",
    "star": "#8c6d31",
    "sft": "#5b6472",
    "grpo": "#cc3399",
    "dr-grpo": "#e78ac3",
    "dapo": "#7d4bb5",
    "gspo": "#bc80bd",
    "rloo": "#c44e52",
    "online-dpo": "#64b5cd",
}
# For arms that are not agents; distinct for colour-blind readers too (Okabe and Ito 2008).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d4bb5", "#8c2d04")
COSTS = {
    "responses": "sampled responses (training)",
    "tokens": "generated tokens (training)",
    "flops": "estimated FLOP (training)",
    "seconds": "seconds of wall time (training)",
}
POINTS = 60  # of a curve, about

Reading = Callable[[Row], float]


def color_of(rows: StudyRows, arm: str) -> str:
    """The colour of an agent; for other arms, the one of their position in the study."""
    place = list(rows.plan.study.arms).index(arm)
    return COLORS.get(arm, PALETTE[place % len(PALETTE)])


def line_of(rows: StudyRows, arm: str) -> str:
    """The line style: dashed if an earlier arm of the study has the same colour, else solid."""
    place = list(rows.plan.study.arms).index(arm)
    return "--" if arm not in COLORS and place >= len(PALETTE) else "-"


def curves(rows: StudyRows, cost: str) -> str:
    """Accuracy on validation problems, greedy and sampled, against the cost of training.

    Args:
        rows: of the study.
        cost: a key of ``COSTS``.

    Returns:
        SVG: a line is the mean over seeds, its band reaches from the lowest to the highest.
    """
    figure = Figure(figsize=(10.4, 3.9), layout="constrained")
    readings: dict[str, Reading] = {
        "greedy": lambda row: row["dynamics"]["greedy"],
        "pass@1": lambda row: present(row)["pass_1"],
    }
    for axes, (name, reading) in zip(figure.subplots(1, 2), readings.items(), strict=True):
        for arm in rows.arms:
            spent, low, mean, high = over_seeds(list(rows.of(arm).values()), cost, reading)
            color = color_of(rows, arm)
            line = line_of(rows, arm)
            axes.plot(spent, mean, color=color, linestyle=line, label=arm, linewidth=1.8)
            axes.fill_between(spent, low, high, color=color, alpha=0.13, linewidth=0)
            axes.plot(spent[-1:], mean[-1:], color=color, marker="o", markersize=4)
        axes.set_xlabel(COSTS[cost])
        axes.set_ylabel(f"{name} accuracy, validation problems")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e3e6eb", linewidth=0.8)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return svg(figure)


def over_seeds(
    runs: Sequence[RunRows], cost: str, reading: Reading
) -> tuple[NDArray[np.float64], ...]:
    """The cost, and the lowest, mean and highest accuracy of the seeds at that cost, (P,) each.

    The points are costs at which some seed was evaluated; of points close together only the first
    is kept. Values between two evaluations are interpolated. The curve ends where the first seed
    ends.
    """
    spent = [[practice_cost(row)[cost] for row in run.rounds] for run in runs]
    first, last = max(s[0] for s in spent), min(s[-1] for s in spent)
    measured = np.unique(np.clip(np.concatenate(spent), first, last))
    width = max(last - first, 1e-9) / POINTS  # an agent may sample nothing at all
    _, places = np.unique(np.round((measured - first) / width), return_index=True)
    grid = np.append(measured[places[:-1]], last)
    read = np.stack(
        [
            np.interp(grid, s, [reading(row) for row in run.rounds])
            for s, run in zip(spent, runs, strict=True)
        ]
    )
    return grid, read.min(axis=0), read.mean(axis=0), read.max(axis=0)


def forest(rows: StudyRows, found: Sequence[Difference], group: str) -> str:
    """Each arm minus the baseline on a group of test problems, greedy and pass@1.

    Returns:
        SVG: the thick line is the interval over problems, the thin one the interval over seeds, and
        each tick is the mean of a seed.
    """
    metrics = ("greedy", "pass@1")
    chosen = {m: [d for d in found if d.group == group and d.metric == m] for m in metrics}
    height = 1.3 + 0.36 * len(chosen["greedy"])
    figure = Figure(figsize=(10.4, height), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), metrics, strict=True):
        lines = chosen[metric][::-1]
        for place, each in enumerate(lines):
            interval(axes, place, each, color_of(rows, each.arm))
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_ylim(-0.6, len(lines) - 0.4)
        axes.set_yticks(range(len(lines)), [each.arm for each in lines])
        axes.set_xlabel(f"{metric}: arm minus {rows.plan.study.baseline}, percentage points")
        axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def interval(axes: Any, place: int, each: Difference, color: str) -> None:
    """One row of the forest plot."""
    if each.over_seeds is not None:
        ends = [100 * each.over_seeds.low, 100 * each.over_seeds.high]
        axes.plot(ends, [place, place], color=color, linewidth=1)
    ends = [100 * each.over_problems.low, 100 * each.over_problems.high]
    axes.plot(ends, [place, place], color=color, linewidth=4, solid_capstyle="butt", alpha=0.55)
    axes.plot([100 * each.over_problems.mean], [place], color=color, marker="o", markersize=6)
    seeds = [100 * mean for mean in each.seeds.values()]
    axes.plot(seeds, [place] * len(seeds), color="black", marker="|", markersize=7, linestyle="")


def cost_bars(rows: StudyRows, found: Sequence[MeanCost]) -> str:
    """Tokens that each arm generated: for training in its colour, for evaluation in grey."""
    figure = Figure(figsize=(10.4, 1.1 + 0.34 * len(found)), layout="constrained")
    axes = figure.subplots()
    for place, each in enumerate(found[::-1]):
        axes.barh(place, each.tokens, color=color_of(rows, each.arm), height=0.62)
        axes.barh(place, each.measured_tokens, left=each.tokens, color=GRAY, height=0.62, alpha=0.4)
    axes.set_yticks(range(len(found)), [each.arm for each in found[::-1]])
    axes.set_xlabel("generated tokens per run: training, and evaluation in grey")
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def figures(
    rows: StudyRows, found: Sequence[Difference], spent: Sequence[MeanCost]
) -> dict[str, str]:
    """All figures of a study as SVG, by the name of their file."""
    drawn = {f"curves-{cost}": curves(rows, cost) for cost in COSTS}
    for group in rows.groups:
        if any(each.group == group for each in found):
            drawn[f"differences-{group.replace(' ', '-')}"] = forest(rows, found, group)
    return drawn | {"cost": cost_bars(rows, spent)}


def grid_of(found: Sequence[Row]) -> Mapping[str, list[Row]]:
    """The rows of the learning-rate grid, by arm."""
    arms: dict[str, list[Row]] = {}
    for row in found:
        arms.setdefault(row["arm"], []).append(row)
    return arms
