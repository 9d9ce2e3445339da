"""A family tree: parents, common ancestors, generations, people without children."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.drawing import INK, Drawing, Point
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.parts.trees import Parents, ancestors, grow, leaves, spread
from mstar.envs.families.solution import Solution, add_ones, conclude, perceive
from mstar.envs.problem import Step

# Short and narrow, so that five of them fit side by side.
NAMES = ("Eva", "Fay", "Gil", "Ian", "Ida", "Jim", "Joe", "Kit", "Lea", "Liz", "Pia", "Tim", "Ute")
DEPTHS, WIDEST = 4, 5  # greatest depth, most people without children
CHILDREN = 3  # of one person, at most
HEIGHT = 0.1  # of a name


class Tree(Family):
    """Six to eight people under one at the top, the children of each in the row below."""

    name: ClassVar[str] = "Tree"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "graphs"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "parent": (
            "Who is the parent of {a}?",
            "Whose child is {a}?",
            "Who has {a} as a child?",
        ),
        "grandparent": (
            "Who is the grandparent of {a}?",
            "Who is the parent of the parent of {a}?",
            "Whose grandchild is {a}?",
        ),
        "common": (
            "Who is the nearest common ancestor of {a} and {b}?",
            "Go up from {a} and from {b} to where the lines first meet. Who is there?",
            "Who is the lowest person in the tree with both {a} and {b} below?",
        ),
        "depth": (
            "The person at the top is the first generation. Which generation is {a}?",
            "How many people are on the line from the top down to {a}, counting both ends?",
            "Counting rows from the top, in which row is {a}?",
        ),
        "leaves": (
            "How many people have no children?",
            "How many people have nobody below them?",
            "Count the people without children.",
        ),
    }

    people = Difficulty("perception", 7, 8, 9)
    templates = Difficulty(
        "reasoning",
        ("parent", "depth", "leaves"),
        ("parent", "grandparent", "depth", "leaves"),
        ("grandparent", "common", "depth", "leaves"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Names, the parent of each, and what is asked about the first names."""
        names = shuffled(NAMES, rng)[: self.people]
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        if ask["template"] != "leaves":
            ask["a"] = names[0]
        if ask["template"] == "common":
            ask["b"] = names[1]
        return self.vary({"names": names, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same names in another tree."""
        template = latent["ask"]["template"]
        if template == "leaves":
            ends = int(rng.integers(2, WIDEST + 1))
            depth = int(rng.integers(2, min(DEPTHS, self.people - ends) + 1))
        else:
            depth = int(rng.integers(2 if template == "grandparent" else 1, DEPTHS + 1))
            ends = int(rng.integers(2, min(WIDEST, self.people - max(2, depth)) + 1))
        while True:
            parents = grow(self.people, ends, max(2, depth), (DEPTHS, CHILDREN), rng)
            asked = self._asked(template, depth, parents, rng)
            if asked is not None:
                break
        rest = [i for i in range(self.people) if i not in asked]
        order = [*asked, *(rest[i] for i in rng.permutation(len(rest)))]  # nodes by person
        person = {node: place for place, node in enumerate(order)}
        found = [person[parents[node]] if parents[node] >= 0 else -1 for node in order]
        return {**latent, "parents": found}

    @staticmethod
    def _asked(
        template: str, depth: int, parents: Parents, rng: np.random.Generator
    ) -> list[int] | None:
        """The nodes that the question is about; None if no node of the tree fits."""
        if template == "leaves":
            return []
        deep = [n for n in range(len(parents)) if len(ancestors(parents, n)) == depth]
        if not deep:
            return None
        a = choose(deep, rng)
        if template != "common":
            return [a]
        line = {a, *ancestors(parents, a)}
        others = [
            n for n in range(len(parents)) if n not in line and a not in ancestors(parents, n)
        ]
        return [a, choose(others, rng)] if others else None

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Follow the lines upwards, or find who has no child."""
        template, names, parents = latent["ask"]["template"], latent["names"], latent["parents"]
        spots, line = _spots(parents, style), [0, *ancestors(parents, 0)]
        if template in ("parent", "grandparent"):
            up = 1 if template == "parent" else 2
            steps, found = _climb(latent, line[: up + 1], spots), names[line[up]]
            steps.append(conclude(f"the {template} is {found}", found, (found,)))
            return Solution.text(steps, _others(names, {found, names[0]}))
        if template == "common":
            return _common(latent, spots)
        if template == "depth":
            steps, refs = _climb(latent, line, spots), tuple(names[node] for node in line)
        else:
            ends = sorted(leaves(parents), key=lambda node: spots[node])
            refs = tuple(names[node] for node in ends)
            named = ", ".join(refs)
            steps = [perceive(f"no child: {named}", named, refs, _box(ends, spots))]
        return Solution.number([*steps, add_ones(len(refs), refs)], [len(names) - len(refs)])

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the lines from parents to children, then the names."""
        drawing, parents = Drawing(style.background), latent["parents"]
        spots = _spots(parents, style)
        for (x, y), parent in zip(spots, parents, strict=True):
            if parent >= 0:
                above_x, above_y = spots[parent]
                ends = [(above_x, above_y + 0.06), (x, y - 0.06)]
                drawing.line(ends, color=style.color("blue"), width=0.014)
        for name, spot in zip(latent["names"], spots, strict=True):
            drawing.text(spot, name, height=HEIGHT, color=INK)
        return drawing


def _common(latent: Latent, spots: list[Point]) -> Solution:
    names, parents = latent["names"], latent["parents"]
    lines = [ancestors(parents, node) for node in (0, 1)]
    steps = []
    for node, line in enumerate(lines):
        named, box = ", ".join(names[other] for other in line), _box([node, *line], spots)
        steps.append(perceive(f"above {names[node]}: {named}", named, (names[node],), box))
    found = names[next(node for node in lines[0] if node in lines[1])]
    steps.append(conclude(f"the first in both is {found}", found, (found,)))
    return Solution.text(steps, _others(names, {found, names[0], names[1]}))


def _climb(latent: Latent, line: list[int], spots: list[Point]) -> list[Step]:
    """One step for each line that is followed upwards."""
    names = latent["names"]
    return [
        perceive(
            f"above {names[low]} is {names[high]}",
            names[high],
            (names[low], names[high]),
            _box([low, high], spots),
        )
        for low, high in pairwise(line)
    ]


def _others(names: list[str], known: set[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in known)


def _box(nodes: list[int], spots: list[Point]) -> Box:
    return enclosing(around(spots[node], 0.1, 0.06) for node in nodes)


def _spots(parents: Parents, style: Style) -> list[Point]:
    last = len(leaves(parents)) - 1
    pitch, top = min(0.27, 0.8 / last), 0.1 + 0.01 * style.shift[1]
    return [(0.5 + pitch * (x - last / 2), top + 0.2 * row) for x, row in spread(parents)]
