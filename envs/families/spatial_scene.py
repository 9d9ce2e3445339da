"""Scattered shapes: is every one of a kind left of another, and which one is closest?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, around
from mstar.envs.families.parts.drawing import COLORS, Drawing, Point
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, conclude, perceive
from mstar.rewards.base import Answer

SHARE = 0.26  # of a cell: the radius of a shape in it
MARGIN = 1.35  # least ratio of the second smallest distance to the smallest
SIDES = ("left of", "right of", "above", "below")
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
KINDS = tuple(f"{color} {shape}" for color in COLORS for shape in ICONS)


class SpatialScene(Family):
    """Six to eleven shapes, no two alike, each in its cell of a grid that is not drawn."""

    name: ClassVar[str] = "SpatialScene"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "scenes"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "every": (
            "Is every {kind} {side} the {a}?",
            "Is it true that all {kind}s are {side} the {a}?",
            "Does each {kind} lie {side} the {a}?",
        ),
        "some": (
            "Is at least one {kind} {side} the {a}?",
            "Is it true that some {kind} is {side} the {a}?",
            "Does any {kind} lie {side} the {a}?",
        ),
        "most": (
            "Are more than half of the {kind}s {side} the {a}?",
            "Is it true that most {kind}s are {side} the {a}?",
            "Do more {kind}s lie {side} the {a} than not?",
        ),
        "closest": (
            "Which of these is closest to the {a}: {options}?",
            "Which of these lies nearest to the {a}: {options}?",
            "Which of these has the shortest distance to the {a}: {options}?",
        ),
    }

    grid = Difficulty("perception", 4, 4, 5)  # cells per side
    kin = Difficulty("reasoning", (2, 3), (3, 3), (3, 4))  # shapes that a statement is about
    by_color = Difficulty("reasoning", False, True, True)  # kinds such as "red shape"
    others = Difficulty("distractor", 3, 5, 6)  # shapes that it is not about
    templates = Difficulty(
        "reasoning",
        ("every", "some", "closest"),
        ("every", "some", "most", "closest"),
        ("every", "some", "most", "closest"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """Shapes with their places, the one asked about first, and what is asked about it."""
        template = choose(self.templates, rng)
        order = shuffled(KINDS, rng)
        a = order[0]
        if template == "closest":
            things = order[: 1 + self.others + self.kin[0]]
            options = [things[1 + i] for i in rng.permutation(4)]
            ask: dict[str, Any] = {"template": template, "a": a, "options": options}
            return self.vary({"things": things, "ask": ask}, rng)
        color, shape = next(k for k in order if not set(k.split()) & set(a.split())).split()
        kind = f"{color} shape" if self.by_color and rng.integers(2) else shape
        kin = [name for name in order[1:] if _is(name, kind)]
        rest = [name for name in order[1:] if not _is(name, kind)]
        count = int(rng.integers(self.kin[0], self.kin[1] + 1))
        ask = {"template": template, "a": a, "kind": kind, "side": SIDES[rng.integers(4)]}
        latent = {"things": [a, *kin[:count], *rest[: self.others]], "ask": ask}
        return {**latent, **self._divide(latent, bool(rng.integers(2)), rng)}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same shapes in other places; a true statement becomes false, and vice versa."""
        if latent["ask"]["template"] == "closest":
            return {**latent, **self._scatter(latent, rng)}
        return {**latent, **self._divide(latent, not _true(latent), rng)}

    def _scatter(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Random places; one of the options is closest to the asked shape by a clear margin."""
        things, options = latent["things"], latent["ask"]["options"]
        while True:
            cells = [int(c) for c in rng.permutation(self.grid**2)[: len(things)]]
            places = self._jittered(cells, rng)
            far = [math.dist(places[0], place) for place in places[1:]]
            near, next_near = sorted(far)[:2]
            if next_near >= MARGIN * near:
                break
        old, new = 1 + far.index(near), things.index(options[rng.integers(4)])
        places[old], places[new] = places[new], places[old]
        return {"grid": self.grid, "places": places}

    def _divide(self, latent: Latent, truth: bool, rng: np.random.Generator) -> Latent:
        """Places that make the statement true or false, as asked for by `truth`."""
        ask, things, size = latent["ask"], latent["things"], self.grid
        kin = sum(_is(name, ask["kind"]) for name in things)
        low, high = {
            "every": (kin, kin) if truth else (max(0, kin - 2), kin - 1),
            "some": (1, 2) if truth else (0, 0),
            "most": (kin // 2 + 1, kin) if truth else (0, kin // 2),
        }[ask["template"]]
        there = int(rng.integers(low, high + 1))
        while True:
            order = [int(c) for c in rng.permutation(size**2)]
            own, free = order[0], order[1:]
            on = [c for c in free if _side(divmod(own, size), divmod(c, size), ask["side"]) > 0]
            off = [c for c in free if _side(divmod(own, size), divmod(c, size), ask["side"]) < 0]
            if len(on) >= there and len(off) >= kin - there:
                break
        chosen = [*on[:there], *off[: kin - there]]
        chosen = [chosen[i] for i in rng.permutation(kin)]
        rest = [c for c in free if c not in chosen][: len(things) - 1 - kin]
        return {"grid": size, "places": self._jittered([own, *chosen, *rest], rng)}

    def _jittered(self, cells: list[int], rng: np.random.Generator) -> list[list[float]]:
        shifts = rng.integers(-15, 16, size=(len(cells), 2)).tolist()
        found = []
        for cell, (down, right) in zip(cells, shifts, strict=True):
            row, column = divmod(cell, self.grid)
            found.append([round(row + down / 100, 2), round(column + right / 100, 2)])
        return found

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of "ask", with the options separated by commas."""
        return {**latent["ask"], "options": ", ".join(latent["ask"].get("options", ()))}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Compare places or distances with those of the asked shape."""
        solve = _solve_closest if latent["ask"]["template"] == "closest" else _solve_statement
        return solve(latent, _spots(latent, style))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the shapes."""
        drawing = Drawing(style.background)
        for name, spot in zip(latent["things"], _spots(latent, style), strict=True):
            color, shape = name.split()
            icon(drawing, shape, spot, SHARE / latent["grid"], style.color(color))
        return drawing


def _is(name: str, kind: str) -> bool:
    """Whether a shape such as "red circle" is of a kind such as "circle" or "red shape"."""
    return name.endswith(f" {kind}") or f"{name.split()[0]} shape" == kind


def _side(own: Sequence[float], other: Sequence[float], side: str) -> float:
    """How far `other` is on that side of `own`, in cells; negative on the opposite side."""
    down, right = other[0] - own[0], other[1] - own[1]
    return {"left of": -right, "right of": right, "above": -down, "below": down}[side]


def _on_side(latent: Latent) -> dict[str, bool]:
    """Whether it is on the asked side, for each shape of the asked kind."""
    ask, places = latent["ask"], latent["places"]
    return {
        name: _side(places[0], place, ask["side"]) > 0
        for name, place in zip(latent["things"], places, strict=True)
        if _is(name, ask["kind"])
    }


def _true(latent: Latent) -> bool:
    there = list(_on_side(latent).values())
    rule = {"every": all(there), "some": any(there), "most": 2 * sum(there) > len(there)}
    return rule[latent["ask"]["template"]]


def _solve_statement(latent: Latent, spots: list[Point]) -> Solution:
    ask, there = latent["ask"], _on_side(latent)
    steps = []
    for name, on in there.items():
        side = ask["side"] if on else OPPOSITE[ask["side"]]
        box = _box(spots[latent["things"].index(name)], latent["grid"])
        text = f"the {name} is {side} the {ask['a']}"
        steps.append(perceive(text, side, (name, ask["a"]), box))
    verdict = "yes" if _true(latent) else "no"
    text = f"{sum(there.values())} of {len(there)} are {ask['side']} it: {verdict}"
    return Solution.yes_no([*steps, conclude(text, verdict, tuple(there))])


def _solve_closest(latent: Latent, spots: list[Point]) -> Solution:
    """Compare distances, which are read in hundredths of the image's side."""
    ask, things = latent["ask"], latent["things"]
    steps, distances = [], {}
    for name in ask["options"]:
        spot = spots[things.index(name)]
        distances[name] = round(100 * math.dist(spots[0], spot))
        text = f"the {name} is away by {distances[name]}"
        box = _box(spot, latent["grid"])
        steps.append(perceive(text, distances[name], (name, ask["a"]), box))
    closest = min(distances, key=lambda name: (distances[name], name))
    text = f"the least is {distances[closest]}: {closest}"
    steps.append(conclude(text, closest, (closest, ask["a"])))
    answer = Answer("choice", closest, choices=tuple(ask["options"]))
    wrong = tuple(name for name in ask["options"] if name != closest)
    return Solution(answer, tuple(steps), wrong)


def _spots(latent: Latent, style: Style) -> list[Point]:
    """The middles of the shapes."""
    spots = []
    for row, column in latent["places"]:
        x, y = ((at + 0.5) / latent["grid"] for at in (column, row))
        spots.append(
            (
                0.5 + 0.94 * (x - 0.5) + 0.02 * style.shift[0],
                0.5 + 0.94 * (y - 0.5) + 0.02 * style.shift[1],
            )
        )
    return spots


def _box(spot: Point, grid: int) -> Box:
    return around(spot, SHARE / grid)
