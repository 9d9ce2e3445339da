"""Plane figures with numbers at their sides: perimeter, area, missing angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.figures import Slot, draw_figure
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step

READ: dict[str, tuple[str, ...]] = {  # the names of a figure's numbers
    "rectangle": ("width", "height"),
    "square": ("side",),
    "triangle": ("left", "right", "bottom"),
    "right triangle": ("height", "bottom"),
    "angles": ("left", "right"),
}


class Shapes(Family):
    """One or two labelled figures, to scale as far as the labels leave room."""

    name: ClassVar[str] = "Shapes"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "geometry"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "perimeter": (
            "What is the perimeter of the {color} {kind}?",
            "How far is it around the {color} {kind}?",
            "What do the sides of the {color} {kind} add up to?",
        ),
        "area": (
            "What is the area of the {color} {kind}?",
            "How many unit squares cover the {color} {kind}?",
            "Find the area of the {color} {kind}.",
        ),
        "angle": (
            "What is the missing angle of the {color} triangle in degrees?",
            "How many degrees is the angle marked x in the {color} triangle?",
            "Find x in the {color} triangle.",
        ),
    }

    figures = Difficulty("distractor", 1, 2, 2)
    longest = Difficulty("reasoning", 9, 12, 20)  # side, at most
    templates = Difficulty(
        "reasoning", ("perimeter", "area"), ("perimeter", "area", "angle"), ("area", "angle")
    )
    around = Difficulty(  # figures whose perimeter is asked
        "reasoning",
        ("rectangle", "triangle"),
        ("rectangle", "triangle", "square"),
        ("triangle", "square"),
    )
    covered = Difficulty(  # figures whose area is asked
        "reasoning",
        ("rectangle",),
        ("rectangle", "square"),
        ("rectangle", "right triangle"),
    )
    base_shown = Difficulty("distractor", False, False, True)  # a length beside the angles

    def latent(self, rng: np.random.Generator) -> Latent:
        """Figures with their numbers, from top to bottom, and which one is asked for what."""
        template = choose(self.templates, rng)
        colors = shuffled(COLORS, rng)[:2]
        if template == "angle":
            kinds: tuple[str, ...] = ("angles",)
        else:
            asked = self.around if template == "perimeter" else self.covered
            other = (*self.around, *self.covered)
            kinds = (choose(asked, rng), choose(other, rng))
        figures: list[Latent] = [
            {"kind": kind, "color": color, "numbers": []}
            for kind, color in zip(kinds[: self.figures], colors, strict=False)
        ]
        ask = {"template": template, "color": colors[0]}
        order = rng.permutation(len(figures))
        return self.vary({"figures": [figures[int(i)] for i in order], "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers of the same figures."""
        figures = [
            {**figure, "numbers": self._numbers(figure["kind"], rng)}
            for figure in latent["figures"]
        ]
        return {**latent, "figures": figures}

    def _numbers(self, kind: str, rng: np.random.Generator) -> list[int]:
        """Numbers of a figure: a rectangle is no square, a triangle is not degenerate."""
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

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of "ask" with the kind of the figure."""
        figures = latent["figures"]
        return {**latent["ask"], "kind": figures[_asked(latent)]["kind"]}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the numbers of the figure, then calculate."""
        figure, slot = latent["figures"][_asked(latent)], _slots(latent, style)[_asked(latent)]
        kind, numbers, refs = figure["kind"], figure["numbers"], (figure["color"],)
        read = [
            perceive(f"{name} is {value}", value, refs, slot.box)
            for name, value in zip(READ[kind], numbers, strict=False)
        ]
        worked = _calculate(latent["ask"]["template"], kind, numbers, refs)
        return Solution.number([*read, *worked], (sum(numbers), numbers[0] * numbers[-1]))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the figures, one above the other."""
        drawing = Drawing(style.background)
        for figure, slot in zip(latent["figures"], _slots(latent, style), strict=True):
            fill = style.color(figure["color"])
            if figure["kind"] == "angles":  # the numbers stand inside, on a light background
                fill = (fill[0] // 3 + 168, fill[1] // 3 + 168, fill[2] // 3 + 168)
            draw_figure(drawing, slot, figure["kind"], figure["numbers"], fill)
        return drawing


def _asked(latent: Latent) -> int:
    """The index of the figure that is asked about."""
    colors: list[str] = [figure["color"] for figure in latent["figures"]]
    return colors.index(latent["ask"]["color"])


def _calculate(
    template: str, kind: str, numbers: Sequence[int], refs: tuple[str, ...]
) -> list[Step]:
    """The arithmetic from a figure's numbers to the answer."""
    a, b = numbers[0], numbers[1] if len(numbers) > 1 else numbers[0]
    if template == "angle":
        return [compute(f"{a} + {b}", a + b, refs), compute(f"180 - {a + b}", 180 - a - b, refs)]
    if template == "area":
        product = compute(f"{a} * {b}", a * b, refs)
        half = compute(f"{a * b} / 2", a * b // 2, refs)
        return [product, half] if kind == "right triangle" else [product]
    if kind == "triangle":
        return [compute(f"{a} + {b} + {numbers[2]}", sum(numbers), refs)]
    half = compute(f"{a} + {b}", a + b, refs)
    return [half, compute(f"{a + b} + {a + b}", 2 * (a + b), refs)]


def _slots(latent: Latent, style: Style) -> list[Slot]:
    """One slot for a single figure, or two slots one above the other."""
    figures = latent["figures"]
    x, y = 0.01 * style.shift[0], 0.01 * style.shift[1]
    inset = 0.1 * (1.1 - style.scale)  # up to 0.02 at the smallest scale
    if len(figures) == 1:
        height = 0.12 if figures[0]["kind"] == "angles" else 0.15
        return [Slot((0.02 + inset + x, 0.04 + inset + y, 0.98 - inset + x, 0.96 + y), height)]
    return [Slot((0.02 + x, top + y, 0.98 + x, top + 0.47 + y), 0.115) for top in (0.015, 0.505)]
