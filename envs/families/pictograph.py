"""Rows of icons with a key: what is a row worth, how much more, how much together?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

TOP, FLOOR, LEFT, RIGHT = 0.03, 0.78, 0.04, 0.96  # of the rows, in shares of the side
KEY = (0.2, 0.88)  # middle of the icon in the key


class Pictograph(Family):
    """Rows of a colour each, one icon for so many things; the key under them says how many."""

    name: ClassVar[str] = "Pictograph"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "How many does the {a} row stand for?",
            "What is the {a} row worth?",
            "What is the value of the {a} row?",
        ),
        "difference": (
            "How many more does the {a} row stand for than the {b} row?",
            "What is the {a} row worth more than the {b} row?",
            "By how much does the {a} row exceed the {b} row?",
        ),
        "sum": (
            "How many do the {a} row and the {b} row stand for together?",
            "What are the {a} row and the {b} row worth in all?",
            "What is the total of the {a} row and the {b} row?",
        ),
    }

    rows = Knob("perception", 3, 4, 5)
    most = Knob("perception", 5, 6, 8)  # icons in a row
    icons = Knob("perception", 2, 5, 5)  # how many of ``ICONS`` are used
    worths = Knob("reasoning", (2, 3, 4, 5, 10), (3, 4, 5, 6, 8, 10), (4, 6, 7, 8, 12, 15))
    templates: Knob[tuple[str, ...]] = Knob(
        "reasoning", ("value",), ("value", "difference", "sum"), ("difference", "sum")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours of the rows, icons in each, what one is worth, and what is asked."""
        colors = [str(color) for color in rng.permutation(list(COLORS))[: self.rows]]
        template = self.templates[int(rng.integers(len(self.templates)))]
        first, second = (int(i) for i in rng.permutation(self.rows)[:2])
        ask = {"template": template, "a": colors[first]}
        if template != "value":
            ask["b"] = colors[second]
        shape = ICONS[int(rng.integers(self.icons))]
        return self.vary({"colors": colors, "icon": shape, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers of icons under the same colours, and another worth."""
        ask, colors = latent["ask"], latent["colors"]
        counts = [int(v) for v in rng.integers(1, self.most + 1, size=self.rows)]
        if ask["template"] == "difference":
            more = int(rng.integers(1, self.most))
            fewer = int(rng.integers(1, self.most - more + 1))
            counts[colors.index(ask["a"])] = fewer + more
            counts[colors.index(ask["b"])] = fewer
        worth = self.worths[int(rng.integers(len(self.worths)))]
        return {**latent, "counts": counts, "worth": worth}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the rows and the key, word the question, and solve it."""
        ask, colors, worth = latent["ask"], latent["colors"], latent["worth"]
        asked = [ask[key] for key in ("a", "b") if key in ask]
        counts = [int(latent["counts"][colors.index(color)]) for color in asked]
        read = [
            Step(f"{color} has {n}", "perceive", str(n), (color,), self._box(colors.index(color)))
            for color, n in zip(asked, counts, strict=True)
        ]
        key = (LEFT, FLOOR, RIGHT, 0.98)
        read.append(Step(f"icon is {worth}", "perceive", str(worth), ("key",), key))
        worked = [
            Step(line, "compute", line.rpartition(" ")[2], (*asked, "key"))
            for line in _worked(ask["template"], counts, worth)
        ]
        result = int(worked[-1].value)
        return Problem(
            id="",
            pictures=(self._picture(latent, style),),
            question=self.word(ask["template"], style, a=ask["a"], b=ask.get("b")),
            answer=Answer("number", str(result)),
            steps=(*read, *worked),
            latent=latent,
            template=ask["template"],
            distractors=distractors(result, result // worth, sum(counts) * worth, counts[0]),
        )

    def _box(self, row: int) -> Box:
        height = (FLOOR - TOP) / self.rows
        return (LEFT, TOP + row * height, RIGHT, TOP + (row + 1) * height)

    def _picture(self, latent: Latent, style: Style) -> Drawing:
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


def _worked(template: str, counts: Sequence[int], worth: int) -> list[str]:
    """The lines of arithmetic from the icons to the answer."""
    icons, lines = counts[0], []
    if template != "value":
        sign = "-" if template == "difference" else "+"
        icons = counts[0] - counts[1] if template == "difference" else sum(counts)
        lines.append(f"{counts[0]} {sign} {counts[1]} = {icons}")
    return [*lines, f"{icons} * {worth} = {icons * worth}"]
