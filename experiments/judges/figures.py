"""Figures of judges: accuracy when they select among samples."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from mstar.experiments.plots import BLUE, GRAY, GREEN, ORANGE, PURPLE, svg
from mstar.experiments.stats import Estimate

SHOWN = {
    "any": GRAY,
    "weighted vote, lowest step": GREEN,
    "best of N, lowest step": BLUE,
    "best of N, outcome": PURPLE,
    "majority": ORANGE,
}


def selection_curves(found: Mapping[int, Mapping[str, Estimate]]) -> str:
    """Accuracy against N as SVG, one line for each way to select, with 95 % intervals.

    Args:
        found: estimates by N and way.
    """
    sizes = sorted(found)
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for way, color in SHOWN.items():
        if way not in found[sizes[0]]:
            continue
        cells = [found[size][way] for size in sizes]
        axes.plot(sizes, [c.mean for c in cells], color=color, marker="o", markersize=3, label=way)
        low, high = [c.low for c in cells], [c.high for c in cells]
        axes.fill_between(sizes, low, high, color=color, alpha=0.12, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(0, 1)
    axes.set_xlabel("samples per problem, N")
    axes.set_ylabel("accuracy")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return svg(figure)
