"""Lettered dots on a grid: how many lie there, which is out of line, which is nearest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.axes import FLOOR, LEFT, TOP, Scale, frame, rightward, upward
from mstar.envs.families.parts.boxes import Box, around, enclosing
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import WHITE, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

LETTERS = "BCDEFHKLMNPRST"
DARK = ("red", "blue", "green", "purple", "brown")  # a white letter reads well on these
ACROSS, UP = Scale(0, 10, LEFT, 0.93), Scale(0, 10, FLOOR, TOP)
RADIUS = 0.05
APART = 4  # squared distance in units between the middles of two dots, at least

Dot = tuple[int, int]
Solved = tuple[tuple[Step, ...], str, tuple[str, ...]]  # steps, result, wrong answers


class Scatter(Family):
    """Six to nine dots with a letter in each, on a grid from 0 to 10; no two overlap."""

    name: ClassVar[str] = "Scatter"
    topic: ClassVar[str] = "charts"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "region": (
            "How many {dots} lie {where}?",
            "Count the {dots} {where}.",
            "What is the number of {dots} that are {where}?",
        ),
        "outlier": (
            "All dots but one lie on a line. Which dot does not?",
            "Which dot lies far from the line of the others?",
            "Which letter is on the dot that does not fit the line?",
        ),
        "nearest": (
            "Which dot is nearest to {dot}?",
            "Which letter is on the dot closest to {dot}?",
            "Going straight from dot {dot}, which other dot is the least far?",
        ),
    }

    dots = Knob("perception", 6, 7, 8)
    offset = Knob("perception", 5, 4, 3)  # units between the outlier and the line
    conditions = Knob("reasoning", 1, 1, 2)
    colors = Knob("distractor", 1, 2, 2)
    templates = ("region", "outlier", "nearest")

    def latent(self, rng: np.random.Generator) -> Latent:
        """Letters, places and colours of the dots, and what is asked."""
        names = sorted(str(n) for n in rng.choice(list(LETTERS), size=self.dots, replace=False))
        palette = [str(c) for c in rng.choice(DARK, size=self.colors, replace=False)]
        ask: dict[str, Any] = {"template": self.templates[rng.integers(len(self.templates))]}
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
        """Places and colours; starts again where the dots leave no room."""
        place = {"region": self._region, "outlier": self._outlier, "nearest": self._nearest}
        placed: list[Dot] = []
        while len(placed) < self.dots:
            cells = [(c // 9 + 1, c % 9 + 1) for c in rng.permutation(81).tolist()]
            placed, special = place[ask["template"]](ask, cells, rng)
        colors = [palette[i] for i in rng.integers(len(palette), size=self.dots)]
        colors[0], colors[-1] = palette[0], palette[-1]
        if ask["template"] == "region":  # those in it are asked for, the others are a mixture
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
        """All on a rising or a falling line but the first."""
        slope, shift = int(rng.choice([-1, 1])), int(rng.integers(-1, 2))
        line = {x: (x if slope > 0 else 10 - x) + shift for x in range(1, 10)}
        fitting = [(x, y) for x, y in cells if line[x] == y]
        far = [(x, y) for x, y in cells if abs(line[x] - y) >= self.offset]
        return [far[0], *fitting][: self.dots], 1

    def _nearest(
        self, ask: Mapping[str, Any], cells: list[Dot], rng: np.random.Generator
    ) -> tuple[list[Dot], int]:
        """The dot asked about, its nearest, and others at least 1.3 units farther off."""
        middle = cells[0]
        near = next(c for c in cells[1:] if APART <= _squared(c, middle) <= 16)
        farther = (_squared(near, middle) ** 0.5 + 1.3) ** 2
        others = [c for c in cells if _squared(c, middle) >= farther]
        return _pick(others, [middle, near], self.dots), 2

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the dots, word the question, and solve it."""
        ask = latent["ask"]
        dots = {n: (d[0], d[1]) for n, d in zip(latent["names"], latent["dots"], strict=True)}
        colors = dict(zip(latent["names"], latent["colors"], strict=True))
        if ask["template"] == "region":
            steps, result, wrong = _solve_region(dots, colors, ask)
        elif ask["template"] == "outlier":
            steps, result, wrong = _solve_outlier(dots)
        else:
            steps, result, wrong = _solve_nearest(dots, ask["dot"])
        where = " and ".join(f"{side} {at}" for side, at in ask.get("where", ()))
        named = f"{ask['color']} dots" if ask.get("color") else "dots"
        return Problem(
            id="",
            pictures=(_picture(dots, colors, style),),
            question=self.word(ask["template"], style, dot=ask.get("dot"), dots=named, where=where),
            answer=Answer("number" if ask["template"] == "region" else "text", result),
            steps=steps,
            latent=latent,
            template=ask["template"],
            distractors=wrong[:5],
        )


def _solve_region(
    dots: Mapping[str, Dot], colors: Mapping[str, str], ask: Mapping[str, Any]
) -> Solved:
    within = [name for name, dot in dots.items() if _within(dot, ask["where"])]
    found = [name for name in within if ask["color"] in (None, colors[name])]
    named, count = ", ".join(found), len(found)
    box = _around(*(dots[name] for name in found))
    steps = (
        Step(f"there are {named}", "perceive", named, tuple(found), box),
        Step(f"{' + '.join('1' * count)} = {count}", "compute", str(count), tuple(found)),
    )
    return steps, str(count), distractors(count, len(within), len(dots) - count)


def _solve_outlier(dots: Mapping[str, Dot]) -> Solved:
    rising = [dot[1] - dot[0] for dot in dots.values()]
    falling = [dot[1] + dot[0] for dot in dots.values()]
    way, offsets = max(
        ("rise", rising), ("fall", falling), key=lambda kind: max(map(kind[1].count, kind[1]))
    )
    at = next(i for i, offset in enumerate(offsets) if offsets.count(offset) == 1)
    name = list(dots)[at]
    others = tuple(n for n in dots if n != name)
    steps = (
        Step(f"the others {way}", "perceive", way, others, _around(*dots.values())),
        Step(f"{name} is off their line", "perceive", name, (name,), _around(dots[name])),
        Step(f"{name} does not fit", "conclude", name, (name,)),
    )
    return steps, name, others


def _solve_nearest(dots: Mapping[str, Dot], middle: str) -> Solved:
    x, y = dots[middle]
    ranked = sorted((n for n in dots if n != middle), key=lambda n: _squared(dots[n], (x, y)))
    perceived, computed = [], []
    for name in ranked[:2]:
        across, up = abs(dots[name][0] - x), dots[name][1] - y
        reading = f"{across} across, {abs(up)} {'up' if up >= 0 else 'down'}"
        refs, box = (middle, name), _around(dots[middle], dots[name])
        perceived.append(Step(f"{middle} to {name}: {reading}", "perceive", reading, refs, box))
        squared = across * across + up * up
        line = f"{across} * {across} + {abs(up)} * {abs(up)} = {squared}"
        computed.append(Step(line, "compute", str(squared), refs))
    nearest = Step(f"{ranked[0]} is nearest", "conclude", ranked[0], (middle, ranked[0]))
    return (*perceived, *computed, nearest), ranked[0], tuple(ranked[1:])


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


def _picture(dots: Mapping[str, Dot], colors: Mapping[str, str], style: Style) -> Drawing:
    drawing = Drawing(style.background)
    upward(drawing, UP, range(0, 11, 2))
    rightward(drawing, ACROSS, range(2, 11, 2), lines=True)  # both scales share the 0
    frame(drawing)
    paint = {color: style.color(color) for color in set(colors.values())}
    for name, (x, y) in dots.items():
        middle = (ACROSS.at(x), UP.at(y))
        drawing.ellipse(middle, RADIUS, fill=paint[colors[name]])
        drawing.text(middle, name, height=0.09, color=WHITE)
    return drawing
