"""Lines over named points: how high here, the largest rise, how many above, how many crossings?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import (
    DIGITS,
    FLOOR,
    LEFT,
    RIGHT,
    RULE,
    TOP,
    Scale,
    frame,
    upward,
)
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, add_ones, compute, conclude, perceive
from mstar.envs.problem import Step

NAMES = "BCDEFGH"  # of the points, from left to right; no A, which reads as an article
TOP_UNIT = 10  # heights are whole numbers of units, up to this
PLOT = (LEFT, TOP, RIGHT, FLOOR)


class LineChart(Family):
    """One or two lines over five to seven points; a horizontal line at every second unit."""

    name: ClassVar[str] = "LineChart"
    version: ClassVar[int] = 2
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "How high is the {line} line at {at}?",
            "What is the value of the {line} line at {at}?",
            "What value does the {line} line have at {at}?",
        ),
        "rise": (
            "What is the largest increase of the {line} line from one point to the next?",
            "What is the largest rise of the {line} line between neighboring points?",
            "What is the most that the {line} line rises from one point to the next?",
        ),
        "above": (
            "How many points of the {line} line lie above {limit}?",
            "At how many points is the {line} line higher than {limit}?",
            "Count the points where the {line} line is above {limit}.",
        ),
        "crossings": (
            "How many times do the {line} and the {other} line cross?",
            "How often does the {line} line cross the {other} line?",
            "Count the crossings of the {line} and the {other} line.",
        ),
    }

    points = Difficulty("perception", 5, 6, 7)
    units = Difficulty("perception", (1,), (1, 2), (2, 3, 5))
    lines = Difficulty("distractor", 1, 2, 2)
    templates = Difficulty(
        "reasoning",
        ("value", "rise", "above"),
        ("value", "rise", "above", "crossings"),
        ("rise", "above", "crossings"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, heights in units, the unit and what is asked about the first line."""
        colors = choose_several(COLORS, self.lines, rng)
        unit = choose(self.units, rng)
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        if ask["template"] == "value":
            ask["at"] = NAMES[rng.integers(self.points)]
        elif ask["template"] == "above":
            ask["limit"] = int(rng.integers(3, 7)) * unit
        heights = self._heights(ask, unit, rng)
        return {"colors": colors, "unit": unit, "heights": heights, "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other heights under the same colours, unit and question."""
        return {**latent, "heights": self._heights(latent["ask"], latent["unit"], rng)}

    def _heights(
        self, ask: Mapping[str, Any], unit: int, rng: np.random.Generator
    ) -> list[list[int]]:
        if ask["template"] == "rise":
            first = self._rising(rng)
        elif ask["template"] == "above":
            limit = ask["limit"] // unit
            above = rng.permutation(self.points) < rng.integers(2, 6)
            first = [
                int(rng.integers(limit + 1, TOP_UNIT + 1) if up else rng.integers(1, limit))
                for up in above
            ]
        elif ask["template"] == "crossings":
            return self._crossing(rng)
        else:
            first = [int(v) for v in rng.integers(1, TOP_UNIT + 1, size=self.points)]
        if self.lines == 1:
            return [first]
        offsets = rng.integers(
            1, TOP_UNIT, size=self.points
        )  # never 0: the dots of two lines never coincide
        return [
            first,
            [(v - 1 + int(o)) % TOP_UNIT + 1 for v, o in zip(first, offsets, strict=True)],
        ]

    def _rising(self, rng: np.random.Generator) -> list[int]:
        """Heights whose largest rise, 4 to 8 units, exceeds the next by at least two units."""
        rise = int(rng.integers(4, 9))
        at = int(rng.integers(self.points - 1))
        start = int(rng.integers(1, TOP_UNIT - rise + 1))
        while True:
            heights = [int(v) for v in rng.integers(1, TOP_UNIT + 1, size=self.points)]
            heights[at : at + 2] = [start, start + rise]
            rises = sorted(b - a for a, b in pairwise(heights))
            if rises[-1] == rise and rises[-2] <= rise - 2:
                return heights

    def _crossing(self, rng: np.random.Generator) -> list[list[int]]:
        """Two lines that cross at most five times, at least two units apart at each dot."""
        gaps = rng.permutation(self.points - 1) < rng.integers(2, 6)
        over = bool(rng.integers(2))
        first, second = [], []
        for changes in (False, *gaps):
            over = over != bool(changes)
            low = int(rng.integers(1, TOP_UNIT - 1))
            high = int(rng.integers(low + 2, TOP_UNIT + 1))
            first.append(high if over else low)
            second.append(low if over else high)
        return [first, second]

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of "ask" with the colours of the lines."""
        colors = dict(zip(("line", "other"), latent["colors"], strict=False))
        return {**latent["ask"], **colors}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the points that the question is about, then count or calculate."""
        solve = {
            "value": self._value,
            "rise": self._rise,
            "above": self._above,
            "crossings": self._crossings,
        }[latent["ask"]["template"]]
        return solve(latent, _values(latent))

    def _value(self, latent: Latent, values: list[list[int]]) -> Solution:
        at, color, unit = latent["ask"]["at"], latent["colors"][0], latent["unit"]
        value = values[0][NAMES.index(at)]
        steps = (
            self._read(latent, at, value),
            conclude(f"the value is {value}", value, (color, at)),
        )
        others = [line[NAMES.index(at)] for line in values[1:]]
        return Solution.number(steps, (*others, *values[0], value + unit, value - unit))

    def _rise(self, latent: Latent, values: list[list[int]]) -> Solution:
        line, color, scale = values[0], latent["colors"][0], _scale(latent)
        rises = [b - a for a, b in pairwise(line)]
        at = rises.index(max(rises))
        low, high = line[at], line[at + 1]
        first, last = NAMES[at], NAMES[at + 1]
        box = (self._x(at), scale.at(high), self._x(at + 1), scale.at(low))
        span = f"{first} to {last}"
        steps = (
            perceive(f"{color} rises most from {span}", span, (color, first, last), box),
            self._read(latent, first, low),
            self._read(latent, last, high),
            compute(f"{high} - {low}", high - low, (first, last)),
        )
        return Solution.number(steps, (*sorted(rises)[-2:], high, max(line) - min(line), *line))

    def _above(self, latent: Latent, values: list[list[int]]) -> Solution:
        limit, color = latent["ask"]["limit"], latent["colors"][0]
        names = [name for name, v in zip(NAMES, values[0], strict=False) if v > limit]
        named, count = ", ".join(names), len(names)
        box = (LEFT, TOP, RIGHT, _scale(latent).at(limit))
        steps = (
            perceive(f"above it are {named}", named, (color, *names), box),
            add_ones(count, tuple(names)),
        )
        others = [sum(v > limit for v in line) for line in values[1:]]
        return Solution.number(steps, (self.points - count, *others, count + 1, count - 1))

    def _crossings(self, latent: Latent, values: list[list[int]]) -> Solution:
        over = [a > b for a, b in zip(*values, strict=True)]
        spans = [
            f"{NAMES[i]} to {NAMES[i + 1]}" for i in range(len(over) - 1) if over[i] != over[i + 1]
        ]
        named, count, refs = ", ".join(spans), len(spans), tuple(latent["colors"])
        steps = (perceive(f"they cross {named}", named, refs, PLOT), add_ones(count, refs))
        return Solution.number(steps, (count + 1, count - 1, sum(over), self.points - 1))

    def _read(self, latent: Latent, at: str, value: int) -> Step:
        """The step that reads the first line at a point."""
        color, x, y = latent["colors"][0], self._x(NAMES.index(at)), _scale(latent).at(value)
        box = (x - 0.05, y - 0.05, x + 0.05, y + 0.05)
        return perceive(f"{color} at {at} is {value}", value, (color, at), box)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the scale, the names of the points, and the lines."""
        drawing, scale = Drawing(style.background), _scale(latent)
        upward(drawing, scale, range(0, int(scale.high) + 1, int(scale.high) // 5))
        for index in range(self.points):
            if style.grid:
                x = self._x(index)
                drawing.line([(x, TOP), (x, FLOOR)], color=RULE, width=0.004)
            drawing.text((self._x(index), FLOOR + 0.07), NAMES[index], height=DIGITS)
        for name, line in zip(latent["colors"], _values(latent), strict=True):
            dots = [(self._x(i), scale.at(value)) for i, value in enumerate(line)]
            color = style.color(name)
            drawing.line(dots, color=color, width=0.02)
            for dot in dots:
                drawing.ellipse(dot, 0.025, fill=color)
        frame(drawing)
        return drawing

    def _x(self, index: int) -> float:
        return LEFT + 0.06 + (RIGHT - LEFT - 0.12) * index / (self.points - 1)


def _values(latent: Latent) -> list[list[int]]:
    """The values of each line, from left to right."""
    return [[height * latent["unit"] for height in line] for line in latent["heights"]]


def _scale(latent: Latent) -> Scale:
    return Scale(0, TOP_UNIT * latent["unit"], FLOOR, TOP)
