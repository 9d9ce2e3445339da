"""Departures of one or more buses: the next one, how long to wait, the longest gap?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import DIGITS
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, conclude, perceive
from mstar.envs.problem import Step
from mstar.rewards.base import Answer

HEADER, ROW = 0.16, 0.135  # heights, as fractions of the side


class Timetable(Family):
    """A column of four to six times for each bus, headed by its colour."""

    name: ClassVar[str] = "Timetable"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "measures"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "next": (
            "You reach the stop at {at}. When does the next {line} bus leave?",
            "It is {at}. At what time is the next {line} bus?",
            "When is the first {line} bus after {at}?",
        ),
        "wait": (
            "You reach the stop at {at}. How many minutes until the next {line} bus?",
            "It is {at}. How many minutes do you wait for the {line} bus?",
            "How many minutes after {at} does the next {line} bus leave?",
        ),
        "full": (
            "It is {at} and the next {line} bus is full. How many minutes until the one after it?",
            "It is {at} and you will miss the next {line} bus. How many minutes until the one "
            "after it?",
            "How many minutes after {at} does the second {line} bus leave?",
        ),
        "gap": (
            "What is the longest gap between one {line} bus and the next, in minutes?",
            "What is the longest time between two {line} buses in a row, in minutes?",
            "At most how many minutes pass between one {line} bus and the next?",
        ),
    }

    rows = Difficulty("perception", 4, 5, 6)
    grain = Difficulty("perception", 5, 1, 1)  # minutes
    lines = Difficulty("distractor", 1, 2, 3)
    templates = Difficulty(
        "reasoning", ("next", "wait", "gap"), ("next", "wait", "gap"), ("wait", "full", "gap")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, times in minutes since midnight, and what is asked about the first bus."""
        colors = choose_several(COLORS, self.lines, rng)
        template = choose(self.templates, rng)
        ask: dict[str, Any] = {"template": template, "line": colors[0]}
        if template != "gap":
            ask["at"] = self.grain * int(rng.integers(560 // self.grain, 1000 // self.grain))
        latent = {"colors": colors, "ask": ask, "place": int(rng.integers(self.lines))}
        return self.vary(latent, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other times, with the bus that is asked for in the same column."""
        ask = latent["ask"]
        if ask["template"] == "gap":
            asked = self._gapped(rng)
            middle = asked[1]
        else:
            asked, middle = self._passing(ask, rng), ask["at"]
        times = [asked]
        for _ in range(1, self.lines):
            gaps = self._minutes(5, 45, self.rows, rng)
            start = middle - sum(gaps[: self.rows // 2]) + self.grain * int(rng.integers(1, 5))
            times.append([start + sum(gaps[:i]) for i in range(self.rows)])
        return {**latent, "times": times}

    def _minutes(self, low: int, high: int, count: int, rng: np.random.Generator) -> list[int]:
        first, last = -(-low // self.grain), high // self.grain
        return [self.grain * int(v) for v in rng.integers(first, last + 1, size=count)]

    def _passing(self, ask: Mapping[str, Any], rng: np.random.Generator) -> list[int]:
        """Times before and after the one asked about, with enough of them after it."""
        needed = 2 if ask["template"] == "full" else 1
        before = int(rng.integers(1, self.rows - needed + 1))
        times = [ask["at"]]
        for gap in self._minutes(5, 40, before, rng):
            times.insert(0, times[0] - gap)
        for gap in self._minutes(4, 40, self.rows - before, rng):
            times.append(times[-1] + gap)
        times.remove(ask["at"])
        return times

    def _gapped(self, rng: np.random.Generator) -> list[int]:
        """Times with one gap at least ten minutes longer than the others."""
        (longest,) = self._minutes(25, 70, 1, rng)
        gaps = self._minutes(5, longest - 10, self.rows - 1, rng)
        gaps[rng.integers(self.rows - 1)] = longest
        (start,) = self._minutes(360, 960, 1, rng)
        return [start + sum(gaps[:i]) for i in range(self.rows)]

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The colour of the bus, and the time as on a clock."""
        ask = latent["ask"]
        return {"line": ask["line"], "at": _clock(ask["at"]) if "at" in ask else None}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the times that are asked about; take differences in minutes since midnight."""
        ask, times = latent["ask"], latent["times"][0]
        if ask["template"] == "gap":
            return self._gap(latent)
        at = ask["at"]
        after = next(i for i, time in enumerate(times) if time > at)
        every = [time for line in latent["times"] for time in line]
        if ask["template"] == "next":
            end = _clock(times[after])
            steps = (
                self._read("gone is", latent, after - 1),
                self._read("after it comes", latent, after),
                conclude(f"next is {end}", end, (ask["line"],)),
            )
            wrong = dict.fromkeys(_clock(time) for time in every if time != times[after])
            return Solution(Answer("time", end), steps, tuple(wrong)[:5])
        taken = after + (ask["template"] == "full")
        read = self._read("that bus leaves at", latent, taken)
        careless = [at - times[after - 1], *(time - at for time in every if time > at)]
        worked = _minutes_between(at, times[taken], read.refs)
        return Solution.number((read, *worked), careless, unit="minutes")

    def _gap(self, latent: Latent) -> Solution:
        times = latent["times"][0]
        gaps = [b - a for a, b in pairwise(times)]
        at = gaps.index(max(gaps))
        steps = (
            self._read("the longest gap starts at", latent, at),
            self._read("it ends at", latent, at + 1),
            *_minutes_between(times[at], times[at + 1], (latent["ask"]["line"],)),
        )
        careless = (*sorted(gaps)[-2:], times[-1] - times[0])
        return Solution.number(steps, careless, unit="minutes")

    def _read(self, words: str, latent: Latent, row: int) -> Step:
        time = _clock(latent["times"][0][row])
        x, y = self._center(latent["place"], row)
        box = (x - 0.13, y - ROW / 2, x + 0.13, y + ROW / 2)
        return perceive(f"{words} {time}", time, (latent["ask"]["line"],), box)

    def _center(self, column: int, row: int) -> tuple[float, float]:
        return (column + 0.5) / self.lines, HEADER + ROW * (row + 0.5)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw a column of times below each bus."""
        drawing = Drawing(style.background)
        order = [*range(1, self.lines)]
        order.insert(latent["place"], 0)
        for column, line in enumerate(order):
            x, _ = self._center(column, 0)
            drawing.rectangle(
                (x - 0.12, 0.03), (x + 0.12, 0.12), fill=style.color(latent["colors"][line])
            )
            for row, time in enumerate(latent["times"][line]):
                drawing.text(self._center(column, row), _clock(time), height=DIGITS)
        for row in range(self.rows + 1 if style.grid else 1):
            drawing.line([(0.03, HEADER + ROW * row), (0.97, HEADER + ROW * row)], INK, 0.005)
        return drawing


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def _minutes_between(early: int, late: int, refs: tuple[str, ...]) -> tuple[Step, ...]:
    """Both times as minutes since midnight, the later first, and their difference."""
    lines = [(f"{time // 60} * 60 + {time % 60}", time) for time in (late, early)]
    lines.append((f"{late} - {early}", late - early))
    return tuple(compute(expression, value, refs) for expression, value in lines)
