"""Sectors with their percents: one share of the whole, two together, the one not written?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.axes import DIGITS
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, INK, WHITE, Color, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

RADIUS, HOLE, LABELS = 0.48, 0.13, 0.34  # the hole is there where the whole is written in it
CENTER = (0.5, 0.5)
COUNTED = ("share", "both")  # the templates that ask for a number of the whole


class PieChart(Family):
    """Three to five sectors that sum to 100 percent; the middle may say how many that is."""

    name: ClassVar[str] = "PieChart"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "share": (
            "The middle says how many people were asked. How many chose {a}?",
            "All the people are counted in the middle. How many of them are {a}?",
            "How many people does the {a} part stand for, if the middle stands for all?",
        ),
        "both": (
            "The middle says how many people were asked. How many chose {a} or {b}?",
            "All the people are counted in the middle. How many of them are {a} or {b}?",
            "How many people do {a} and {b} stand for, if the middle stands for all?",
        ),
        "combined": (
            "What percent are {a} and {b} together?",
            "How many percent of the pie are {a} or {b}?",
            "What do the {a} and the {b} part add up to in percent?",
        ),
        "missing": (
            "What percent of the pie is {a}?",
            "How many percent is the {a} part?",
            "What is the share of {a} in percent?",
        ),
    }

    sectors = Knob("perception", 3, 4, 5)
    grain = Knob("reasoning", 5, 5, 1)  # percent
    templates = Knob(
        "reasoning",
        ("share", "combined", "missing"),
        ("share", "combined", "missing"),
        ("share", "both", "combined", "missing"),
    )
    extra = Knob("distractor", False, True, True)  # a whole in the middle when nobody asks for it

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours, their percents, the whole (0: not shown) and what is asked."""
        colors = [str(c) for c in rng.choice(list(COLORS), size=self.sectors, replace=False)]
        template = self.templates[rng.integers(len(self.templates))]
        first, second = rng.permutation(self.sectors)[:2].tolist()
        ask = {"template": template, "a": colors[first], "b": colors[second]}
        if template in ("share", "missing"):
            del ask["b"]
        whole = template in COUNTED or self.extra
        start = colors.index(min(colors))  # a turned pie is the same pie
        colors = colors[start:] + colors[:start]
        return {"colors": colors, **self._numbers(rng, whole), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other percents and another whole under the same colours and question."""
        return {**latent, **self._numbers(rng, latent["whole"] > 0)}

    def _numbers(self, rng: np.random.Generator, whole: bool) -> Latent:
        """Percents of at least 12, all different, and a whole that they divide without a rest."""
        least = -(-12 // self.grain) * self.grain
        free = (100 - least * self.sectors) // self.grain
        shares: list[int] = []
        while len(set(shares)) < self.sectors:
            cuts = sorted(int(c) for c in rng.integers(0, free + 1, size=self.sectors - 1))
            parts = [b - a for a, b in zip((0, *cuts), (*cuts, free), strict=True)]
            shares = [least + self.grain * part for part in parts]
        shares[0] += 100 - sum(shares)
        return {"shares": shares, "whole": 100 * int(rng.integers(2, 10)) if whole else 0}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the pie, word the question, and solve it."""
        ask = latent["ask"]
        shares = dict(zip(latent["colors"], latent["shares"], strict=True))
        turn = 180 * style.shift[0]
        boxes = {name: around(middle, 0.1, 0.07) for name, _, _, middle in _sectors(shares, turn)}
        asked = [ask[key] for key in ("a", "b") if key in ask]
        missing = ask["template"] == "missing"
        read = [name for name in shares if name not in asked] if missing else asked
        perceived = [
            Step(f"{n} is {shares[n]}", "perceive", str(shares[n]), (n,), boxes[n]) for n in read
        ]
        if ask["template"] in COUNTED:
            whole = str(latent["whole"])
            perceived.append(
                Step(f"all are {whole}", "perceive", whole, ("all",), around(CENTER, 0.1, 0.07))
            )
        computed = _compute([shares[n] for n in read], ask["template"], latent["whole"], read)
        result = int(computed[-1].value)
        total = sum(shares[n] for n in asked)
        scale = latent["whole"] if ask["template"] in COUNTED else 100
        others = (scale * share // 100 for share in shares.values())
        return Problem(
            id="",
            pictures=(_picture(shares, latent["whole"], asked[0] if missing else "", style, turn),),
            question=self.word(ask["template"], style, a=ask["a"], b=ask.get("b")),
            answer=Answer("number", str(result), unit=None if ask["template"] in COUNTED else "%"),
            steps=(*perceived, *computed),
            latent=latent,
            template=ask["template"],
            distractors=distractors(result, total, scale - result, *others),
        )


def _compute(read: list[int], template: str, whole: int, refs: list[str]) -> list[Step]:
    if template == "missing":
        lines = [("100 - " + " - ".join(str(v) for v in read), 100 - sum(read))]
    elif template == "combined":
        lines = [(f"{read[0]} + {read[1]}", sum(read))]
    elif template == "share":
        lines = [(f"{whole} * {read[0]} / 100", whole * read[0] // 100)]
    else:
        both = sum(read)
        lines = [
            (f"{read[0]} + {read[1]}", both),
            (f"{whole} * {both} / 100", whole * both // 100),
        ]
    return [Step(f"{line} = {v}", "compute", str(v), tuple(refs)) for line, v in lines]


def _sectors(
    shares: Mapping[str, int], turn: float
) -> list[tuple[str, float, float, tuple[float, float]]]:
    """Name, start and end in degrees, and where the label goes, of each sector."""
    found, start = [], turn
    for name, share in shares.items():
        end = start + 3.6 * share
        angle = math.radians((start + end) / 2)
        middle = (
            CENTER[0] + LABELS * math.cos(angle),
            CENTER[1] + LABELS * math.sin(angle),
        )
        found.append((name, start, end, middle))
        start = end
    return found


def _picture(
    shares: Mapping[str, int], whole: int, hidden: str, style: Style, turn: float
) -> Drawing:
    drawing = Drawing(style.background)
    for name, start, end, middle in _sectors(shares, turn):
        color = style.color(name)
        drawing.pie(CENTER, RADIUS, start, end, fill=color, outline=WHITE)
        drawing.text(middle, "?" if name == hidden else f"{shares[name]}%", DIGITS, _on(color))
    if whole:
        drawing.ellipse(CENTER, HOLE, fill=style.background)
        drawing.text(CENTER, str(whole), DIGITS)
    return drawing


def _on(color: Color) -> Color:
    """Ink on light colours, white on dark ones; weights are those of ITU-R BT.601."""
    return INK if 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 125 else WHITE
