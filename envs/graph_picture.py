"""Lettered dots joined by lines: how many lines at a dot, how far, is there a way, a loop?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.boxes import Box, around, enclosing
from mstar.envs.distractors import distractors
from mstar.envs.drawing import INK, WHITE, Drawing, Point
from mstar.envs.family import Family, Knob, Latent, Style
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

LETTERS = "BCDEFHKLMNPRT"  # no A, which reads as an article
RING, RADIUS = 0.39, 0.08  # of the circle that the dots lie on, of a dot
LONGEST = 5  # lines of a shortest way

Lines = set[tuple[int, int]]  # pairs of places on the ring, the smaller first
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
        there = True
        if latent["ask"]["template"] in ("linked", "loop"):
            there = _ask(latent)[1].value == "no"
        return {**latent, "lines": self._lines(latent, there, rng)}

    def _lines(self, latent: Latent, there: bool, rng: np.random.Generator) -> list[list[int]]:
        ask, names = latent["ask"], latent["names"]
        order = [int(i) for i in rng.permutation(self.dots)]
        for name in (ask[key] for key in ("b", "a") if key in ask):  # a first, then b
            order.remove(names.index(name))
            order.insert(0, names.index(name))
        if ask["template"] == "degree":
            lines = self._star(order, rng)
        elif ask["template"] == "shortest":
            lines = self._layers(order, rng)
        else:
            lines = self._pieces(order, ask["template"], there, rng)
        return [list(line) for line in sorted(lines)]

    def _star(self, order: list[int], rng: np.random.Generator) -> Lines:
        """Two to five lines at the first dot, and more between the others."""
        count = int(rng.integers(2, 6))
        lines = {_line(order[0], other) for other in order[1 : count + 1]}
        return self._more(lines, [(a, b) for a in order[1:] for b in order[1:] if a < b], rng)

    def _layers(self, order: list[int], rng: np.random.Generator) -> Lines:
        """A way of two to five lines from the first to the second dot, and none shorter."""
        length = int(rng.integers(2, LONGEST + 1))
        a, b, *rest = order
        way = [a, *rest[: length - 1], b]
        layer = {dot: index for index, dot in enumerate(way)}
        lines = {_line(*pair) for pair in zip(way, way[1:], strict=False)}
        for dot in rest[length - 1 :]:
            joined = list(layer)[rng.integers(len(layer))]
            layer[dot] = layer[joined] + 1
            lines.add(_line(dot, joined))
        # Lines within a layer or to the next one make no way shorter.
        return self._more(
            lines, [(i, j) for i in order for j in order if i < j and abs(layer[i] - layer[j]) < 2], rng
        )

    def _pieces(self, order: list[int], template: str, there: bool, rng: np.random.Generator) -> Lines:
        """Two trees, with the first two dots in one or apart; or as many lines, some in a loop."""
        if template == "loop" and there:
            count = int(rng.integers(3, self.dots - 1))
            ring = order[:count]
            lines = {_line(*pair) for pair in zip(ring, [*ring[1:], ring[0]], strict=True)}
            while len(lines) < self.dots - 2:
                new, old = order[count], order[rng.integers(count)]
                lines.add(_line(new, old))
                count += 1
            return lines
        a, b, *rest = order
        cut = int(rng.integers(1, len(rest)))
        same = template == "linked" and there
        first, second = [a, *rest[:cut]], [b, *rest[cut:]]
        if same:
            first, second = [a, *rest[:cut], b][: len(rest) + 1], rest[cut:]
        lines = set()
        for piece in (first, second):
            # Chains rather than stars, so that a way takes some following.
            for index, dot in enumerate(piece[1:], 1):
                lines.add(_line(dot, piece[max(0, index - int(rng.integers(1, 3)))]))
        if template == "linked":
            pairs = [_line(i, j) for piece in (first, second) for i in piece for j in piece if i < j]
            lines = self._more(lines, pairs, rng)
        return lines

    def _more(self, lines: Lines, pairs: list[tuple[int, int]], rng: np.random.Generator) -> Lines:
        new = [pair for pair in pairs if pair not in lines]
        chosen = rng.permutation(len(new))[: self.extra] if new else []
        return lines | {new[i] for i in chosen}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the graph, word the question, and solve it."""
        ask = latent["ask"]
        spots = _spots(len(latent["names"]), style)
        steps, answer, wrong = _ask(latent, spots)
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


def _line(a: int, b: int) -> tuple[int, int]:
    return (min(a, b), max(a, b))
