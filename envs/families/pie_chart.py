"""Sectors with their percentages: a part of the whole, two together, the missing one?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import DIGITS
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.drawing import COLORS, INK, WHITE, Color, Drawing, Point
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step

RADIUS, HOLE, LABELS = 0.48, 0.13, 0.34  # the hole is drawn where it shows the whole
CENTER = (0.5, 0.5)
COUNTED = ("share", "both")  # the templates that ask for a number of the whole


class PieChart(Family):
    """Three to five sectors that sum to 100 percent; the middle may show the whole."""

    name: ClassVar[str] = "PieChart"
    version: ClassVar[int] = 2
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "share": (
            "The number in the middle is how many people were asked. How many chose {a}?",
            "The number in the middle counts all the people. How many of them are in the {a} part?",
            "If the number in the middle counts everybody, how many people does the {a} part "
            "stand for?",
        ),
        "both": (
            "The number in the middle is how many people were asked. How many chose {a} or {b}?",
            "The number in the middle counts all the people. How many of them are in the {a} or "
            "the {b} part?",
            "If the number in the middle counts everybody, how many people do the {a} part and "
            "the {b} part stand for together?",
        ),
        "combined": (
            "What percent of the pie do {a} and {b} make up together?",
            "What percentage of the pie is {a} or {b}?",
            "What do the {a} part and the {b} part add up to, in percent?",
        ),
        "missing": (
            "What percent of the pie is {a}?",
            "What percentage of the pie is the {a} part?",
            "What is the share of {a} in percent?",
        ),
    }

    sectors = Difficulty("perception", 3, 4, 5)
    grain = Difficulty("reasoning", 5, 5, 1)  # percent
    templates = Difficulty(
        "reasoning",
        ("share", "combined", "missing"),
        ("share", "combined", "missing"),
        ("share", "both", "combined", "missing"),
    )
    # Whether the middle shows a whole that is not needed.
    extra = Difficulty("distractor", False, True, True)

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, their percentages, the whole (0: not shown) and what is asked."""
        colors = choose_several(COLORS, self.sectors, rng)
        template = choose(self.templates, rng)
        first, second = rng.permutation(self.sectors)[:2].tolist()
        ask = {"template": template, "a": colors[first], "b": colors[second]}
        if template in ("share", "missing"):
            del ask["b"]
        whole = template in COUNTED or self.extra
        start = colors.index(min(colors))  # a rotated pie is the same pie
        colors = colors[start:] + colors[:start]
        return {"colors": colors, **self._numbers(rng, whole), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other percentages and another whole for the same colours."""
        return {**latent, **self._numbers(rng, latent["whole"] > 0)}

    def _numbers(self, rng: np.random.Generator, whole: bool) -> Latent:
        """Distinct percentages of at least 12, and a whole of which each is an integer."""
        least = -(-12 // self.grain) * self.grain
        free = (100 - least * self.sectors) // self.grain
        shares: list[int] = []
        while len(set(shares)) < self.sectors:
            cuts = sorted(int(c) for c in rng.integers(0, free + 1, size=self.sectors - 1))
            parts = [b - a for a, b in zip((0, *cuts), (*cuts, free), strict=True)]
            shares = [least + self.grain * part for part in parts]
        shares[0] += 100 - sum(shares)
        return {"shares": shares, "whole": 100 * int(rng.integers(2, 10)) if whole else 0}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the percentages that are needed, and the whole, then calculate."""
        ask, whole, template = latent["ask"], latent["whole"], latent["ask"]["template"]
        shares = dict(zip(latent["colors"], latent["shares"], strict=True))
        boxes = {
            sector.name: around(sector.middle, 0.1, 0.07) for sector in _sectors(latent, style)
        }
        asked = [ask[key] for key in ("a", "b") if key in ask]
        read = [n for n in shares if n not in asked] if template == "missing" else asked
        steps = [perceive(f"{n} is {shares[n]}", shares[n], (n,), boxes[n]) for n in read]
        if template in COUNTED:
            box = around(CENTER, 0.1, 0.07)
            steps.append(perceive(f"all are {whole}", whole, ("all",), box))
        steps += _calculate([shares[n] for n in read], template, whole, tuple(read))
        result, total = int(steps[-1].value), sum(shares[n] for n in asked)
        scale = whole if template in COUNTED else 100
        others = (scale * share // 100 for share in shares.values())
        unit = None if template in COUNTED else "%"
        return Solution.number(steps, (total, scale - result, *others), unit=unit)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the sectors with their percentages, and the whole in the middle."""
        drawing, ask = Drawing(style.background), latent["ask"]
        for sector in _sectors(latent, style):
            color = style.color(sector.name)
            drawing.pie(CENTER, RADIUS, sector.start, sector.end, fill=color, outline=WHITE)
            hidden = ask["template"] == "missing" and sector.name == ask["a"]
            text = "?" if hidden else f"{sector.share}%"
            drawing.text(sector.middle, text, DIGITS, _text_color(color))
        if latent["whole"]:
            drawing.ellipse(CENTER, HOLE, fill=style.background)
            drawing.text(CENTER, str(latent["whole"]), DIGITS)
        return drawing


class Sector(NamedTuple):
    """A sector of the pie.

    Attributes:
        name: its colour.
        share: in percent.
        start: in degrees, clockwise from three o'clock.
        end: in degrees, clockwise from three o'clock.
        middle: the centre of its label.
    """

    name: str
    share: int
    start: float
    end: float
    middle: Point


def _sectors(latent: Latent, style: Style) -> list[Sector]:
    sectors, start = [], 180 * style.shift[0]
    for name, share in zip(latent["colors"], latent["shares"], strict=True):
        end = start + 3.6 * share
        angle = math.radians((start + end) / 2)
        middle = (CENTER[0] + LABELS * math.cos(angle), CENTER[1] + LABELS * math.sin(angle))
        sectors.append(Sector(name, share, start, end, middle))
        start = end
    return sectors


def _calculate(shares: list[int], template: str, whole: int, refs: tuple[str, ...]) -> list[Step]:
    """The arithmetic from the percentages that were read to the answer."""
    if template == "missing":
        return [compute("100 - " + " - ".join(map(str, shares)), 100 - sum(shares), refs)]
    first, total = shares[0], sum(shares)
    if template == "share":
        return [compute(f"{whole} * {first} / 100", whole * first // 100, refs)]
    added = compute(f"{first} + {shares[1]}", total, refs)
    if template == "combined":
        return [added]
    return [added, compute(f"{whole} * {total} / 100", whole * total // 100, refs)]


def _text_color(background: Color) -> Color:
    """Ink on light colours, white on dark ones, by the luma of ITU-R BT.601."""
    red, green, blue = background
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else WHITE
