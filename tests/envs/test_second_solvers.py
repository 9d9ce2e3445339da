"""Independent solvers for eight families, which solve a latent state in another way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from mstar.envs.families.bar_chart import BarChart
from mstar.envs.families.base import LEVELS, Family, Latent
from mstar.envs.families.clock import Clock
from mstar.envs.families.counting import Counting
from mstar.envs.families.dice import Dice
from mstar.envs.families.function_graph import FunctionGraph
from mstar.envs.families.pictograph import Pictograph
from mstar.envs.families.shapes import Shapes
from mstar.envs.families.table import Table

PROBLEMS = 80  # of each family and level


def bar_chart(latent: Latent) -> str:
    units = Counter(dict(zip(latent["colors"], latent["values"], strict=True)))
    ask = latent["ask"]
    signed = {ask["a"]: 1, ask["b"]: 1 if ask["template"] == "sum" else -1}
    return str(sum(signed.get(color, 0) for color in units.elements()))


def counting(latent: Latent) -> str:
    ask = latent["ask"]
    kinds: Counter[frozenset[str]] = Counter(frozenset(cell.split()) for cell in latent["cells"])

    def number(target: str) -> int:
        return sum(n for kind, n in kinds.items() if kind >= frozenset(target.split()))

    a, b = number(ask["a"]), number(ask["b"]) if "b" in ask else 0
    return str(a - b if ask["template"] == "difference" else a + b)


def clock(latent: Latent) -> str:
    ask = latent["ask"]
    shown = datetime(2026, 1, 1, latent["hour"] % 12, latent["minute"])
    away = timedelta(minutes=ask.get("minutes", 0))
    then = shown - away if ask["template"] == "earlier" else shown + away
    return f"{int(f'{then:%I}')}:{then:%M}"


def shapes(latent: Latent) -> str:
    ask = latent["ask"]
    (figure,) = [f for f in latent["figures"] if f["color"] == ask["color"]]
    numbers = figure["numbers"]
    if ask["template"] == "angle":  # the third angle between the two lines of sight
        left, right = (math.radians(v) for v in numbers[:2])
        return str(round(math.degrees(math.acos(-math.cos(left + right)))))
    corners = np.array(drawn_to_scale(figure["kind"], numbers))
    following = np.roll(corners, -1, axis=0)
    if ask["template"] == "perimeter":
        return f"{np.hypot(*(following - corners).T).sum():.0f}"
    shoelace = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
    return f"{abs(shoelace.sum()) / 2:.0f}"


def drawn_to_scale(kind: str, numbers: list[int]) -> list[tuple[float, float]]:
    if kind == "right triangle":
        return [(0, 0), (numbers[1], 0), (0, numbers[0])]
    if kind == "triangle":
        left, right, bottom = numbers
        x = (left**2 - right**2 + bottom**2) / (2 * bottom)
        return [(0, 0), (bottom, 0), (x, math.sqrt(left**2 - x**2))]
    width, height = numbers[0], numbers[-1]
    return [(0, 0), (width, 0), (width, height), (0, height)]


def table(latent: Latent) -> str:
    ask, cells = latent["ask"], np.array(latent["cells"])
    if ask["template"] == "row total":
        return str(cells.sum(axis=1)[latent["people"].index(ask["a"])])
    if ask["template"] == "column total":
        return str(cells.sum(axis=0)[latent["days"].index(ask["a"])])
    weights = [(name == ask["a"]) - (name == ask["b"]) for name in latent["people"]]
    return str((np.array(weights) @ cells)[latent["days"].index(ask["day"])])


def function_graph(latent: Latent) -> str:
    ask = latent["ask"]
    heights = np.array(latent["heights"]) * latent["unit"]
    places = np.arange(len(heights))
    if latent["kind"] == "parabola":
        graph = np.poly1d(np.polyfit(places[-3:], heights[-3:], 2))
        assert np.allclose(graph(places), heights)
    else:

        def graph(x: float) -> float:
            return float(np.interp(x, places, heights))

    if ask["template"] == "slope":  # measured at a quarter of the way, where the line is straight
        span = ask["b"] - ask["a"]
        start = ask["a"] + span / 4
        return f"{(graph(start + span / 2) - graph(start)) / (span / 2):.0f}"
    return f"{graph(ask['a']) - (graph(ask['b']) if 'b' in ask else 0):.0f}"


def pictograph(latent: Latent) -> str:
    ask = latent["ask"]
    rows = {
        c: [latent["worth"]] * n for c, n in zip(latent["colors"], latent["counts"], strict=True)
    }
    if ask["template"] == "sum":
        return str(sum(rows[ask["a"]] + rows[ask["b"]]))
    return str(sum(rows[ask["a"]]) - sum(rows[ask["b"]] if "b" in ask else []))


def dice(latent: Latent) -> str:
    ask = latent["ask"]
    faces = dict(zip(latent["colors"], latent["pips"], strict=True))
    if ask["template"] == "total":
        return str(np.sum(latent["pips"]))
    a, b = faces[ask["a"]], faces[ask["b"]]
    if ask["template"] == "hidden":
        return str(14 - a - b)
    return str(len(range(b, a)) if ask["template"] == "difference" else np.ones((a, b)).size)


SOLVERS: dict[type[Family], Callable[[Latent], str]] = {
    BarChart: bar_chart,
    Clock: clock,
    Counting: counting,
    Dice: dice,
    FunctionGraph: function_graph,
    Pictograph: pictograph,
    Shapes: shapes,
    Table: table,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", SOLVERS)
def test_a_second_solver_gives_the_same_answers(kind: type[Family], level: int) -> None:
    family, solve = kind(level), SOLVERS[kind]
    for index in range(PROBLEMS):
        problem = family.problem("train", 17, index)
        for either in (problem, problem.counterfactual or problem):
            assert either.answer is not None
            assert solve(dict(either.latent)) == either.answer.value, either.latent


@pytest.mark.parametrize("level", LEVELS)
def test_figures_close_and_angles_leave_room_for_a_third(level: int) -> None:
    family = Shapes(level)
    for index in range(PROBLEMS):
        for figure in family.problem("train", 5, index).latent["figures"]:
            numbers = figure["numbers"]
            if figure["kind"] == "triangle":
                assert 2 * max(numbers) < sum(numbers)
            if figure["kind"] == "angles":
                assert 30 <= 180 - sum(numbers[:2]) <= 120


@pytest.mark.parametrize("level", LEVELS)
def test_compared_counts_never_tie(level: int) -> None:
    for kind in (BarChart, Counting, Dice, FunctionGraph, Pictograph, Table):
        for index in range(30):
            problem = kind(level).problem("train", 6, index)
            if problem.template in ("difference", "slope"):
                assert problem.answer is not None
                assert int(problem.answer.value) > 0
