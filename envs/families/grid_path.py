"""A grid with walls: how long is the shortest path, is there one, where do these moves end?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, enclosing
from mstar.envs.families.parts.drawing import COLORS, Color, Drawing, Point
from mstar.envs.families.parts.grid import Cell, distances, runs, shortest, walk
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, conclude, perceive
from mstar.envs.problem import Step

MARGIN = 0.03
LINE: Color = (150, 150, 150)
WALL: Color = (70, 74, 84)
WALLS = {True: (0.08, 0.2), False: (0.28, 0.42)}  # fraction of cells, by whether moves are followed
RUNS = 5  # straight segments of a path, at most


class GridPath(Family):
    """A square grid; S and G are its start and goal, dark cells are walls, dots are marks."""

    name: ClassVar[str] = "GridPath"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "navigation"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "shortest": (
            "How many moves does the shortest path from S to G take, around the dark cells?",
            "Moving up, down, left or right around the dark cells, what is the least number of "
            "moves from S to G?",
            "What is the length in moves of the shortest path from S to G that avoids the dark "
            "cells?",
        ),
        "reachable": (
            "Can you get from S to G without entering a dark cell?",
            "Is there a path from S to G around the walls?",
            "Moving up, down, left or right around the dark cells, can you reach G from S?",
        ),
        "follow": (
            "Start at S and go {moves}. What is the color of the dot where you end?",
            "The moves from S are {moves}. What color is the dot at the end?",
            "Walk from S: {moves}. What color is the dot where you stop?",
        ),
    }

    size = Difficulty("perception", 4, 5, 6)  # cells per side
    farthest = Difficulty("reasoning", 7, 9, 11)  # moves of a shortest path
    moves = Difficulty("reasoning", 3, 4, 6)
    dots = Difficulty("distractor", 3, 4, 6)  # when moves are followed
    extra = Difficulty("distractor", 0, 1, 3)  # dots in the other questions
    templates = ("shortest", "reachable", "follow")

    def latent(self, rng: np.random.Generator) -> Latent:
        """Walls, start, goal (none where moves are followed), dots, and what is asked."""
        ask: dict[str, Any] = {"template": self.templates[rng.integers(3)]}
        if ask["template"] == "follow":
            # Both directions are used, so that the end is in another row and another column.
            across = ("right", "left")[rng.integers(2)]
            along = ("down", "up")[rng.integers(2)]
            most = min(self.size - 1, self.moves - 1)
            n = int(rng.integers(self.moves - most, most + 1))
            words = [across] * n + [along] * (self.moves - n)
            ask["moves"] = shuffled(words, rng)
        return {**self._grid(ask, bool(rng.integers(2)), rng), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Another grid; a goal that could be reached no longer can, and vice versa."""
        reached = _path(latent) is not None if latent["goal"] else True
        return {**latent, **self._grid(latent["ask"], not reached, rng)}

    def _grid(self, ask: Mapping[str, Any], reach: bool, rng: np.random.Generator) -> Latent:
        follow, length = ask["template"] == "follow", 0
        if ask["template"] == "shortest":
            length = int(rng.integers(3, self.farthest + 1))
        low, high = (round(self.size**2 * share) for share in WALLS[follow])
        while True:
            order = rng.permutation(self.size**2).tolist()
            count = int(rng.integers(low, high + 1))
            walls = [list(divmod(place, self.size)) for place in sorted(order[:count])]
            free = [divmod(place, self.size) for place in order[count:]]
            grid: Latent = {"size": self.size, "walls": walls, "goal": []}
            if follow:
                found = self._followed(grid, free, ask["moves"], rng)
            else:
                found = self._routed(grid, free, (length, reach), rng)
            if found is not None:
                return found

    def _routed(
        self, grid: Latent, free: list[Cell], wanted: tuple[int, bool], rng: np.random.Generator
    ) -> Latent | None:
        """A goal at the wanted distance (0: any), or out of reach; None if the grid has none."""
        length, reach = wanted
        start = free[0]
        far = distances(start, free)
        if length:
            goals = [cell for cell in far if far[cell] == length]
        elif reach:
            goals = [cell for cell in far if far[cell] > 2]
        else:
            # A start or goal alone in its walls would be too easy to see.
            goals = [c for c in free if c not in far and len(distances(c, free)) > 1]
        if len(far) < 4 or not goals:
            return None
        goal = choose(goals, rng)
        grid = {**grid, "start": list(start), "goal": list(goal)}
        if (length or reach) and len(runs(_path(grid) or [])) > RUNS:
            return None
        rest = [cell for cell in free if cell not in (start, goal)]
        return {**grid, "dots": _dots(rest, self.extra, rng)}

    def _followed(
        self, grid: Latent, free: list[Cell], moves: list[str], rng: np.random.Generator
    ) -> Latent | None:
        """A start from which the moves stay on free cells, and dots, one of them at the end."""
        start = free[0]
        way = walk(start, moves)
        if not set(way) <= set(free):
            return None
        rest = [cell for cell in free if cell not in (start, way[-1])]
        dots = _dots(rest, self.dots, rng)
        return {**grid, "start": list(start), "dots": [[list(way[-1]), dots[0][1]], *dots[1:]]}

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The moves, separated by commas."""
        return {"moves": ", ".join(latent["ask"].get("moves", ()))}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Follow a shortest path, or the moves that are given."""
        solve = {"shortest": _shortest, "reachable": _reachable, "follow": _follow}
        return solve[latent["ask"]["template"]](latent)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the walls, the grid, the dots, and the letters of start and goal."""
        drawing, size = Drawing(style.background), latent["size"]
        side = (1 - 2 * MARGIN) / size
        for row, column in latent["walls"]:
            left, top, right, bottom = _box((row, column), size)
            drawing.rectangle((left, top), (right, bottom), fill=WALL)
        for index in range(size + 1):
            at = MARGIN + side * index
            drawing.line([(at, MARGIN), (at, 1 - MARGIN)], color=LINE, width=0.006)
            drawing.line([(MARGIN, at), (1 - MARGIN, at)], color=LINE, width=0.006)
        for cell, color in latent["dots"]:
            drawing.ellipse(_middle(cell, size), 0.3 * side, fill=style.color(color))
        for name in ("start", "goal"):
            if latent.get(name):
                middle = _middle(latent[name], size)
                drawing.text(middle, name[0].upper(), height=0.14)
        return drawing


def _free(latent: Latent) -> list[Cell]:
    walls, size = {tuple(cell) for cell in latent["walls"]}, latent["size"]
    return [(r, c) for r in range(size) for c in range(size) if (r, c) not in walls]


def _path(latent: Latent) -> list[str] | None:
    (row, column), (down, right) = latent["start"], latent["goal"]
    return shortest((row, column), (down, right), _free(latent))


def _dots(cells: list[Cell], count: int, rng: np.random.Generator) -> list[list[Any]]:
    """Dots of different colours in different cells: [cell, colour]."""
    colors = shuffled(COLORS, rng)[:count]
    places = rng.permutation(len(cells))[:count]
    return [[list(cells[i]), color] for i, color in zip(places, colors, strict=True)]


def _read_path(latent: Latent, moves: list[str]) -> list[Step]:
    """One step for each straight segment of the path."""
    row, column = latent["start"]
    cell, steps = (row, column), []
    for name, count in runs(moves):
        piece = [cell, *walk(cell, [name] * count)]
        box = enclosing(_box(c, latent["size"]) for c in piece)
        steps.append(perceive(f"{name} {count}", count, (name,), box))
        cell = piece[-1]
    return steps


def _shortest(latent: Latent) -> Solution:
    moves = _path(latent) or []
    (row, column), (down, right) = latent["start"], latent["goal"]
    read = _read_path(latent, moves)
    total = compute(" + ".join(step.value for step in read), len(moves), ("S", "G"))
    return Solution.number([*read, total], (abs(row - down) + abs(column - right), len(read)))


def _reachable(latent: Latent) -> Solution:
    moves = _path(latent)
    if moves is not None:
        end = conclude("this arrives at G: yes", "yes", ("S", "G"))
        return Solution.yes_no([*_read_path(latent, moves), end])
    size, (row, column) = latent["size"], latent["start"]
    inside = distances((row, column), _free(latent))
    count, box = len(inside), enclosing(_box(cell, size) for cell in inside)
    read = perceive(f"cells that S can reach, with its own: {count}", count, ("S",), box)
    return Solution.yes_no([read, conclude("G is not one of them: no", "no", ("S", "G"))])


def _follow(latent: Latent) -> Solution:
    size, moves, (row, column) = latent["size"], latent["ask"]["moves"], latent["start"]
    (end_row, end_column), color = latent["dots"][0]
    start, end = (row, column), (end_row, end_column)
    steps = [
        perceive(f"S is in row {row + 1}", row + 1, ("S",), _box(start, size)),
        perceive(f"S is in column {column + 1}", column + 1, ("S",), _box(start, size)),
        perceive(
            f"row {end_row + 1} column {end_column + 1} is {color}",
            color,
            (color,),
            _box(end, size),
        ),
    ]
    for before, after in zip(start, end, strict=True):
        sign = "+" if after > before else "-"
        expression = f"{before + 1} {sign} {abs(after - before)}"
        steps.append(compute(expression, after + 1, (moves[0],)))
    steps.append(conclude(f"the end is {color}", color, (color,)))
    return Solution.text(steps, [other for _, other in latent["dots"][1:]])


def _box(cell: Cell, size: int) -> Box:
    side = (1 - 2 * MARGIN) / size
    left, top = MARGIN + side * cell[1], MARGIN + side * cell[0]
    return (left, top, left + side, top + side)


def _middle(cell: list[int], size: int) -> Point:
    left, top, right, bottom = _box((cell[0], cell[1]), size)
    return ((left + right) / 2, (top + bottom) / 2)
