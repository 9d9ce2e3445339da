"""Bars of named colours against a scale: which value, how much more, how many in all?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

FLOOR, TOP, LEFT = 0.86, 0.08, 0.16  # of the plot, in shares of the side


class BarChart(Family):
    """Three to six bars of different heights; the scale has a line at every second unit."""

    name: ClassVar[str] = "BarChart"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "difference": (
            "How much taller is the {a} bar than the {b} bar?",
            "What is the {a} bar minus the {b} bar?",
            "By how much does {a} exceed {b}?",
        ),
        "sum": (
            "What do the {a} bar and the {b} bar add up to?",
            "What is the total of {a} and {b}?",
            "How much are {a} and {b} together?",
        ),
    }

    bars = Knob("perception", 3, 4, 6)
    palette = Knob("perception", 5, 8, 8)
    top = Knob("perception", 10, 10, 20)
    templates = Knob("reasoning", ("difference", "sum"), ("difference", "sum"), ("sum",))

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, their values and what is asked; no two bars are equal."""
        colors = [str(c) for c in rng.permutation(list(COLORS)[: self.palette])[: self.bars]]
        values = [int(v) for v in rng.permutation(np.arange(1, self.top + 1))[: self.bars]]
        first, second = (int(i) for i in rng.choice(self.bars, size=2, replace=False))
        template = str(rng.choice(self.templates))
        if template == "difference" and values[first] < values[second]:
            first, second = second, first
        ask = {"template": template, "a": colors[first], "b": colors[second]}
        return {"colors": colors, "values": values, "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other values under the same colours, in the same order of size for what is asked."""
        values = [int(v) for v in rng.permutation(np.arange(1, self.top + 1))[: self.bars]]
        a, b = (latent["colors"].index(latent["ask"][k]) for k in ("a", "b"))
        if latent["ask"]["template"] == "difference" and values[a] < values[b]:
            values[a], values[b] = values[b], values[a]
        return {**latent, "values": values}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the chart, word the question, and solve it."""
        values = dict(zip(latent["colors"], latent["values"], strict=True))
        template, a, b = (latent["ask"][k] for k in ("template", "a", "b"))
        sign, result = (
            ("-", values[a] - values[b])
            if template == "difference"
            else (
                "+",
                values[a] + values[b],
            )
        )
        boxes = {name: self._box(i, value) for i, (name, value) in enumerate(values.items())}
        return Problem(
            id="",
            pictures=(self._picture(values, style),),
            question=self.word(template, style, a=a, b=b),
            answer=Answer("number", str(result)),
            steps=(
                Step(f"{a} is {values[a]}", "perceive", str(values[a]), (a,), boxes[a]),
                Step(f"{b} is {values[b]}", "perceive", str(values[b]), (b,), boxes[b]),
                Step(f"{values[a]} {sign} {values[b]} = {result}", "compute", str(result), (a, b)),
            ),
            latent=latent,
            template=template,
            distractors=distractors(result, values[a], values[b]),
        )

    def _box(self, index: int, value: int) -> tuple[float, float, float, float]:
        width = (0.97 - LEFT) / self.bars
        left = LEFT + width * (index + 0.15)
        return (left, FLOOR - (FLOOR - TOP) * value / self.top, left + 0.7 * width, FLOOR)

    def _picture(self, values: Mapping[str, int], style: Style) -> Drawing:
        drawing = Drawing(style.background)
        for tick in range(0, self.top + 1, self.top // 5):
            y = FLOOR - (FLOOR - TOP) * tick / self.top
            drawing.line([(LEFT, y), (0.97, y)], color=(205, 205, 205), width=0.004)
            drawing.text((LEFT - 0.02, y), str(tick), height=0.09, anchor="rm")
        for index, (name, value) in enumerate(values.items()):
            left, top, right, bottom = self._box(index, value)
            drawing.rectangle((left, top), (right, bottom), fill=style.color(name))
        drawing.line([(LEFT, TOP), (LEFT, FLOOR), (0.97, FLOOR)], color=INK, width=0.008)
        return drawing
