"""Lettered dots joined by lines: how many lines at a dot, how far, is there a way, a loop?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import INK, WHITE, Drawing, Point
from mstar.envs.families.parts.graph import Lines, neighbors, pieces, way
from mstar.envs.families.parts.random_graphs import forest, layers, parts, star
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

LETTERS = "BCDEFHKLMNPRT"  # no A, which reads as an article
RING, RADIUS = 0.39, 0.08  # of the circle that the dots lie on, of a dot
LONGEST = 5  # lines of a shortest way

Solved = tuple[list[Step], Answer, tuple[str, ...]]


class GraphPicture(Family):
    """Six to eight dots on a ring, where no line can touch a dot that it does not join."""

    name: ClassVar[str] = "GraphPicture"
    topic: ClassVar[str] = "graphs"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "degree": (
            "How many lines end at {a}?",
            "How many dots is {a} joined to by a line?",
            "Count the lines at dot {a}.",
        ),
        "linked": (
            "Can you get from {a} to {b} along the lines?",
            "Is there a way over the lines from dot {a} to dot {b}?",
            "Do the lines connect {a} with {b}, maybe over other dots?",
        ),
        "shortest": (
            "What is the smallest number of lines on a way from {a} to {b}?",
            "How many lines does the shortest way from {a} to {b} use?",
            "Going from dot {a} to dot {b}, how many lines do you need at least?",
        ),
        "loop": (
            "Do some of the lines form a closed loop?",
            "Is there a way along different lines that comes back to where it starts?",
            "Does the drawing contain a closed ring of lines between dots?",
        ),
    }

    dots = Knob("perception", 6, 7, 8)
    extra = Knob("distractor", 1, 2, 4)  # lines that do not matter
    templates = Knob(
        "reasoning",
        ("degree", "linked", "shortest"),
        ("degree", "linked", "shortest", "loop"),
        ("degree", "linked", "shortest", "loop"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Letters around the ring, the lines between places, and what is asked."""
        names = [LETTERS[i] for i in rng.permutation(len(LETTERS))[: self.dots]]
        template = self.templates[rng.integers(len(self.templates))]
        ask = {"template": template}
        if template != "loop":
            a, b = (int(i) for i in rng.permutation(self.dots)[:2])
            ask |= {"a": names[a]} if template == "degree" else {"a": names[a], "b": names[b]}
        latent = {"names": names, "ask": ask}
        return {**latent, "lines": self._lines(latent, bool(rng.integers(2)), rng)}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other lines between the same dots; a way or a loop goes, or comes."""
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
            lines = layers(order, LONGEST, self.extra, rng)
        elif ask["template"] == "linked":
            lines = parts(order, there, self.extra, rng)
        else:
            lines = forest(order, there, rng)
        return [list(line) for line in sorted(lines)]

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the graph, word the question, and solve it."""
        ask = latent["ask"]
        spots = _spots(len(latent["names"]), style)
        solve = {"degree": _degree, "linked": _linked, "shortest": _shortest, "loop": _loop}
        steps, answer, wrong = solve[ask["template"]](latent, spots)
        return Problem(
            id="",
            pictures=(_picture(latent, spots, style),),
            question=self.word(ask["template"], style, a=ask.get("a"), b=ask.get("b")),
            answer=answer,
            steps=tuple(steps),
            latent=latent,
            template=ask["template"],
            distractors=wrong,
        )


def _lines_of(latent: Latent) -> Lines:
    return {(a, b) for a, b in latent["lines"]}


def _places(latent: Latent) -> list[int]:
    """Where the asked dots are on the ring: a, then b."""
    ask = latent["ask"]
    return [latent["names"].index(ask[key]) for key in ("a", "b") if key in ask]


def _there(latent: Latent) -> bool:
    """Whether there is a way from a to b, or a loop where no dots are named."""
    count, lines = len(latent["names"]), _lines_of(latent)
    hung = pieces(count, lines)
    if latent["ask"]["template"] == "loop":
        return len(lines) > count - len(hung)
    places = set(_places(latent))
    return any(places <= part for part in hung)


def _named(latent: Latent, places: Iterable[int]) -> str:
    return ", ".join(sorted(latent["names"][place] for place in places))


def _degree(latent: Latent, spots: list[Point]) -> Solved:
    (place,) = _places(latent)
    found = neighbors(_lines_of(latent), place)
    named, count = _named(latent, found), len(found)
    a, box = latent["ask"]["a"], _box([place, *found], spots)
    steps = [
        Step(f"{a} is joined to {named}", "perceive", named, (a, *named.split(", ")), box),
        Step(f"{' + '.join('1' * count)} = {count}", "compute", str(count), (a,)),
    ]
    return steps, Answer("number", str(count)), distractors(count)


def _linked(latent: Latent, spots: list[Point]) -> Solved:
    a, b = latent["ask"]["a"], latent["ask"]["b"]
    start, end = _places(latent)
    part = next(p for p in pieces(len(spots), _lines_of(latent)) if start in p)
    named = _named(latent, part - {start})
    said = "yes" if end in part else "no"
    among = "is one of them" if end in part else "is not one of them"
    steps = [
        Step(f"from {a} the lines lead to {named}", "perceive", named, (a,), _box(part, spots)),
        Step(f"{b} {among}: {said}", "conclude", said, (a, b)),
    ]
    return steps, Answer("yes_no", said), ("no" if said == "yes" else "yes",)


def _shortest(latent: Latent, spots: list[Point]) -> Solved:
    lines, names = _lines_of(latent), latent["names"]
    start, end = _places(latent)
    path = way(lines, start, end)
    steps = [
        Step(
            f"{names[i]} is joined to {names[j]}",
            "perceive",
            names[j],
            (names[i], names[j]),
            _box((i, j), spots),
        )
        for i, j in pairwise(path)
    ]
    count = len(path) - 1
    total = " + ".join("1" * count)
    steps.append(Step(f"{total} = {count}", "compute", str(count), (names[start], names[end])))
    return steps, Answer("number", str(count)), distractors(count)


def _loop(latent: Latent, spots: list[Point]) -> Solved:
    """A graph has no loop where its lines are as many as its dots less its parts."""
    dots, lines = len(spots), len(latent["lines"])
    apart = len(pieces(dots, _lines_of(latent)))
    whole, free = (0.0, 0.0, 1.0, 1.0), dots - apart
    said = "yes" if lines > free else "no"
    than = f"{lines} is more than {free}" if lines > free else f"{lines} is not more than {free}"
    steps = [
        Step(f"dots: {dots}", "perceive", str(dots), (), whole),
        Step(f"parts: {apart}", "perceive", str(apart), (), whole),
        Step(f"lines: {lines}", "perceive", str(lines), (), whole),
        Step(f"{dots} - {apart} = {free}", "compute", str(free)),
        Step(f"{than}: {said}", "conclude", said),
    ]
    return steps, Answer("yes_no", said), ("no" if said == "yes" else "yes",)


def _spots(count: int, style: Style) -> list[Point]:
    turn = math.pi * style.shift[0]
    angles = [turn + 2 * math.pi * i / count for i in range(count)]
    return [(0.5 + RING * math.cos(a), 0.5 + RING * math.sin(a)) for a in angles]


def _box(places: Iterable[int], spots: list[Point]) -> Box:
    return enclosing(around(spots[place], RADIUS) for place in places)


def _picture(latent: Latent, spots: list[Point], style: Style) -> Drawing:
    drawing = Drawing(style.background)
    for a, b in latent["lines"]:
        drawing.line([spots[a], spots[b]], color=INK, width=0.014)
    for name, spot in zip(latent["names"], spots, strict=True):
        drawing.ellipse(spot, RADIUS, fill=WHITE, outline=style.color("blue"), width=0.014)
        drawing.text(spot, name, height=0.11)
    return drawing
