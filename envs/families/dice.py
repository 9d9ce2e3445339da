"""Coloured dice: how many pips in all, how many more, what do two of them multiply to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.drawing import COLORS, WHITE, Drawing, Point
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step

PIPS: dict[int, tuple[Point, ...]] = {  # positions on a face from (-1, -1) to (1, 1)
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    5: ((-1, -1), (-1, 1), (0, 0), (1, -1), (1, 1)),
    6: ((-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)),
}
NAMES = [name for name in COLORS if name != "pink"]  # white pips do not show on pink
MIDDLES: dict[int, tuple[Point, ...]] = {
    3: ((0.27, 0.27), (0.73, 0.27), (0.5, 0.73)),
    4: ((0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)),
}
HALF = 0.18  # half the side of a die, as a fraction of the image's side


class Dice(Family):
    """Three or four dice seen from above; opposite faces of a die add up to seven."""

    name: ClassVar[str] = "Dice"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "counting"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "total": (
            "How many pips are there in all?",
            "What is the total of all dice?",
            "What do the dice add up to?",
        ),
        "difference": (
            "How many more pips does the {a} die have than the {b} die?",
            "What is the number on the {a} die minus the number on the {b} die?",
            "By how much does the {a} die exceed the {b} die?",
        ),
        "product": (
            "What is the number on the {a} die times the number on the {b} die?",
            "Multiply the number on the {a} die by the number on the {b} die.",
            "What is the product of the numbers on the {a} die and the {b} die?",
        ),
        "hidden": (
            "What do the bottom faces of the {a} die and the {b} die add up to?",
            "How many pips are on the bottom faces of the {a} die and the {b} die in all?",
            "The {a} die and the {b} die are turned upside down. What is their total then?",
        ),
    }

    dice = Difficulty("perception", 3, 4, 4)
    # The largest rotation of a die, as a fraction of an eighth turn.
    turned = Difficulty("perception", 0.0, 0.0, 1.0)
    templates = Difficulty(
        "reasoning",
        ("total", "difference", "product"),
        ("total", "difference", "product"),
        ("total", "product", "hidden"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, pips and rotations of the dice, and what is asked."""
        colors = shuffled(NAMES, rng)[: self.dice]
        template = choose(self.templates, rng)
        ask = {"template": template}
        if template != "total":
            first, second = (int(i) for i in rng.permutation(self.dice)[:2])
            ask |= {"a": colors[first], "b": colors[second]}
        return self.vary({"colors": colors, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other pips on the same dice."""
        ask, colors = latent["ask"], latent["colors"]
        pips = [int(v) for v in rng.integers(1, 7, size=self.dice)]
        if ask["template"] == "difference":  # every difference from 1 to 5 equally often
            difference = int(rng.integers(1, 6))
            lower = int(rng.integers(1, 7 - difference))
            pips[colors.index(ask["a"])] = lower + difference
            pips[colors.index(ask["b"])] = lower
        turns = [round(float(v), 2) for v in self.turned * rng.uniform(-1, 1, size=self.dice)]
        return {"colors": colors, "pips": pips, "turns": turns, "ask": ask}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the dice that are asked about, then calculate."""
        ask, colors = latent["ask"], latent["colors"]
        asked = colors if ask["template"] == "total" else [ask["a"], ask["b"]]
        pips = [int(latent["pips"][colors.index(color)]) for color in asked]
        middles = dict(zip(colors, self._middles(style), strict=True))
        read = [
            perceive(f"{color} is {count}", count, (color,), around(middles[color], HALF))
            for color, count in zip(asked, pips, strict=True)
        ]
        worked = _calculate(ask["template"], pips, tuple(asked))
        return Solution.number([*read, *worked], (sum(latent["pips"]), pips[0] + pips[1]))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the upper face of each die."""
        drawing = Drawing(style.background)
        half = HALF * style.scale
        for color, count, turn, middle in zip(
            latent["colors"], latent["pips"], latent["turns"], self._middles(style), strict=True
        ):
            angle = turn * np.pi / 4
            reach = half / (1 + 0.4 * abs(turn))  # the corners of a rotated die reach further out
            corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
            drawing.polygon(_rotated(corners, middle, reach, angle), fill=style.color(color))
            for pip in _rotated(PIPS[count], middle, 0.56 * reach, angle):
                drawing.ellipse(pip, 0.2 * reach, fill=WHITE)
        return drawing

    def _middles(self, style: Style) -> list[Point]:
        x, y = 0.02 * style.shift[0], 0.02 * style.shift[1]
        return [(left + x, top + y) for left, top in MIDDLES[self.dice]]


def _calculate(template: str, pips: Sequence[int], refs: tuple[str, ...]) -> list[Step]:
    """The arithmetic from the pips to the answer."""
    if template == "hidden":
        under = [7 - count for count in pips]
        steps = [compute(f"7 - {n}", hidden, refs) for n, hidden in zip(pips, under, strict=True)]
        return [*steps, compute(f"{under[0]} + {under[1]}", sum(under), refs)]
    if template == "difference":
        return [compute(f"{pips[0]} - {pips[1]}", pips[0] - pips[1], refs)]
    if template == "product":
        return [compute(f"{pips[0]} * {pips[1]}", pips[0] * pips[1], refs)]
    return [compute(" + ".join(map(str, pips)), sum(pips), refs)]


def _rotated(points: Sequence[Point], middle: Point, reach: float, angle: float) -> list[Point]:
    """Points of a face, scaled, rotated and moved to the place of the die."""
    cos, sin = float(np.cos(angle)) * reach, float(np.sin(angle)) * reach
    return [(middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos) for x, y in points]
