"""Bars of named colours against a scale: which value, how much more, how many in all?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, perceive

FLOOR, TOP, LEFT = 0.86, 0.08, 0.16  # of the plot, as fractions of the side


class BarChart(Family):
    """Three to six bars of different heights; the scale has a line at every second unit."""

    name: ClassVar[str] = "BarChart"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "difference": (
            "How much taller is the {a} bar than the {b} bar?",
            "What is the value of the {a} bar minus the value of the {b} bar?",
            "By how much does the {a} bar exceed the {b} bar?",
        ),
        "sum": (
            "What do the {a} bar and the {b} bar add up to?",
            "What is the total of the {a} bar and the {b} bar?",
            "What is the combined height of the {a} bar and the {b} bar?",
        ),
    }

    bars = Difficulty("perception", 3, 4, 6)
    palette = Difficulty("perception", 5, 8, 8)
    top = Difficulty("perception", 10, 10, 20)
    templates = Difficulty("reasoning", ("difference", "sum"), ("difference", "sum"), ("sum",))

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, their values and what is asked; no two bars are equal."""
        colors = [str(c) for c in rng.permutation(list(COLORS)[: self.palette])[: self.bars]]
        values = [int(v) for v in rng.permutation(np.arange(1, self.top + 1))[: self.bars]]
        first, second = choose_several(range(self.bars), 2, rng)
        template = choose(self.templates, rng)
        if template == "difference" and values[first] < values[second]:
            first, second = second, first
        ask = {"template": template, "a": colors[first], "b": colors[second]}
        return {"colors": colors, "values": values, "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other values of the same colours; a difference that is asked for stays positive."""
        values = [int(v) for v in rng.permutation(np.arange(1, self.top + 1))[: self.bars]]
        a, b = (latent["colors"].index(latent["ask"][k]) for k in ("a", "b"))
        if latent["ask"]["template"] == "difference" and values[a] < values[b]:
            values[a], values[b] = values[b], values[a]
        return {**latent, "values": values}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read both bars, then add or subtract."""
        template, a, b = (latent["ask"][key] for key in ("template", "a", "b"))
        values = dict(zip(latent["colors"], latent["values"], strict=True))
        boxes = dict(zip(latent["colors"], self._boxes(latent), strict=True))
        left, right = values[a], values[b]
        if template == "difference":
            result = compute(f"{left} - {right}", left - right, (a, b))
        else:
            result = compute(f"{left} + {right}", left + right, (a, b))
        steps = [
            perceive(f"{name} is {values[name]}", values[name], (name,), boxes[name])
            for name in (a, b)
        ]
        return Solution.number([*steps, result], (left, right))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the scale, the bars and the axes."""
        drawing = Drawing(style.background)
        for tick in range(0, self.top + 1, self.top // 5):
            y = FLOOR - (FLOOR - TOP) * tick / self.top
            drawing.line([(LEFT, y), (0.97, y)], color=(205, 205, 205), width=0.004)
            drawing.text((LEFT - 0.02, y), str(tick), height=0.09, anchor="rm")
        for name, box in zip(latent["colors"], self._boxes(latent), strict=True):
            drawing.rectangle(box[:2], box[2:], fill=style.color(name))
        drawing.line([(LEFT, TOP), (LEFT, FLOOR), (0.97, FLOOR)], color=INK, width=0.008)
        return drawing

    def _boxes(self, latent: Latent) -> list[Box]:
        """The bars, from left to right."""
        width = (0.97 - LEFT) / self.bars
        lefts = [LEFT + width * (index + 0.15) for index in range(self.bars)]
        return [
            (left, FLOOR - (FLOOR - TOP) * value / self.top, left + 0.7 * width, FLOOR)
            for left, value in zip(lefts, latent["values"], strict=True)
        ]
