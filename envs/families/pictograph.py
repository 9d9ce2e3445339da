"""Rows of icons with a key: what is a row worth, how much more, how much together?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive

TOP, FLOOR, LEFT, RIGHT = 0.03, 0.78, 0.04, 0.96  # of the rows, as fractions of the side
KEY = (0.2, 0.88)  # centre of the icon in the key


class Pictograph(Family):
    """Rows of icons, one colour each; the key below gives the worth of an icon."""

    name: ClassVar[str] = "Pictograph"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "What number does the {a} row stand for?",
            "What is the {a} row worth?",
            "What is the value of the {a} row?",
        ),
        "difference": (
            "How many more does the {a} row stand for than the {b} row?",
            "How much more is the {a} row worth than the {b} row?",
            "By how much does the {a} row exceed the {b} row?",
        ),
        "sum": (
            "What number do the {a} row and the {b} row stand for together?",
            "What are the {a} row and the {b} row worth in all?",
            "What is the total of the {a} row and the {b} row?",
        ),
    }

    rows = Difficulty("perception", 3, 4, 5)
    most = Difficulty("perception", 5, 6, 8)  # icons in a row
    icons = Difficulty("perception", 2, 5, 5)  # how many of ``ICONS`` are used
    worths = Difficulty("reasoning", (2, 3, 4, 5, 10), (3, 4, 5, 6, 8, 10), (4, 6, 7, 8, 12, 15))
    templates: Difficulty[tuple[str, ...]] = Difficulty(
        "reasoning", ("value",), ("value", "difference", "sum"), ("difference", "sum")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours of the rows, icons in each, what one is worth, and what is asked."""
        colors = shuffled(COLORS, rng)[: self.rows]
        template = choose(self.templates, rng)
        first, second = (int(i) for i in rng.permutation(self.rows)[:2])
        ask = {"template": template, "a": colors[first]}
        if template != "value":
            ask["b"] = colors[second]
        shape = ICONS[int(rng.integers(self.icons))]
        return self.vary({"colors": colors, "icon": shape, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers of icons of the same colours, and another worth."""
        ask, colors = latent["ask"], latent["colors"]
        counts = [int(v) for v in rng.integers(1, self.most + 1, size=self.rows)]
        if ask["template"] == "difference":
            more = int(rng.integers(1, self.most))
            fewer = int(rng.integers(1, self.most - more + 1))
            counts[colors.index(ask["a"])] = fewer + more
            counts[colors.index(ask["b"])] = fewer
        worth = choose(self.worths, rng)
        return {**latent, "counts": counts, "worth": worth}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Count icons, read the key, then calculate."""
        ask, colors, worth = latent["ask"], latent["colors"], latent["worth"]
        asked = [ask[key] for key in ("a", "b") if key in ask]
        counts = [int(latent["counts"][colors.index(color)]) for color in asked]
        steps = [
            perceive(f"{color} has {n}", n, (color,), self._box(colors.index(color)))
            for color, n in zip(asked, counts, strict=True)
        ]
        steps.append(perceive(f"icon is {worth}", worth, ("key",), (LEFT, FLOOR, RIGHT, 0.98)))
        icons, refs = counts[0], (*asked, "key")
        if ask["template"] == "difference":
            icons = counts[0] - counts[1]
            steps.append(compute(f"{counts[0]} - {counts[1]}", icons, refs))
        elif ask["template"] == "sum":
            icons = sum(counts)
            steps.append(compute(f"{counts[0]} + {counts[1]}", icons, refs))
        steps.append(compute(f"{icons} * {worth}", icons * worth, refs))
        return Solution.number(steps, (icons, sum(counts) * worth, counts[0]))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the rows, and the key below them."""
        drawing = Drawing(style.background)
        pitch = min((RIGHT - LEFT) / self.most, 0.185)
        radius = 0.38 * min(pitch, (FLOOR - TOP) / self.rows) * style.scale
        x, y = 0.012 * style.shift[0], 0.012 * style.shift[1]
        for row, (name, count) in enumerate(zip(latent["colors"], latent["counts"], strict=True)):
            left, top, right, bottom = self._box(row)
            if style.grid and row:
                drawing.line([(left, top), (right, top)], color=(205, 205, 205), width=0.005)
            for place in range(count):
                middle = (left + (place + 0.5) * pitch + x, (top + bottom) / 2 + y)
                icon(drawing, latent["icon"], middle, radius, style.color(name))
        drawing.line([(LEFT, FLOOR + 0.01), (RIGHT, FLOOR + 0.01)], width=0.008)
        icon(drawing, latent["icon"], (KEY[0] + x, KEY[1]), 0.07, (90, 90, 94))
        drawing.text((KEY[0] + 0.13 + x, KEY[1]), f"= {latent['worth']}", 0.15, anchor="lm")
        return drawing

    def _box(self, row: int) -> Box:
        height = (FLOOR - TOP) / self.rows
        return (LEFT, TOP + row * height, RIGHT, TOP + (row + 1) * height)
