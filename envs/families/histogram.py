"""Bars over bins of a number line: the fullest bin, how many between, how many from here on?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import FLOOR, LEFT, RIGHT, TOP, Scale, frame, rightward, upward
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.families.parts.sampling import choose
from mstar.envs.families.solution import Solution, compute, conclude, perceive

TOP_UNIT = 10  # counts are whole numbers of units, up to this


class Histogram(Family):
    """Four or six bins with edges written below; a horizontal line at every second unit."""

    name: ClassVar[str] = "Histogram"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "mode": (
            "At which number does the tallest bar start?",
            "Where on the scale does the tallest bar begin?",
            "What is the lower edge of the bin with the most values?",
        ),
        "middle": (
            "What is the midpoint of the tallest bar?",
            "Which number is at the center of the tallest bar?",
            "What is the midpoint of the bin with the most values?",
        ),
        "between": (
            "How many values lie between {low} and {high}?",
            "Count the values from {low} to {high}.",
            "What do the bars from {low} to {high} add up to?",
        ),
        "above": (
            "How many values are above {low}?",
            "Count the values that are greater than {low}.",
            "What do the bars to the right of {low} add up to?",
        ),
    }

    bins = Difficulty("perception", 4, 6, 6)
    units = Difficulty("perception", (1,), (1, 2), (2, 5))
    asked = Difficulty("reasoning", (2,), (2, 3), (3, 4))  # bins in a total
    numbered = Difficulty("perception", 1, 2, 2)  # bins from one written edge to the next
    marked = Difficulty(
        "distractor", False, True, True
    )  # one bar in another colour, which means nothing
    templates = Difficulty(
        "reasoning",
        ("mode", "between", "above"),
        ("mode", "middle", "between", "above"),
        ("middle", "between", "above"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Edges, counts in units, the bar marked (-1: none) and what is asked."""
        width = (4, 6, 10)[rng.integers(3)]
        first = int(rng.integers(-(-12 // width), (96 - self.bins * width) // width + 1))
        edges = [width * (first + i) for i in range(self.bins + 1)]
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        span = choose(self.asked, rng)
        if ask["template"] == "above":
            ask["low"] = edges[self.bins - span]
        elif ask["template"] == "between":
            at = int(rng.integers(self.bins - span + 1))
            ask |= {"low": edges[at], "high": edges[at + span]}
        unit = choose(self.units, rng)
        latent = {"edges": edges, "unit": unit, "ask": ask}
        return self.vary(latent, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other counts of the same bins; the fullest leads all others by at least two units."""
        barred = {v // latent["unit"] for k, v in latent["ask"].items() if k != "template"}
        counts: list[int] = []
        while not counts or barred & set(counts):  # no count occurs in the question
            fullest = int(rng.integers(5, TOP_UNIT + 1))
            counts = [int(c) for c in rng.integers(1, fullest - 1, size=self.bins)]
            counts[rng.integers(self.bins)] = fullest
        marked = int(rng.integers(self.bins)) if self.marked else -1
        return {**latent, "counts": counts, "marked": marked}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Find the fullest bin, or add up several bins."""
        if latent["ask"]["template"] in ("mode", "middle"):
            return self._fullest(latent)
        return self._total(latent)

    def _fullest(self, latent: Latent) -> Solution:
        edges, counts = latent["edges"], _counts(latent)
        at = counts.index(max(counts))
        low, high, refs, box = edges[at], edges[at + 1], (f"bin {at + 1}",), self._boxes(latent)[at]
        start = perceive(f"the tallest bar starts at {low}", low, refs, box)
        middle = (low + high) // 2
        if latent["ask"]["template"] == "mode":
            last = conclude(f"the fullest bin starts at {low}", low, refs)
            return Solution.number((start, last), (high, counts[at], middle, *edges))
        steps = (
            start,
            perceive(f"it ends at {high}", high, refs, box),
            compute(f"{low} + {high}", low + high, refs),
            compute(f"{low + high} / 2", middle, refs),
        )
        return Solution.number(steps, (low, high, low + high, counts[at], middle + high - low))

    def _total(self, latent: Latent) -> Solution:
        ask, edges, counts = latent["ask"], latent["edges"], _counts(latent)
        boxes = self._boxes(latent)
        asked = range(edges.index(ask["low"]), edges.index(ask.get("high", edges[-1])))
        refs = tuple(f"bin {i + 1}" for i in asked)
        steps = [
            perceive(f"bin {i + 1} holds {counts[i]}", counts[i], (ref,), boxes[i])
            for i, ref in zip(asked, refs, strict=True)
        ]
        total = sum(counts[i] for i in asked)
        steps.append(compute(" + ".join(str(counts[i]) for i in asked), total, refs))
        careless = (
            total - counts[asked[0]],
            total - counts[asked[-1]],
            sum(counts),
            len(asked),
            total + 1,
        )
        return Solution.number(steps, careless)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw both scales and the bars."""
        drawing, scale = Drawing(style.background), _scale(latent)
        step = int(scale.high) // 5
        upward(
            drawing, scale, range(step, 5 * step + 1, step)
        )  # a 0 would touch the number of the first edge
        names = list(COLORS)
        at = round((style.shift[0] + 1) / 2 * (len(names) - 1))
        for index, box in enumerate(self._boxes(latent)):
            name = names[at - 1] if index == latent["marked"] else names[at]
            drawing.rectangle(box[:2], box[2:], fill=style.color(name), outline=INK, width=0.006)
        edges = latent["edges"]
        across = Scale(edges[0], edges[-1], self._x(0), self._x(self.bins))
        rightward(drawing, across, edges[:: self.numbered], lines=False)
        frame(drawing)
        return drawing

    def _boxes(self, latent: Latent) -> list[Box]:
        """The bars, from left to right."""
        scale = _scale(latent)
        return [
            (self._x(i), scale.at(count), self._x(i + 1), FLOOR)
            for i, count in enumerate(_counts(latent))
        ]

    def _x(self, index: int) -> float:
        return LEFT + 0.02 + (RIGHT - LEFT - 0.06) * index / self.bins


def _counts(latent: Latent) -> list[int]:
    return [count * latent["unit"] for count in latent["counts"]]


def _scale(latent: Latent) -> Scale:
    return Scale(0, TOP_UNIT * latent["unit"], FLOOR, TOP)
