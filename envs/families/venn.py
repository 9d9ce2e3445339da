"""Two or three overlapping circles with a number in each part: only one, both, any?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.drawing import COLORS, INK, WHITE, Drawing, Point
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, conclude, perceive
from mstar.envs.problem import Step

# Of two and of three circles: centres, radius, and the place of the number of each part. A part
# is named by the circles that it lies in, "a" to "c"; "" is outside of all.
MIDDLES: Mapping[int, Mapping[str, Point]] = {
    2: {"a": (0.34, 0.55), "b": (0.66, 0.55)},
    3: {"a": (0.34, 0.37), "b": (0.66, 0.37), "c": (0.5, 0.65)},
}
RADII = {2: 0.31, 3: 0.31}
PARTS: Mapping[int, Mapping[str, Point]] = {
    2: {"a": (0.19, 0.55), "ab": (0.5, 0.55), "b": (0.81, 0.55), "": (0.9, 0.93)},
    3: {
        "a": (0.2, 0.3),
        "b": (0.8, 0.3),
        "c": (0.5, 0.82),
        "ab": (0.5, 0.25),
        "ac": (0.3, 0.57),
        "bc": (0.7, 0.57),
        "abc": (0.5, 0.46),
        "": (0.9, 0.9),
    },
}
TAG: Mapping[int, Point] = {2: (0.14, 0.11), 3: (0.14, 0.89)}
HEIGHT = 0.11


class Venn(Family):
    """Circles of named colours in a frame; a tag of a circle's colour shows its total."""

    name: ClassVar[str] = "Venn"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "sets"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "only": (
            "What number is in the {a} circle and in no other?",
            "How many are in the {a} circle only?",
            "How many are inside the {a} circle alone?",
        ),
        "both": (
            "How many are in the {a} circle and also in the {b} circle?",
            "How many lie inside both the {a} and the {b} circle?",
            "How many are in both the {a} circle and the {b} circle?",
        ),
        "whole": (
            "How many are in the {a} circle in all?",
            "Add up everything inside the {a} circle. What is the total?",
            "How many does the whole {a} circle hold?",
        ),
        "union": (
            "How many are in the {a} circle, the {b} circle or both?",
            "How many lie inside at least one circle?",
            "How many are inside the circles in all?",
        ),
        "once": (
            "How many are in exactly one circle?",
            "How many lie inside a single circle and no other?",
            "How many are in just one of the circles?",
        ),
        "twice": (
            "How many are in exactly two circles?",
            "How many lie inside two of the circles but not inside the third?",
            "How many are in just two of the circles?",
        ),
        "missing": (
            "The tag says how many are in the {a} circle in all. What is the hidden number?",
            "The tag counts the whole {a} circle. What belongs in place of the question mark?",
            "The {a} circle holds as many as the tag says. What number is the question mark?",
        ),
    }

    circles = Difficulty("perception", 2, 2, 3)
    largest = Difficulty("perception", 12, 30, 20)
    outside = Difficulty("distractor", False, True, True)  # a number outside of all circles
    templates = Difficulty(
        "reasoning",
        ("only", "both", "whole", "union"),
        ("whole", "union", "once", "missing"),
        ("both", "whole", "once", "twice", "missing"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Colours of the circles, the number of each part, the hidden part, and what is asked."""
        colors = shuffled(COLORS, rng)[: self.circles]
        order = [int(i) for i in rng.permutation(self.circles)]
        template = choose(self.templates, rng)
        ask = {"template": template, "a": colors[order[0]], "b": colors[order[1]]}
        return self.vary({"colors": colors, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers in the same circles; no two are equal."""
        parts = [part for part in PARTS[self.circles] if part or self.outside]
        numbers = [int(v) for v in rng.permutation(np.arange(1, self.largest + 1))[: len(parts)]]
        hidden = ""
        if latent["ask"]["template"] == "missing":
            inside = _inside(parts, _letters(latent)["a"])
            hidden = choose(inside, rng)
        return {**latent, "parts": dict(zip(parts, numbers, strict=True)), "hidden": hidden}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the parts that count, and the tag, then add or subtract."""
        parts, hidden = latent["parts"], latent["hidden"]
        counted = _counted(latent)
        read = [part for part in counted if part != hidden]
        steps = [_read(part, latent, style) for part in read]
        values, refs = [parts[part] for part in read], tuple(read)
        if hidden:
            whole = sum(parts[part] for part in counted)
            box = around(_mirrored(TAG[len(latent["colors"])], style), 0.12, 0.09)
            steps.insert(0, perceive(f"the tag says {whole}", whole, ("tag",), box))
            expression = " - ".join(str(v) for v in (whole, *values))
            steps.append(compute(expression, parts[hidden], refs))
        elif len(values) > 1:
            steps.append(compute(" + ".join(map(str, values)), sum(values), refs))
        else:
            steps.append(conclude(f"that makes {values[0]}", values[0], refs))
        inside = sum(number for part, number in parts.items() if part)
        return Solution.number(steps, (inside, *values[:2]))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the frame, the circles, the numbers and the tag."""
        drawing, count = Drawing(style.background), len(latent["colors"])
        if "" in latent["parts"]:
            drawing.rectangle((0.015, 0.015), (0.985, 0.985), outline=INK)
        for letter, color in zip("abc", latent["colors"], strict=False):
            middle = _mirrored(MIDDLES[count][letter], style)
            drawing.ellipse(middle, RADII[count], outline=style.color(color), width=0.024)
        for part, number in latent["parts"].items():
            hidden = part and part == latent["hidden"]
            spot = _mirrored(PARTS[count][part], style)
            drawing.text(spot, "?" if hidden else str(number), height=HEIGHT)
        if latent["hidden"]:
            whole = sum(latent["parts"][part] for part in _counted(latent))
            x, y = _mirrored(TAG[count], style)
            low, high = (x - 0.12, y - 0.09), (x + 0.12, y + 0.09)
            color = style.color(latent["ask"]["a"])
            drawing.rectangle(low, high, fill=WHITE, outline=color, width=0.024)
            drawing.text((x, y), str(whole), height=HEIGHT)
        return drawing


def _letters(latent: Latent) -> dict[str, str]:
    """The letters of the circles that the question calls a and b."""
    ask, colors = latent["ask"], latent["colors"]
    return {key: "abc"[colors.index(ask[key])] for key in ("a", "b")}


def _inside(parts: list[str], letter: str) -> list[str]:
    return [part for part in parts if letter in part]


def _counted(latent: Latent) -> list[str]:
    """The parts that the answer, or the tag, adds up."""
    parts, letters = [part for part in latent["parts"] if part], _letters(latent)
    template = latent["ask"]["template"]
    if template == "only":
        return [letters["a"]]
    if template == "both":
        return [part for part in parts if letters["a"] in part and letters["b"] in part]
    if template in ("whole", "missing"):
        return _inside(parts, letters["a"])
    if template == "union":
        return parts
    return [part for part in parts if len(part) == (1 if template == "once" else 2)]


def _read(part: str, latent: Latent, style: Style) -> Step:
    colors = [latent["colors"]["abc".index(letter)] for letter in part]
    number = str(latent["parts"][part])
    only = " only" if len(part) < len(latent["colors"]) else ""
    spot = _mirrored(PARTS[len(latent["colors"])][part], style)
    text = f"{' and '.join(colors)}{only}: {number}"
    return perceive(text, number, tuple(colors), around(spot, 0.09, 0.07))


def _mirrored(spot: Point, style: Style) -> Point:
    """A place, mirrored left to right in half of the styles so that no part has a fixed place."""
    return (1 - spot[0], spot[1]) if style.shift[0] < 0 else spot
