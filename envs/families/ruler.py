"""Bars over a ruler, not from its zero: how long, how much longer, how long in all?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import DIGITS, RULE
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, Color, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, perceive

EDGE, LOWER = 0.6, 0.92  # top and bottom of the ruler, as fractions of the side
WOOD: Color = (250, 232, 190)

Bars = Mapping[str, tuple[int, int]]  # the numbers at both ends of each bar


class Ruler(Family):
    """Two or three bars over a section of a ruler; thin lines connect their ends with it."""

    name: ClassVar[str] = "Ruler"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "measures"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "length": (
            "How long is the {a} bar in {unit}?",
            "What is the length of the {a} bar in {unit}?",
            "How many {unit} does the {a} bar measure?",
        ),
        "difference": (
            "How much longer is the {a} bar than the {b} bar, in {unit}?",
            "By how many {unit} is the {a} bar longer than the {b} bar?",
            "By how many {unit} is the {b} bar shorter than the {a} bar?",
        ),
        "total": (
            "How long are the {a} and the {b} bar end to end, in {unit}?",
            "How many {unit} do the {a} bar and the {b} bar measure together?",
            "What is the total length of the {a} bar and the {b} bar, in {unit}?",
        ),
    }

    bars = Difficulty("distractor", 2, 2, 3)
    ticks = Difficulty("perception", 9, 10, 12)  # spaces between ticks
    numbered = Difficulty("perception", 1, 2, 4)  # spaces from one number to the next
    # In millimetres, every fifth has a tick.
    unit = Difficulty("perception", "cm", "cm", "mm")
    tens = Difficulty("reasoning", 1, 4, 4)  # the ruler starts at 0, 10, 20, ...: so many choices
    templates = Difficulty(
        "reasoning",
        ("length", "difference"),
        ("length", "difference", "total"),
        ("difference", "total"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, both ends of each bar in ticks, the number at the left end, what is asked."""
        colors = choose_several(COLORS, self.bars, rng)
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        asked = 1 if ask["template"] == "length" else 2
        ask |= dict(
            zip("ab", [colors[i] for i in rng.permutation(self.bars)[:asked]], strict=False)
        )
        return self.vary({"colors": colors, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other bars of the same colours over another section of the ruler."""
        ask, colors = latent["ask"], latent["colors"]
        lengths = [int(v) for v in rng.integers(2, self.ticks, size=self.bars)]
        if ask["template"] == "difference":
            more = int(rng.integers(1, 6))
            short = int(rng.integers(2, self.ticks - more))
            lengths[colors.index(ask["a"])] = short + more
            lengths[colors.index(ask["b"])] = short
        starts = [int(rng.integers(1, self.ticks - v + 1)) for v in lengths]
        first = 10 * int(rng.integers(self.tens))
        ends = [[start, start + v] for start, v in zip(starts, lengths, strict=True)]
        return {**latent, "unit": self.unit, "ends": ends, "first": first}

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of "ask" with the unit."""
        return {**latent["ask"], "unit": self.unit}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read where the bars start and end, then calculate."""
        ask = latent["ask"]
        bars = {
            color: (self._number(latent, low), self._number(latent, high))
            for color, (low, high) in zip(latent["colors"], latent["ends"], strict=True)
        }
        if ask["template"] == "length":
            return self._length(latent, bars, ask["a"])
        return self._two(latent, bars, (ask["a"], ask["b"]))

    def _length(self, latent: Latent, bars: Bars, name: str) -> Solution:
        low, high = bars[name]
        box, length = self._box(latent, name), high - low
        steps = (
            perceive(f"{name} starts at {low}", low, (name,), box),
            perceive(f"{name} ends at {high}", high, (name,), box),
            compute(f"{high} - {low}", length, (name,)),
        )
        others = [b - a for a, b in bars.values()]
        careless = (high, *others, low, length + 1, length - 1)
        return Solution.number(steps, careless, unit=self.unit)

    def _two(self, latent: Latent, bars: Bars, names: tuple[str, str]) -> Solution:
        perceived, computed, lengths = [], [], []
        for name in names:
            low, high = bars[name]
            lengths.append(high - low)
            ends, box = f"{low} to {high}", self._box(latent, name)
            perceived.append(perceive(f"{name} goes from {ends}", ends, (name,), box))
            computed.append(compute(f"{high} - {low}", high - low, (name,)))
        first, second = lengths
        if latent["ask"]["template"] == "difference":
            computed.append(compute(f"{first} - {second}", first - second, names))
        else:
            computed.append(compute(f"{first} + {second}", first + second, names))
        apart, result = abs(bars[names[0]][1] - bars[names[1]][1]), int(computed[-1].value)
        careless = (apart, first, second, result + 1, result - 1)
        return Solution.number((*perceived, *computed), careless, unit=self.unit)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the ruler, the bars, and thin lines between them."""
        drawing = Drawing(style.background)
        drawing.rectangle((0.01, EDGE), (0.99, LOWER), fill=WOOD, outline=INK, width=0.006)
        boxes = {name: self._box(latent, name) for name in latent["colors"]}
        for left, _, right, bottom in boxes.values():
            for x in (left, right):
                drawing.line([(x, bottom), (x, EDGE)], color=RULE, width=0.006)
        for name, (left, top, right, bottom) in boxes.items():
            drawing.rectangle((left, top), (right, bottom), fill=style.color(name))
        for tick in range(self.ticks + 1):
            x, numbered = self._x(tick), tick % self.numbered == 0
            length = 0.08 if numbered else 0.06 if 2 * tick % self.numbered == 0 else 0.04
            drawing.line([(x, EDGE), (x, EDGE + length)], INK, width=0.008)
            if numbered:
                drawing.text((x, EDGE + 0.14), str(self._number(latent, tick)), DIGITS)
        drawing.text((0.5, LOWER - 0.06), self.unit, height=0.09)
        return drawing

    def _number(self, latent: Latent, tick: int) -> int:
        return int(latent["first"]) + tick * (5 if self.unit == "mm" else 1)

    def _x(self, tick: int) -> float:
        return 0.08 + 0.84 * tick / self.ticks

    def _box(self, latent: Latent, name: str) -> Box:
        row = latent["colors"].index(name)
        low, high = latent["ends"][row]
        top = (EDGE - 0.04) * row / self.bars + 0.04
        return (self._x(low), top, self._x(high), top + 0.11)
