"""Independent solvers for the chart, time and measure families, and what their images keep to."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest

from mstar.envs.families.balance import Balance
from mstar.envs.families.base import LEVELS, Family, Latent, Style
from mstar.envs.families.calendar_page import Calendar
from mstar.envs.families.histogram import Histogram
from mstar.envs.families.line_chart import LineChart
from mstar.envs.families.parts.drawing import Drawing, text_width
from mstar.envs.families.pie_chart import PieChart
from mstar.envs.families.ruler import Ruler
from mstar.envs.families.scatter import Scatter
from mstar.envs.families.timetable import Timetable
from mstar.envs.problem import Problem

FAMILIES = (LineChart, PieChart, Scatter, Histogram, Calendar, Timetable, Ruler, Balance)
PROBLEMS = 80  # of each family and level


def line_chart(latent: Latent) -> str:
    ask = latent["ask"]
    lines = np.array(latent["heights"]) * latent["unit"]
    if ask["template"] == "value":
        return str(lines[0][ord(ask["at"]) - ord("B")])
    if ask["template"] == "rise":
        return str(np.diff(lines[0]).max())
    if ask["template"] == "above":
        return str((lines[0] > ask["limit"]).sum())
    along = np.linspace(0, lines.shape[1] - 1, 4001)  # walk along both lines in small steps
    first, second = (np.interp(along, np.arange(lines.shape[1]), line) for line in lines)
    side = np.sign(first - second)
    return str((np.diff(side[side != 0]) != 0).sum())


def pie_chart(latent: Latent) -> str:
    ask = latent["ask"]
    rest = 100 - sum(
        share
        for color, share in zip(latent["colors"], latent["shares"], strict=True)
        if color not in (ask["a"], ask.get("b"))
    )
    counted = ask["template"] in ("share", "both")
    return str(Fraction(rest, 100) * latent["whole"] if counted else rest)


def scatter(latent: Latent) -> str:
    ask, names = latent["ask"], latent["names"]
    dots = np.array(latent["dots"])
    if ask["template"] == "nearest":
        apart = np.hypot(*(dots - dots[names.index(ask["dot"])]).T)
        return str(names[int(np.argsort(apart)[1])])
    if ask["template"] == "outlier":
        for left_out, name in enumerate(names):
            kept = np.delete(dots, left_out, axis=0)
            if np.linalg.matrix_rank(kept - kept[0]) == 1:
                return str(name)
    low, high = [0, 0], [10, 10]
    for side, at in ask["where"]:
        axis = 0 if "of" in side else 1
        (low if side in ("right of", "above") else high)[axis] = at
    asked = [ask["color"] in (None, color) for color in latent["colors"]]
    return str((np.all((dots > low) & (dots < high), axis=1) & asked).sum())


def histogram(latent: Latent) -> str:
    ask, edges = latent["ask"], np.array(latent["edges"])
    middles = (edges[1:] + edges[:-1]) / 2
    values = np.repeat(middles, np.array(latent["counts"]) * latent["unit"])
    if ask["template"] in ("mode", "middle"):
        found, often = np.unique(values, return_counts=True)
        middle = found[often.argmax()]
        return f"{middle if ask['template'] == 'middle' else middle - (edges[1] - edges[0]) / 2:g}"
    return str(((values > ask["low"]) & (values < ask.get("high", 1000))).sum())


def calendar_page(latent: Latent) -> str:
    ask, month = latent["ask"], list(calendar.month_name).index(latent["month"])
    year = next(
        y
        for y in range(1950, 2050)
        if calendar.monthrange(y, month) == (latent["start"], latent["days"])
    )
    days = [date(year, month, day) for day in range(1, latent["days"] + 1)]
    framed = {c: days[day - 1] for c, day in zip(latent["colors"], latent["marks"], strict=True)}
    if ask["template"] == "weekday":
        return f"{days[ask['date'] - 1]:%A}"
    if ask["template"] == "nth":
        return str([d for d in days if f"{d:%A}" == ask["weekday"]][ask["nth"] - 1].day)
    if ask["template"] == "between":
        return str((framed[ask["b"]] - framed[ask["a"]]).days)
    if ask["template"] == "ahead":
        return f"{days[-1] + timedelta(ask['count']):%A}"
    following = days[-1] + timedelta(ask["date"])
    return str((following - framed[ask["a"]]).days)


def timetable(latent: Latent) -> str:
    ask, midnight = latent["ask"], datetime(2026, 1, 1)
    if ask["template"] == "gap":  # minute by minute, a stroke where a bus leaves
        strokes = "".join(" |"[minute in latent["times"][0]] for minute in range(24 * 60))
        return str(max(len(gap) + 1 for gap in strokes.strip().split("|")))
    times = [midnight + timedelta(minutes=m) for m in latent["times"][0]]
    now = midnight + timedelta(minutes=ask["at"])
    coming = sorted(t for t in times if t > now)
    if ask["template"] == "next":
        return f"{coming[0].hour}:{coming[0]:%M}"
    return str((coming[ask["template"] == "full"] - now).seconds // 60)


def ruler(latent: Latent) -> str:
    ask, step = latent["ask"], {"cm": 1, "mm": 5}[latent["unit"]]
    covered = {
        color: len(range(*ends))
        for color, ends in zip(latent["colors"], latent["ends"], strict=True)
    }
    first, second = covered[ask["a"]], covered.get(ask.get("b"), 0)
    return str(step * (first - second if ask["template"] == "difference" else first + second))


def balance(latent: Latent) -> str:
    colors = latent["colors"]
    rows, known = [], []
    for left, right in latent["scales"]:
        row, weight = [0] * len(colors), 0
        for sign, load in ((1, left), (-1, right)):
            for name, amount in load:
                if name == "weight":
                    weight -= sign * amount
                else:
                    row[colors.index(name)] += sign * amount
        rows.append(row)
        known.append(weight)
    found, _, rank, _ = np.linalg.lstsq(np.array(rows), np.array(known), rcond=None)
    assert rank == len(colors), "the scales leave a weight open"
    return f"{found[colors.index(latent['ask']['a'])]:.0f}"


SOLVERS = {
    LineChart: line_chart,
    PieChart: pie_chart,
    Scatter: scatter,
    Histogram: histogram,
    Calendar: calendar_page,
    Timetable: timetable,
    Ruler: ruler,
    Balance: balance,
}


@cache
def problems(kind: type[Family], level: int) -> list[Problem]:
    family = kind(level)
    return [family.problem("train", 11, index) for index in range(PROBLEMS)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_second_solver_gives_the_same_answers(kind: type[Family], level: int) -> None:
    for problem in problems(kind, level):
        for either in (problem, problem.counterfactual):
            assert either is not None
            assert either.answer is not None
            assert SOLVERS[kind](dict(either.latent)) == either.answer.value, either.latent


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("size", [96, 336])
def test_every_text_lies_within_the_image_and_on_no_other_text(
    kind: type[Family], level: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[float, float, float, float]] = []

    def note(
        self: Drawing, at: tuple[float, float], text: str, height: float = 0.09,
        color: object = None, anchor: str = "mm",
    ) -> None:  # fmt: skip
        assert height >= 0.09
        pixels = round(height * size) / size
        left = at[0] - text_width(text, pixels) * {"m": 0.5, "r": 1.0}[anchor[0]]
        # Capitals and digits are about 0.72 of the height that a font is asked for.
        half = 0.36 * pixels
        written.append((left, at[1] - half, left + text_width(text, pixels), at[1] + half))

    drawn = problems(kind, level)[:40]  # cached: drawn before texts are caught, not without them
    monkeypatch.setattr(Drawing, "text", note)
    for problem in drawn:
        written.clear()
        kind(level).build(dict(problem.latent), Style())
        for left, top, right, bottom in written:
            assert min(left, top, 1 - right, 1 - bottom) >= 0, problem.latent
        for (a, b, c, d), (e, f, g, h) in combinations(written, 2):
            apart = max(e - c, a - g, f - d, b - h)
            assert apart > 0.5 / size, (problem.latent, apart)


@pytest.mark.parametrize("level", LEVELS)
def test_dots_do_not_touch_and_the_nearest_is_clearly_nearest(level: int) -> None:
    for problem in problems(Scatter, level):
        latent = problem.latent
        dots = {
            name: np.array(dot) for name, dot in zip(latent["names"], latent["dots"], strict=True)
        }
        assert min(np.hypot(*(a - b)) for a, b in combinations(dots.values(), 2)) > 1.4
        if problem.template == "nearest":
            middle = dots.pop(latent["ask"]["dot"])
            first, second, *_ = sorted(np.hypot(*(dot - middle)) for dot in dots.values())
            assert second - first > 1.2
        if problem.template == "region":  # no dot lies on the border
            for side, at in latent["ask"]["where"]:
                assert all(dot[0 if "of" in side else 1] != at for dot in dots.values())


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_asked_for_stands_out_by_a_margin(level: int) -> None:
    for problem in problems(LineChart, level):
        first, *others = problem.latent["heights"]
        if problem.template == "rise":
            *_, second, most = sorted(b - a for a, b in pairwise(first))
            assert most - second >= 2
        if problem.template == "crossings":
            assert all(abs(a - b) >= 2 for a, b in zip(first, others[0], strict=True))
    for problem in problems(Histogram, level):
        *_, second, most = sorted(problem.latent["counts"])
        assert most - second >= 2
    for problem in problems(PieChart, level):
        assert min(problem.latent["shares"]) >= 12
        assert len(set(problem.latent["shares"])) == len(problem.latent["shares"])
    for problem in problems(Timetable, level):
        if problem.template == "gap":
            *_, second, most = sorted(b - a for a, b in pairwise(problem.latent["times"][0]))
            assert most - second >= 10


@pytest.mark.parametrize("level", LEVELS)
def test_no_bar_starts_at_the_end_of_the_ruler(level: int) -> None:
    for problem in problems(Ruler, level):
        assert all(start >= 1 for start, _ in problem.latent["ends"])
