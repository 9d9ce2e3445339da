"""Lines over named points: how high here, the largest rise, how many above, how many crossings?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
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
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

NAMES = "BCDEFGH"  # of the points, from left to right; no A, which reads as an article
TOP_UNIT = 10  # heights are whole units from 1 to this
PLOT = (LEFT, TOP, RIGHT, FLOOR)

Solved = tuple[tuple[Step, ...], int, tuple[int, ...]]  # steps, result, wrong answers


class LineChart(Family):
    """One or two lines with a dot at each of five to seven points; a rule at every second unit."""

    name: ClassVar[str] = "LineChart"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "How high is the {line} line at {at}?",
            "What is the value of the {line} line at {at}?",
            "Which value does {line} have at {at}?",
        ),
        "rise": (
            "How large is the largest rise of the {line} line from one point to the next?",
            "By how much does the {line} line go up where it rises most between neighbours?",
            "From one point to the next, what is the most that the {line} line gains?",
        ),
        "above": (
            "How many points of the {line} line lie above {limit}?",
            "At how many points is the {line} line higher than {limit}?",
            "Count the points where {line} is more than {limit}.",
        ),
        "crossings": (
            "How many times do the {line} and the {other} line cross?",
            "How often does the {line} line cross the {other} line?",
            "Count the crossings of the {line} and the {other} line.",
        ),
    }

    points = Knob("perception", 5, 6, 7)
    units = Knob("perception", (1,), (1, 2), (2, 3, 5))
    lines = Knob("distractor", 1, 2, 2)
    templates = Knob(
        "reasoning",
        ("value", "rise", "above"),
        ("value", "rise", "above", "crossings"),
        ("rise", "above", "crossings"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, heights in units, the unit and what is asked about the first line."""
        colors = [str(c) for c in rng.choice(list(COLORS), size=self.lines, replace=False)]
        unit = self.units[rng.integers(len(self.units))]
        ask: dict[str, Any] = {"template": self.templates[rng.integers(len(self.templates))]}
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
        offsets = rng.integers(1, TOP_UNIT, size=self.points)  # never onto the first line's dot
        return [
            first,
            [(v - 1 + int(o)) % TOP_UNIT + 1 for v, o in zip(first, offsets, strict=True)],
        ]

    def _rising(self, rng: np.random.Generator) -> list[int]:
        """Heights whose largest rise, 4 to 8 units, is at least two units ahead of the next."""
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
        """Two lines that change sides two to five times, at least two units apart at each dot."""
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

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the chart, word the question, and solve it."""
        ask, unit = latent["ask"], latent["unit"]
        values = [[v * unit for v in line] for line in latent["heights"]]
        scale = Scale(0, TOP_UNIT * unit, FLOOR, TOP)
        solve = {
            "value": self._value,
            "rise": self._rise,
            "above": self._above,
            "crossings": self._crossings,
        }[ask["template"]]
        steps, result, wrong = solve(values, latent, scale)
        fields = dict(zip(("line", "other"), latent["colors"], strict=False))
        return Problem(
            id="",
            pictures=(self._picture(values, latent["colors"], scale, style),),
            question=self.word(
                ask["template"], style, **fields, at=ask.get("at"), limit=ask.get("limit")
            ),
            answer=Answer("number", str(result)),
            steps=steps,
            latent=latent,
            template=ask["template"],
            distractors=distractors(result, *wrong),
        )

    def _value(self, values: list[list[int]], latent: Latent, scale: Scale) -> Solved:
        at, color = latent["ask"]["at"], latent["colors"][0]
        value = values[0][NAMES.index(at)]
        steps = (
            self._read(color, at, value, scale),
            Step(f"the value is {value}", "conclude", str(value), (color, at)),
        )
        others = [line[NAMES.index(at)] for line in values[1:]]
        unit = latent["unit"]
        return steps, value, (*others, *values[0], value + unit, value - unit)

    def _rise(self, values: list[list[int]], latent: Latent, scale: Scale) -> Solved:
        line, color = values[0], latent["colors"][0]
        rises = [b - a for a, b in pairwise(line)]
        at = rises.index(max(rises))
        low, high = line[at], line[at + 1]
        first, last = NAMES[at], NAMES[at + 1]
        box = (self._x(at), scale.at(high), self._x(at + 1), scale.at(low))
        step = f"{first} to {last}"
        steps = (
            Step(f"{color} rises most from {step}", "perceive", step, (color, first, last), box),
            self._read(color, first, low, scale),
            self._read(color, last, high, scale),
            Step(f"{high} - {low} = {high - low}", "compute", str(high - low), (first, last)),
        )
        return steps, high - low, (*sorted(rises)[-2:], high, max(line) - min(line), *line)

    def _above(self, values: list[list[int]], latent: Latent, scale: Scale) -> Solved:
        limit, color = latent["ask"]["limit"], latent["colors"][0]
        found = [name for name, v in zip(NAMES, values[0], strict=False) if v > limit]
        named, count = ", ".join(found), len(found)
        total = " + ".join("1" * count)
        steps = (
            Step(
                f"above it are {named}",
                "perceive",
                named,
                (color, *found),
                (LEFT, TOP, RIGHT, scale.at(limit)),
            ),
            Step(f"{total} = {count}", "compute", str(count), tuple(found)),
        )
        others = [sum(v > limit for v in line) for line in values[1:]]
        return steps, count, (self.points - count, *others, count + 1, count - 1)

    def _crossings(self, values: list[list[int]], latent: Latent, scale: Scale) -> Solved:
        over = [a > b for a, b in zip(*values, strict=True)]
        found = [
            f"{NAMES[i]} to {NAMES[i + 1]}" for i in range(len(over) - 1) if over[i] != over[i + 1]
        ]
        named, count = ", ".join(found), len(found)
        total = " + ".join("1" * count)
        steps = (
            Step(f"they cross {named}", "perceive", named, tuple(latent["colors"]), PLOT),
            Step(f"{total} = {count}", "compute", str(count), tuple(latent["colors"])),
        )
        return steps, count, (count + 1, count - 1, sum(over), self.points - 1)

    def _read(self, color: str, at: str, value: int, scale: Scale) -> Step:
        x, y = self._x(NAMES.index(at)), scale.at(value)
        box = (x - 0.05, y - 0.05, x + 0.05, y + 0.05)
        return Step(f"{color} at {at} is {value}", "perceive", str(value), (color, at), box)

    def _x(self, index: int) -> float:
        return LEFT + 0.06 + (RIGHT - LEFT - 0.12) * index / (self.points - 1)

    def _picture(
        self, values: list[list[int]], colors: list[str], scale: Scale, style: Style
    ) -> Drawing:
        drawing = Drawing(style.background)
        upward(drawing, scale, range(0, int(scale.high) + 1, int(scale.high) // 5))
        for index in range(self.points):
            if style.grid:
                x = self._x(index)
                drawing.line([(x, TOP), (x, FLOOR)], color=RULE, width=0.004)
            drawing.text((self._x(index), FLOOR + 0.07), NAMES[index], height=DIGITS)
        for color, line in zip(colors, values, strict=True):
            dots = [(self._x(i), scale.at(value)) for i, value in enumerate(line)]
            paint = style.color(color)
            drawing.line(dots, color=paint, width=0.02)
            for dot in dots:
                drawing.ellipse(dot, 0.025, fill=paint)
        frame(drawing)
        return drawing
