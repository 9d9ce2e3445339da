"""Lettered dots joined by lines: how many lines at a dot, how far, is there a way, a loop?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.drawing import INK, WHITE, Drawing, Point
from mstar.envs.families.parts.graphs import (
    Edges,
    components,
    forest,
    layered,
    neighbors,
    shortest_path,
    star,
    two_components,
)
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, add_ones, compute, conclude, perceive

LETTERS = "BCDEFHKLMNPRT"  # no A, which reads as an article
RING, RADIUS = 0.39, 0.08  # radius of the circle of dots, radius of a dot
LONGEST = 5  # lines of a shortest path, at most


class GraphPicture(Family):
    """Six to eight dots on a ring, where no line can touch a dot that it does not join."""

    name: ClassVar[str] = "GraphPicture"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "graphs"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "degree": (
            "How many lines end at {a}?",
            "How many dots is {a} joined to by a line?",
            "Count the lines at dot {a}.",
        ),
        "linked": (
            "Can you get from {a} to {b} along the lines?",
            "Is there a path along the lines from dot {a} to dot {b}?",
            "Do the lines connect {a} to {b}, possibly through other dots?",
        ),
        "shortest": (
            "What is the smallest number of lines on a path from {a} to {b}?",
            "How many lines does the shortest path from {a} to {b} use?",
            "What is the least number of lines needed to get from dot {a} to dot {b}?",
        ),
        "loop": (
            "Do some of the lines form a closed loop?",
            "Is there a path along different lines that returns to where it started?",
            "Does the drawing contain a cycle of lines?",
        ),
    }

    dots = Difficulty("perception", 6, 7, 8)
    extra = Difficulty("distractor", 1, 2, 4)  # lines that do not change the answer
    templates = Difficulty(
        "reasoning",
        ("degree", "linked", "shortest"),
        ("degree", "linked", "shortest", "loop"),
        ("degree", "linked", "shortest", "loop"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Letters around the ring, the lines between places, and what is asked."""
        names = shuffled(LETTERS, rng)[: self.dots]
        template = choose(self.templates, rng)
        ask = {"template": template}
        if template != "loop":
            a, b = (int(i) for i in rng.permutation(self.dots)[:2])
            ask |= {"a": names[a]} if template == "degree" else {"a": names[a], "b": names[b]}
        latent = {"names": names, "ask": ask}
        return {**latent, "lines": self._lines(latent, bool(rng.integers(2)), rng)}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other lines between the same dots; a path or a loop appears or disappears."""
        return {**latent, "lines": self._lines(latent, not _there(latent), rng)}

    def _lines(self, latent: Latent, there: bool, rng: np.random.Generator) -> list[list[int]]:
        ask, names = latent["ask"], latent["names"]
        order = [int(i) for i in rng.permutation(self.dots)]
        for name in (ask[key] for key in ("b", "a") if key in ask):  # a first, then b
            order.remove(names.index(name))
            order.insert(0, names.index(name))
        if ask["template"] == "degree":
            lines = star(order, self.extra, rng)
        elif ask["template"] == "shortest":
            lines = layered(order, LONGEST, self.extra, rng)
        elif ask["template"] == "linked":
            lines = two_components(order, there, self.extra, rng)
        else:
            lines = forest(order, there, rng)
        return [list(line) for line in sorted(lines)]

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the lines that the question is about, then count or conclude."""
        solve = {"degree": _degree, "linked": _linked, "shortest": _shortest, "loop": _loop}
        return solve[latent["ask"]["template"]](latent, _spots(latent, style))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the lines, and the dots over their ends."""
        drawing, spots = Drawing(style.background), _spots(latent, style)
        for a, b in latent["lines"]:
            drawing.line([spots[a], spots[b]], color=INK, width=0.014)
        for name, spot in zip(latent["names"], spots, strict=True):
            drawing.ellipse(spot, RADIUS, fill=WHITE, outline=style.color("blue"), width=0.014)
            drawing.text(spot, name, height=0.11)
        return drawing


def _lines_of(latent: Latent) -> Edges:
    return {(a, b) for a, b in latent["lines"]}


def _places(latent: Latent) -> list[int]:
    """The indices of the dots asked about on the ring: a, then b."""
    ask = latent["ask"]
    return [latent["names"].index(ask[key]) for key in ("a", "b") if key in ask]


def _there(latent: Latent) -> bool:
    """Whether there is a path from a to b, or a loop where no dots are named."""
    count, lines = len(latent["names"]), _lines_of(latent)
    found = components(count, lines)
    if latent["ask"]["template"] == "loop":
        return len(lines) > count - len(found)
    places = set(_places(latent))
    return any(places <= component for component in found)


def _named(latent: Latent, places: Iterable[int]) -> str:
    return ", ".join(sorted(latent["names"][place] for place in places))


def _degree(latent: Latent, spots: list[Point]) -> Solution:
    (place,) = _places(latent)
    others = neighbors(_lines_of(latent), place)
    named, count = _named(latent, others), len(others)
    a, box = latent["ask"]["a"], _box([place, *others], spots)
    read = perceive(f"{a} is joined to {named}", named, (a, *named.split(", ")), box)
    return Solution.number([read, add_ones(count, (a,))])


def _linked(latent: Latent, spots: list[Point]) -> Solution:
    a, b = latent["ask"]["a"], latent["ask"]["b"]
    start, end = _places(latent)
    component = next(c for c in components(len(spots), _lines_of(latent)) if start in c)
    named = _named(latent, component - {start})
    verdict = "yes" if end in component else "no"
    among = "is one of them" if end in component else "is not one of them"
    steps = (
        perceive(f"from {a} the lines lead to {named}", named, (a,), _box(component, spots)),
        conclude(f"{b} {among}: {verdict}", verdict, (a, b)),
    )
    return Solution.yes_no(steps)


def _shortest(latent: Latent, spots: list[Point]) -> Solution:
    names = latent["names"]
    start, end = _places(latent)
    path = shortest_path(_lines_of(latent), start, end)
    steps = [
        perceive(
            f"{names[i]} is joined to {names[j]}",
            names[j],
            (names[i], names[j]),
            _box((i, j), spots),
        )
        for i, j in pairwise(path)
    ]
    steps.append(add_ones(len(path) - 1, (names[start], names[end])))
    return Solution.number(steps)


def _loop(latent: Latent, spots: list[Point]) -> Solution:
    """A graph has no loop where its lines are as many as its dots less its components."""
    dots, lines = len(spots), len(latent["lines"])
    apart = len(components(dots, _lines_of(latent)))
    whole, free = (0.0, 0.0, 1.0, 1.0), dots - apart
    verdict = "yes" if lines > free else "no"
    than = f"{lines} is more than {free}" if lines > free else f"{lines} is not more than {free}"
    steps = (
        perceive(f"dots: {dots}", dots, (), whole),
        perceive(f"parts: {apart}", apart, (), whole),
        perceive(f"lines: {lines}", lines, (), whole),
        compute(f"{dots} - {apart}", free),
        conclude(f"{than}: {verdict}", verdict),
    )
    return Solution.yes_no(steps)


def _spots(latent: Latent, style: Style) -> list[Point]:
    count, turn = len(latent["names"]), math.pi * style.shift[0]
    angles = [turn + 2 * math.pi * i / count for i in range(count)]
    return [(0.5 + RING * math.cos(a), 0.5 + RING * math.sin(a)) for a in angles]


def _box(places: Iterable[int], spots: list[Point]) -> Box:
    return enclosing(around(spots[place], RADIUS) for place in places)
