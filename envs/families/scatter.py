"""Lettered dots on a grid: how many lie there, which is out of line, which is nearest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.axes import FLOOR, LEFT, TOP, Scale, frame, rightward, upward
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.drawing import WHITE, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, add_ones, compute, conclude, perceive

LETTERS = "BCDEFHKLMNPRST"
DARK = ("red", "blue", "green", "purple", "brown")  # a white letter is legible on these
ACROSS, UP = Scale(0, 10, LEFT, 0.93), Scale(0, 10, FLOOR, TOP)
RADIUS = 0.05
APART = 4  # least squared distance between the centres of two dots, in units

Dot = tuple[int, int]


class Scatter(Family):
    """Six to nine dots with a letter in each, on a grid from 0 to 10; no two overlap."""

    name: ClassVar[str] = "Scatter"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "region": (
            "How many {dots} lie {where}?",
            "Count the {dots} {where}.",
            "What is the number of {dots} that are {where}?",
        ),
        "outlier": (
            "All dots but one lie on a line. Which dot does not?",
            "Which dot lies away from the line that the others form?",
            "Which letter is on the dot that does not fit the line?",
        ),
        "nearest": (
            "Which dot is nearest to {dot}?",
            "Which letter is on the dot closest to {dot}?",
            "Which dot has the shortest distance to dot {dot}?",
        ),
    }

    dots = Difficulty("perception", 6, 7, 8)
    offset = Difficulty("perception", 5, 4, 3)  # units between the outlier and the line
    conditions = Difficulty("reasoning", 1, 1, 2)
    colors = Difficulty("distractor", 1, 2, 2)
    templates = ("region", "outlier", "nearest")

    def latent(self, rng: np.random.Generator) -> Latent:
        """Letters, places and colours of the dots, and what is asked."""
        names = sorted(choose_several(LETTERS, self.dots, rng))
        palette = choose_several(DARK, self.colors, rng)
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        if ask["template"] == "nearest":
            ask["dot"] = names[rng.integers(self.dots)]
        if ask["template"] == "region":
            ask["color"] = palette[0] if self.colors > 1 else None
            # Four units from the far edge leave room for five dots under both conditions.
            sides = [("right of", 4), ("left of", 6)], [("above", 4), ("below", 6)]
            chosen = rng.permutation(2)[: self.conditions]
            ask["where"] = [list(sides[i][rng.integers(2)]) for i in sorted(chosen)]
            if self.conditions == 1:
                ask["where"][0][1] = int(rng.integers(4, 7))
        return {"names": names, **self._place(names, palette, ask, rng), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same letters in other places, and the same question."""
        ask = latent["ask"]
        palette = sorted(
            set(latent["colors"]), key=lambda color: (color != ask.get("color"), color)
        )
        return {**latent, **self._place(latent["names"], palette, ask, rng)}

    def _place(
        self, names: list[str], palette: list[str], ask: Mapping[str, Any], rng: np.random.Generator
    ) -> Latent:
        """Places and colours; tries again where the dots leave no room."""
        place = {"region": self._region, "outlier": self._outlier, "nearest": self._nearest}
        placed: list[Dot] = []
        while len(placed) < self.dots:
            cells = [(c // 9 + 1, c % 9 + 1) for c in rng.permutation(81).tolist()]
            placed, special = place[ask["template"]](ask, cells, rng)
        colors = [palette[i] for i in rng.integers(len(palette), size=self.dots)]
        colors[0], colors[-1] = palette[0], palette[-1]
        if ask["template"] == "region":  # only dots in the region have the colour asked for there
            colors[:special] = [palette[0]] * special
            for i in range(special, self.dots):
                if _within(placed[i], ask["where"]):
                    colors[i] = palette[-1]
        order = rng.permutation(self.dots).tolist()
        if ask["template"] == "nearest":
            order.remove(names.index(ask["dot"]))
            order.insert(0, names.index(ask["dot"]))
        where = [order.index(i) for i in range(self.dots)]
        return {"dots": [list(placed[i]) for i in where], "colors": [colors[i] for i in where]}

    def _region(
        self, ask: Mapping[str, Any], cells: list[Dot], rng: np.random.Generator
    ) -> tuple[list[Dot], int]:
        """Two to five dots in the region, the others outside or, in another colour, inside too."""
        inside = int(rng.integers(2, 6))
        limits = ask["where"]
        clear = [c for c in cells if not any(_coordinate(c, side) == at for side, at in limits)]
        within = {c for c in clear if _within(c, limits)}
        placed = _pick([c for c in clear if c in within], [], inside)
        if len(placed) < inside:
            return [], 0
        outside = [c for c in clear if c not in within]
        if ask["color"] is not None:  # up to two of the other colour inside
            mixed = len(placed) + int(rng.integers(3))
            placed = _pick(clear, placed, min(mixed, self.dots))
        return _pick(outside, placed, self.dots), inside

    def _outlier(
        self, ask: Mapping[str, Any], cells: list[Dot], rng: np.random.Generator
    ) -> tuple[list[Dot], int]:
        """All but the first on a rising or a falling line."""
        slope, shift = choose([-1, 1], rng), int(rng.integers(-1, 2))
        line = {x: (x if slope > 0 else 10 - x) + shift for x in range(1, 10)}
        fitting = [(x, y) for x, y in cells if line[x] == y]
        far = [(x, y) for x, y in cells if abs(line[x] - y) >= self.offset]
        return [far[0], *fitting][: self.dots], 1

    def _nearest(
        self, ask: Mapping[str, Any], cells: list[Dot], rng: np.random.Generator
    ) -> tuple[list[Dot], int]:
        """The dot asked about, its nearest, and others at least 1.3 units farther away."""
        middle = cells[0]
        near = next(c for c in cells[1:] if APART <= _squared(c, middle) <= 16)
        farther = (_squared(near, middle) ** 0.5 + 1.3) ** 2
        others = [c for c in cells if _squared(c, middle) >= farther]
        return _pick(others, [middle, near], self.dots), 2

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The dots and the region in words."""
        ask = latent["ask"]
        where = " and ".join(f"{side} {at}" for side, at in ask.get("where", ()))
        dots = f"{ask['color']} dots" if ask.get("color") else "dots"
        return {"dot": ask.get("dot"), "dots": dots, "where": where}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Find the dots that the question is about, then count, compare or conclude."""
        ask, dots = latent["ask"], _dots(latent)
        if ask["template"] == "region":
            colors = dict(zip(latent["names"], latent["colors"], strict=True))
            return _solve_region(dots, colors, ask)
        if ask["template"] == "outlier":
            return _solve_outlier(dots)
        return _solve_nearest(dots, ask["dot"])

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the grid, and the dots with their letters."""
        drawing = Drawing(style.background)
        upward(drawing, UP, range(0, 11, 2))
        rightward(drawing, ACROSS, range(2, 11, 2), lines=True)  # both scales share the 0
        frame(drawing)
        for (name, (x, y)), color in zip(_dots(latent).items(), latent["colors"], strict=True):
            middle = (ACROSS.at(x), UP.at(y))
            drawing.ellipse(middle, RADIUS, fill=style.color(color))
            drawing.text(middle, name, height=0.09, color=WHITE)
        return drawing


def _dots(latent: Latent) -> dict[str, Dot]:
    """The place of each dot, by its letter."""
    return {n: (x, y) for n, (x, y) in zip(latent["names"], latent["dots"], strict=True)}


def _solve_region(
    dots: Mapping[str, Dot], colors: Mapping[str, str], ask: Mapping[str, Any]
) -> Solution:
    within = [name for name, dot in dots.items() if _within(dot, ask["where"])]
    counted = [name for name in within if ask["color"] in (None, colors[name])]
    named, count, refs = ", ".join(counted), len(counted), tuple(counted)
    box = _around(*(dots[name] for name in counted))
    steps = (perceive(f"there are {named}", named, refs, box), add_ones(count, refs))
    return Solution.number(steps, (len(within), len(dots) - count))


def _solve_outlier(dots: Mapping[str, Dot]) -> Solution:
    rising = [dot[1] - dot[0] for dot in dots.values()]
    falling = [dot[1] + dot[0] for dot in dots.values()]
    way, offsets = max(
        ("rise", rising), ("fall", falling), key=lambda kind: max(map(kind[1].count, kind[1]))
    )
    at = next(i for i, offset in enumerate(offsets) if offsets.count(offset) == 1)
    name = list(dots)[at]
    others = tuple(n for n in dots if n != name)
    steps = (
        perceive(f"the others {way}", way, others, _around(*dots.values())),
        perceive(f"{name} is off their line", name, (name,), _around(dots[name])),
        conclude(f"{name} does not fit", name, (name,)),
    )
    return Solution.text(steps, others[:5])


def _solve_nearest(dots: Mapping[str, Dot], middle: str) -> Solution:
    x, y = dots[middle]
    ranked = sorted((n for n in dots if n != middle), key=lambda n: _squared(dots[n], (x, y)))
    perceived, computed = [], []
    for name in ranked[:2]:
        across, up = abs(dots[name][0] - x), dots[name][1] - y
        offset = f"{across} across, {abs(up)} {'up' if up >= 0 else 'down'}"
        refs, box = (middle, name), _around(dots[middle], dots[name])
        perceived.append(perceive(f"{middle} to {name}: {offset}", offset, refs, box))
        expression = f"{across} * {across} + {abs(up)} * {abs(up)}"
        computed.append(compute(expression, across * across + up * up, refs))
    nearest = conclude(f"{ranked[0]} is nearest", ranked[0], (middle, ranked[0]))
    return Solution.text((*perceived, *computed, nearest), ranked[1:6])


def _pick(cells: Sequence[Dot], placed: Sequence[Dot], count: int) -> list[Dot]:
    """`placed` and the first cells that lie apart from it and each other, `count` at most."""
    found = list(placed)
    for cell in cells:
        if len(found) == count:
            break
        if all(_squared(cell, other) >= APART for other in found):
            found.append(cell)
    return found


def _coordinate(dot: Dot, side: str) -> int:
    return dot[0] if side in ("right of", "left of") else dot[1]


def _within(dot: Dot, limits: Sequence[Sequence[Any]]) -> bool:
    signs = {"right of": 1, "left of": -1, "above": 1, "below": -1}
    return all((_coordinate(dot, side) - at) * signs[side] > 0 for side, at in limits)


def _squared(a: Dot, b: Dot) -> int:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def _around(*dots: Dot) -> Box:
    return enclosing(around((ACROSS.at(x), UP.at(y)), RADIUS) for x, y in dots)
