"""Figures of the exploration bench, made from its stored rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mstar.experiments.plots import BLUE, GRAY, GREEN, ORANGE, PURPLE, svg
from mstar.experiments.rows import Row
from mstar.experiments.stats import estimate

COLORS = {  # the others are gray
    "paired": GREEN,
    "reward-pass@2, as published": ORANGE,
    "reward-pass@2, paired": PURPLE,
    "reward-pass@2, paired, first sweep at once": BLUE,
}


def write_figures(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``regret.svg`` and ``courses.svg``."""
    (folder / "regret.svg").write_text(svg(regret_figure(rows)))
    (folder / "courses.svg").write_text(svg(course_figure(rows)))


def regret_figure(rows: Sequence[Row]) -> Figure:
    """Mean regret over the scenarios against the samples drawn for probing, with 95 % intervals."""
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(row["controller"] for row in rows))
    for name in names:
        mine = [row for row in rows if row["controller"] == name]
        regret = estimate([np.array(row["regret"]) for row in mine])
        drawn = float(np.mean([row["samples"] for row in mine])) / 1000
        color = COLORS.get(name, GRAY)
        axes.plot([drawn, drawn], [regret.low, regret.high], color=color, linewidth=2)
        axes.plot([drawn], [regret.mean], "o", color=color)
        right, low = drawn > 200, name == "reward-pass@2, paired"  # beside the published one
        axes.annotate(
            name,
            (drawn, regret.mean),
            xytext=(-7 if right else 7, -5 if low else 3),
            textcoords="offset points",
            fontsize=8,
            ha="right" if right else "left",
            va="center",
            color=color,
        )
    axes.set_yscale("log")
    axes.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    axes.set_xlim(left=-5)
    axes.set_xlabel("samples drawn for probes in a run of 20 rounds, thousands")
    axes.set_ylabel("regret of a run, points")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def course_figure(rows: Sequence[Row]) -> Figure:
    """The best temperature and the chosen ones, round by round, mean over seeds."""
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    figure = Figure(figsize=(10.5, 2.6), layout="constrained")
    panels = figure.subplots(1, len(scenarios), sharey=True, squeeze=False)[0]
    for axes, scenario in zip(panels, scenarios, strict=True):
        mine = [row for row in rows if row["scenario"] == scenario]
        rounds = range(1, len(mine[0]["best"]) + 1)
        axes.plot(rounds, mine[0]["best"], color="black", linewidth=1.5, label="best")
        for row in mine:
            if row["controller"] in COLORS:
                name, color = row["controller"], COLORS[row["controller"]]
                axes.plot(rounds, row["temperature"], color=color, linewidth=1.2, label=name)
        axes.set_title(scenario, fontsize=9)
        axes.set_xlabel("round")
        axes.set_ylim(0.2, 1.7)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("temperature")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure
