"""The figures of a run's report: each function turns rows into an SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from mstar.experiments.rows import Row

GEOMETRY = re.compile(r' (?:d|x|y|transform|style)="[^"]*"')
LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
METADATA = re.compile(r"<metadata>.*</metadata>|<!--.*?-->", re.S)
BLANK = re.compile(r"^ +|\n(?=[LQCz] )|^\n", re.M)

BLUE, ORANGE, GREEN, PURPLE, GRAY = "#2a5db0", "#d9730d", "#2f855a", "#7d4bb5", "#8a8f98"


def curves(rounds: Sequence[Row]) -> str:
    """Accuracy on validation problems, in [0, 1], against training problems seen."""
    seen = problems_seen(rounds)
    figure, axes = _axes("share of validation problems")
    spread = [present(row) for row in rounds]
    k = rounds[0]["dynamics"]["samples"]
    lines = {
        f"pass@{k}": ([s["pass_k"] for s in spread], GRAY),
        "Reward-Pass@2": ([s["reward_pass_2"] for s in spread], PURPLE),
        "greedy": ([row["dynamics"]["greedy"] for row in rounds], BLUE),
        "pass@1": ([s["pass_1"] for s in spread], ORANGE),
    }
    for name, (values, color) in lines.items():
        axes.plot(seen, _numbers(values), color=color, marker="o", markersize=3, label=name)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, ncols=2, fontsize=8)
    return svg(figure)


def elsewhere(rounds: Sequence[Row], tested: Sequence[Row]) -> str:
    """Greedy accuracy on other environments, from 0 to 1, against problems seen."""
    seen = dict(zip((row["number"] for row in rounds), problems_seen(rounds), strict=True))
    figure, axes = _axes("share of test problems")
    for env in dict.fromkeys(row["env"] for row in tested):
        own = [row for row in tested if row["env"] == env and row["round"] in seen]
        places = [seen[row["round"]] for row in own]
        axes.plot(places, [row["greedy"] for row in own], marker="o", markersize=3, label=env)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def exploration(rounds: Sequence[Row]) -> str:
    """Chosen temperature, token entropy and distinct answers, against training problems seen."""
    seen = problems_seen(rounds)
    figure, axes = _axes("nats, answers, temperature")
    spread = [present(row) for row in rounds]
    entropy = _numbers([s["entropy"] for s in spread])
    axes.plot(seen, entropy, color=GREEN, label="entropy of a token (nats)")
    axes.plot(seen, [s["distinct"] for s in spread], color=GRAY, label="distinct answers")
    chosen = [
        (x, row["plan"]["temperature"]) for x, row in zip(seen, rounds, strict=True) if row["plan"]
    ]
    if chosen:  # an agent that samples nothing has no temperature
        axes.step(*zip(*chosen, strict=True), where="pre", color=ORANGE, label="temperature")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def selection(rounds: Sequence[Row]) -> str:
    """The shares of solved problems, and of responses right and cut off, by round."""
    rows = [row for row in rounds if row["selection"]]
    figure, axes = _axes("share")
    seen = problems_seen(rounds)[len(rounds) - len(rows) :]
    axes.plot(seen, [r["selection"]["solved"] for r in rows], color=BLUE, label="problems solved")
    axes.plot(seen, [r["selection"]["passed"] for r in rows], color=ORANGE, label="responses right")
    cut = _numbers([r.get("cut") for r in rows])
    axes.plot(seen, cut, color=GRAY, label="responses cut off")
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def trust(rounds: Sequence[Row]) -> str:
    """Over-confidence of the majority vote, calibration error, and drift, by round."""
    seen = problems_seen(rounds)
    figure, axes = _axes("share; nats a token")
    spread = [present(row) for row in rounds]
    lines = {
        "over-confidence of the majority": ([_over(s["majority"]) for s in spread], BLUE),
        "calibration error (ECE)": ([s["confidence"]["ece"] for s in spread], GRAY),
        "drift from the base": ([row["dynamics"]["drift"] for row in rounds], ORANGE),
    }
    for name, (values, color) in lines.items():
        axes.plot(seen, _numbers(values), color=color, marker="o", markersize=3, label=name)
    axes.axhline(0, color="black", linewidth=0.8)
    _mark_alarms(axes, rounds, seen)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def agreement(rounds: Sequence[Row]) -> str:
    """Each reward model's rank correlation with the verifier on validation samples, by round."""
    figure, axes = _axes("rank correlation with correctness")
    names = [name for name in rounds[-1]["dynamics"]["health"] if name != "correctness"]
    for place, name in enumerate(names):
        values = [row["dynamics"]["health"].get(name, {}).get("agreement") for row in rounds]
        color = (BLUE, ORANGE, GREEN, PURPLE, GRAY)[place % 5]
        axes.plot(problems_seen(rounds), _numbers(values), color=color, marker="o", label=name)
    axes.set_ylim(-1, 1)
    axes.axhline(0, color="black", linewidth=0.8)
    if names:
        axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def gains(bars: Mapping[str, tuple[float, float, float]]) -> str:
    """Paired gains with their 95 % intervals, in percentage points.

    Args:
        bars: (mean, low, high) by name, as shares.
    """
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    axes = figure.subplots()
    for place, (mean, low, high) in enumerate(list(bars.values())[::-1]):
        color = GREEN if low > 0 else ORANGE if high < 0 else GRAY
        axes.plot([100 * low, 100 * high], [place, place], color=color, linewidth=3)
        axes.plot([100 * mean], [place], color=color, marker="o")
    axes.set_ylim(-0.6, len(bars) - 0.4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(bars)), list(bars)[::-1])
    axes.set_xlabel("evolved minus base, percentage points")
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def beside(runs: Mapping[str, Sequence[Row]], metric: str) -> str:
    """A metric of several runs on their validation problems, in [0, 1], against problems seen.

    Args:
        runs: the rounds of each run, by its name.
        metric: ``greedy``, or one of what sampling shows.
    """
    figure, axes = _axes(f"{metric.replace('_', '@')}, share of validation problems")
    for (name, rounds), color in zip(runs.items(), (BLUE, ORANGE), strict=False):
        values = [
            row["dynamics"]["greedy"] if metric == "greedy" else present(row)[metric]
            for row in rounds
        ]
        # Matplotlib reads $ as the start of a formula, and leaves out names that begin with _.
        label = " " + name.replace("$", r"\$")
        axes.plot(
            problems_seen(rounds),
            _numbers(values),
            color=color,
            marker="o",
            markersize=3,
            label=label,
        )
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def problems_seen(rounds: Sequence[Row]) -> list[int]:
    """Training problems answered by the end of each round."""
    seen, total = [], 0
    for row in rounds:
        total += row["problems"]
        seen.append(total)
    return seen


def present(row: Row) -> Row:
    """The metrics at the temperature that the round was sampled with."""
    spread: dict[str, Row] = row["dynamics"]["spread"]
    wanted = row["plan"]["temperature"] if row["plan"] else None
    return spread.get(str(wanted), next(iter(spread.values())))


def _over(majority: Row) -> float | None:
    return None if majority["said"] is None else majority["said"] - majority["right"]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _mark_alarms(axes: Any, rounds: Sequence[Row], seen: Sequence[int]) -> None:
    for row, place in zip(rounds, seen, strict=True):
        for alarm in row.get("alarms", ()):
            axes.axvline(place, color=ORANGE, linewidth=0.8, linestyle=":")
            axes.annotate(
                alarm["name"],
                (place, 0.02),
                rotation=90,
                fontsize=6,
                color=ORANGE,
                xycoords=("data", "axes fraction"),
            )


def _axes(label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel("training problems seen")
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def svg(figure: Figure) -> str:
    """The figure as a compact SVG element; the same figure always gives the same text.

    Text is kept as text instead of outlines. Coordinates are rounded to a tenth of a point.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "mstar", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    element = buffer.getvalue()[buffer.getvalue().index("<svg") :]

    def rounded(number: re.Match[str]) -> str:
        return f"{float(number[0]):.1f}".removesuffix(".0")

    element = GEOMETRY.sub(lambda found: LONG_DECIMAL.sub(rounded, found[0]), element)
    return BLANK.sub("", METADATA.sub("", element))
