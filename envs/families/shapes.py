"""Plane figures with numbers at their sides: perimeter, area, missing angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.figures import Slot, draw_figure
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

READ: dict[str, tuple[str, ...]] = {  # what the numbers of a figure are called
    "rectangle": ("width", "height"),
    "square": ("side",),
    "triangle": ("left", "right", "bottom"),
    "right triangle": ("height", "bottom"),
    "angles": ("left", "right"),
}


class Shapes(Family):
    """One or two labelled figures, in proportion as far as the labels leave room."""

    name: ClassVar[str] = "Shapes"
    topic: ClassVar[str] = "geometry"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "perimeter": (
            "What is the perimeter of the {color} {kind}?",
            "How long is the way around the {color} {kind}?",
            "The sides of the {color} {kind} add up to what?",
        ),
        "area": (
            "What is the area of the {color} {kind}?",
            "How many unit squares cover the {color} {kind}?",
            "Find the area of the {color} {kind}.",
        ),
        "angle": (
            "What is the missing angle of the {color} triangle in degrees?",
            "How many degrees has the angle marked x in the {color} triangle?",
            "Find x in the {color} triangle.",
        ),
    }

    figures = Knob("distractor", 1, 2, 2)
    longest = Knob("reasoning", 9, 12, 20)  # side
    templates = Knob(
        "reasoning", ("perimeter", "area"), ("perimeter", "area", "angle"), ("area", "angle")
    )
    around = Knob(  # figures whose perimeter is asked
        "reasoning",
        ("rectangle", "triangle"),
        ("rectangle", "triangle", "square"),
        ("triangle", "square"),
    )
    covered = Knob(  # figures whose area is asked
        "reasoning",
        ("rectangle",),
        ("rectangle", "square"),
        ("rectangle", "right triangle"),
    )
    base_shown = Knob("distractor", False, False, True)  # a length beside the angles

    def latent(self, rng: np.random.Generator) -> Latent:
        """Figures with their numbers, from top to bottom, and which one is asked for what."""
        template = self.templates[int(rng.integers(len(self.templates)))]
        colors = [str(color) for color in rng.permutation(list(COLORS))[:2]]
        if template == "angle":
            kinds: tuple[str, ...] = ("angles",)
        else:
            asked = self.around if template == "perimeter" else self.covered
            other = (*self.around, *self.covered)
            kinds = (asked[int(rng.integers(len(asked)))], other[int(rng.integers(len(other)))])
        figures: list[Latent] = [
            {"kind": kind, "color": color, "numbers": []}
            for kind, color in zip(kinds[: self.figures], colors, strict=False)
        ]
        ask = {"template": template, "color": colors[0]}
        order = rng.permutation(len(figures))
        return self.vary({"figures": [figures[int(i)] for i in order], "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers at the same figures."""
        figures = [
            {**figure, "numbers": self._numbers(figure["kind"], rng)}
            for figure in latent["figures"]
        ]
        return {**latent, "figures": figures}

    def _numbers(self, kind: str, rng: np.random.Generator) -> list[int]:
        """Numbers of a figure: of a rectangle two that differ, of a triangle three that close."""
        if kind == "angles":
            base = [int(rng.integers(2, 10))] if self.base_shown else []
            left, right = (5 * int(v) for v in rng.integers(6, 16, size=2))
            return [left, right, *base]
        while True:
            numbers = [int(v) for v in rng.integers(2, self.longest + 1, size=len(READ[kind]))]
            if kind == "rectangle" and numbers[0] == numbers[1]:
                continue
            if kind == "right triangle" and numbers[0] * numbers[1] % 2:
                continue
            if kind == "triangle" and 2 * max(numbers) > sum(numbers) - 1:
                continue
            return numbers

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the figures, word the question, and solve it."""
        ask, figures = latent["ask"], latent["figures"]
        place = next(i for i, figure in enumerate(figures) if figure["color"] == ask["color"])
        kind, numbers = figures[place]["kind"], figures[place]["numbers"]
        slots = _slots(figures, style)
        read = [
            Step(f"{name} is {value}", "perceive", str(value), (ask["color"],), slots[place].box)
            for name, value in zip(READ[kind], numbers, strict=False)
        ]
        worked = _worked(ask["template"], kind, numbers)
        result = int(worked[-1].rpartition(" ")[2])
        computed = [
            Step(line, "compute", line.rpartition(" ")[2], (ask["color"],)) for line in worked
        ]
        return Problem(
            id="",
            pictures=(_picture(figures, slots, style),),
            question=self.word(ask["template"], style, color=ask["color"], kind=kind),
            answer=Answer("number", str(result)),
            steps=(*read, *computed),
            latent=latent,
            template=ask["template"],
            distractors=distractors(result, sum(numbers), numbers[0] * numbers[-1]),
        )


def _worked(template: str, kind: str, numbers: Sequence[int]) -> list[str]:
    """The lines of arithmetic from a figure's numbers to the answer."""
    a, b = numbers[0], numbers[1] if len(numbers) > 1 else numbers[0]
    if template == "angle":
        return [f"{a} + {b} = {a + b}", f"180 - {a + b} = {180 - a - b}"]
    if template == "area":
        if kind == "right triangle":
            return [f"{a} * {b} = {a * b}", f"{a * b} / 2 = {a * b // 2}"]
        return [f"{a} * {b} = {a * b}"]
    if kind == "triangle":
        return [f"{a} + {b} + {numbers[2]} = {sum(numbers)}"]
    return [f"{a} + {b} = {a + b}", f"{a + b} + {a + b} = {2 * (a + b)}"]


def _slots(figures: Sequence[Latent], style: Style) -> list[Slot]:
    """One slot for a figure alone, or one above the other."""
    x, y = 0.01 * style.shift[0], 0.01 * style.shift[1]
    inset = 0.1 * (1.1 - style.scale)  # up to 0.02 where the style draws small
    if len(figures) == 1:
        height = 0.12 if figures[0]["kind"] == "angles" else 0.15
        return [Slot((0.02 + inset + x, 0.04 + inset + y, 0.98 - inset + x, 0.96 + y), height)]
    return [Slot((0.02 + x, top + y, 0.98 + x, top + 0.47 + y), 0.115) for top in (0.015, 0.505)]


def _picture(figures: Sequence[Latent], slots: Sequence[Slot], style: Style) -> Drawing:
    drawing = Drawing(style.background)
    for figure, slot in zip(figures, slots, strict=True):
        fill = style.color(figure["color"])
        if figure["kind"] == "angles":  # the numbers stand inside, so they need a light ground
            fill = (fill[0] // 3 + 168, fill[1] // 3 + 168, fill[2] // 3 + 168)
        draw_figure(drawing, slot, figure["kind"], figure["numbers"], fill)
    return drawing
