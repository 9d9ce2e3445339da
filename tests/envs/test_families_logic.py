"""Independent solvers for the logic, graph and scene families, and what their images keep to."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from mstar.envs.families.base import LEVELS, Latent, Style
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.families.graph_picture import RADIUS, RING
from mstar.envs.families.parts.drawing import COLORS, Drawing, text_width
from mstar.envs.families.parts.graphs import shortest_path
from mstar.envs.families.parts.icons import ICONS
from mstar.envs.problem import Problem

MANY = 20  # problems of each family and level


@cache
def problems(name: str, level: int) -> list[Problem]:
    """Problems and their counterfactuals."""
    family = FAMILIES[name](level)
    drawn = [family.problem("train", 5, index) for index in range(MANY)]
    return [*drawn, *(problem.counterfactual for problem in drawn if problem.counterfactual)]


def yes_no(truth: bool) -> str:
    return "yes" if truth else "no"


def coins(latent: Latent) -> str:
    left = sum(latent["coins"]) - latent["price"]
    return {
        "total": str(sum(latent["coins"])),
        "change": str(left),
        "missing": str(-left),
        "afford": yes_no(left >= 0),
    }[latent["ask"]["template"]]


def icon_arithmetic(latent: Latent) -> str:
    """Tries every number for every shape of the equations; more than one answer is an error."""
    shown = [row for row in latent["rows"] if row[-1] != "?"]
    shapes = [shape for shape in latent["shapes"] if any(shape in row for row in shown)]
    asked = latent["rows"][-1][:-2] if latent["ask"]["template"] == "evaluate" else None
    grid = np.meshgrid(*[np.arange(1, 16)] * len(shapes))
    values = dict(zip(shapes, grid, strict=True))
    fits = np.logical_and.reduce([compute(row[:-2], values) == int(row[-1]) for row in shown])
    found = np.unique((compute(asked, values) if asked else values[latent["ask"]["a"]])[fits])
    (answer,) = found
    return str(answer)


def compute(row: list[str], values: dict[str, Any]) -> Any:
    total, sign = 0, "+"
    for mark in row:
        if mark in values:
            value = values[mark]
            total = {"+": total + value, "-": total - value, "*": total * value}[sign]
        else:
            sign = mark
    return total


def grid_path(latent: Latent) -> str:
    """Relaxes distances over the whole grid until nothing changes."""
    size = latent["size"]
    walls = {complex(row, column) for row, column in latent["walls"]}
    if latent["ask"]["template"] == "follow":
        turn = {"up": -1, "down": 1, "left": -1j, "right": 1j}
        end = complex(*latent["start"]) + sum(turn[move] for move in latent["ask"]["moves"])
        dots = {complex(*cell): color for cell, color in latent["dots"]}
        assert not walls & {end, complex(*latent["start"])}
        return dots[end]
    far = np.full((size + 2, size + 2), np.inf)
    row, column = latent["start"]
    far[row + 1, column + 1] = 0
    for _ in range(size**2):
        around = [np.roll(far, shift, axis) for shift in (1, -1) for axis in (0, 1)]
        far = np.minimum(far, np.minimum.reduce(around) + 1)
        far[[0, -1], :] = far[:, [0, -1]] = np.inf
        for wall_row, wall_column in latent["walls"]:
            far[wall_row + 1, wall_column + 1] = np.inf
    row, column = latent["goal"]
    moves = far[row + 1, column + 1]
    return str(int(moves)) if latent["ask"]["template"] == "shortest" else yes_no(moves < np.inf)


def graph_picture(latent: Latent) -> str:
    """By powers of the adjacency matrix, and by pulling off loose ends."""
    names, ask = latent["names"], latent["ask"]
    joined = np.zeros((len(names), len(names)), dtype=np.int64)
    for a, b in latent["lines"]:
        joined[a, b] = joined[b, a] = 1
    if ask["template"] == "loop":
        while 1 in joined.sum(axis=0):
            loose = joined.sum(axis=0) == 1
            joined[loose, :] = joined[:, loose] = 0
        return yes_no(bool(joined.any()))
    a = names.index(ask["a"])
    if ask["template"] == "degree":
        return str(joined[a].sum())
    b, power = names.index(ask["b"]), np.eye(len(names), dtype=np.int64)
    for length in range(1, len(names)):
        power = power @ joined
        if power[a, b]:
            return str(length) if ask["template"] == "shortest" else "yes"
    return "no"


def tree(latent: Latent) -> str:
    """From the top down: who is below whom, row by row."""
    names, parents, ask = latent["names"], latent["parents"], latent["ask"]
    rows = [[parents.index(-1)]]
    while below := [n for n, parent in enumerate(parents) if parent in rows[-1]]:
        rows.append(below)
    under = {n: {n} for n in range(len(names))}
    for row in reversed(rows[1:]):
        for n in row:
            under[parents[n]] |= under[n]
    if ask["template"] == "leaves":
        return str(sum(len(found) == 1 for found in under.values()))
    a = names.index(ask["a"])
    if ask["template"] == "depth":
        return str(next(i for i, row in enumerate(rows, 1) if a in row))
    wanted = {a, names.index(ask["b"])} if "b" in ask else {a}
    lines = sorted((len(found), n) for n, found in under.items() if wanted <= found)
    place = {"parent": 1, "grandparent": 2, "common": 0}[ask["template"]]
    return str(names[lines[place][1]])


def venn(latent: Latent) -> str:
    """Counts made-up members with set operations."""
    colors, ask = latent["colors"], latent["ask"]
    circles: dict[str, set[tuple[str, int]]] = {color: set() for color in colors}
    for part, number in latent["parts"].items():
        for letter in part:
            circles[colors["abc".index(letter)]] |= {(part, i) for i in range(number)}
    a, b = circles[ask["a"]], circles[ask["b"]]
    every = set().union(*circles.values())
    others = set().union(*(circle for color, circle in circles.items() if color != ask["a"]))
    shared = [first & second for first, second in combinations(circles.values(), 2)]
    thrice = set.intersection(*circles.values()) if len(colors) == 3 else set()
    return str(
        {
            "only": len(a - others),
            "both": len(a) + len(b) - len(a | b),
            "whole": len(a),
            "union": len(every),
            "once": len(every - set().union(*shared)),
            "twice": len(set().union(*shared) - thrice),
            "missing": len({member for member in a if member[0] == latent["hidden"]}),
        }[ask["template"]]
    )


def number_pattern(latent: Latent) -> str:
    """Tries every number in the gap; more than one that fits the rule is an error."""
    fits = {"ring": ring_fits, "opposite": opposite_fits, "rows": rows_fit}
    shown, gap = latent["numbers"], latent["gap"]
    (answer,) = (
        number
        for number in range(1000)
        if fits[latent["ask"]["template"]]([*shown[:gap], number, *shown[gap + 1 :]])
    )
    return str(answer)


def ring_fits(numbers: list[int]) -> bool:
    steps = {b - a for a, b in pairwise(numbers)}
    return len(steps) == 1 or all(
        b * numbers[-2] == a * numbers[-1] and b > 0 for a, b in pairwise(numbers)
    )


def opposite_fits(numbers: list[int]) -> bool:
    half = len(numbers) // 2
    return len({a + b for a, b in zip(numbers[:half], numbers[half:], strict=True)}) == 1


def rows_fit(numbers: list[int]) -> bool:
    rows = [numbers[i : i + 3] for i in (0, 3, 6)]
    return any(
        all(row[2] == rule(row[0], row[1]) for row in rows)
        for rule in (int.__add__, int.__sub__, int.__mul__)
    )


def spatial_scene(latent: Latent) -> str:
    """On complex numbers, x to the right and y upwards."""
    ask = latent["ask"]
    spots = {
        name: complex(column, -row)
        for name, (row, column) in zip(latent["things"], latent["places"], strict=True)
    }
    own = spots.pop(ask["a"])
    if ask["template"] == "closest":
        return min(spots, key=lambda name: abs(spots[name] - own))
    turn = {"left of": -1, "right of": 1, "above": -1j, "below": 1j}[ask["side"]]
    words = ask["kind"].split()
    kin = [name for name in spots if words[0] in name.split()]
    assert all(abs(((spots[name] - own) * turn).real) > 0.6 for name in kin)  # never level
    there = [((spots[name] - own) * turn).real > 0 for name in kin]
    share = sum(there) / len(there)
    return yes_no({"every": share == 1, "some": share > 0, "most": share > 0.5}[ask["template"]])


def shape_matrix(latent: Latent) -> str:
    """Tries everything in the empty cell; exactly one value may keep the rows to one rule."""
    row, column = latent["ask"]["hole"]
    found = []
    template = latent["ask"]["template"]
    for kind in ("color", "shape") if template == "both" else (template,):
        fits = []
        for value in (*COLORS, *ICONS, *"1234"):
            grid = [list(cells) for cells in latent[kind]]
            grid[row][column] = value
            sizes, sets = {len(set(cells)) for cells in grid}, {frozenset(cells) for cells in grid}
            if sizes == {1} or (sizes == {3} and len(sets) == 1):
                fits.append(value)
        (only,) = fits
        found.append(only)
    return " ".join(found)


ONES = {"AND": {2}, "OR": {1, 2}, "XOR": {1}}  # how many ones of two inputs make a gate give one


def logic_gates(latent: Latent) -> str:
    lit = {}
    for row in latent["rows"]:
        value, *others = row["inputs"]
        for gate in row["gates"]:
            value = value == 0 if gate == "NOT" else value + others.pop(0) in ONES[gate]
        assert not others
        lit[row["color"]] = bool(value)
    ask = latent["ask"]
    return yes_no(lit[ask["a"]]) if ask["template"] == "lamp" else str(sum(lit.values()))


SOLVERS: dict[str, Callable[[Latent], str]] = {
    "Coins": coins,
    "IconArithmetic": icon_arithmetic,
    "GridPath": grid_path,
    "GraphPicture": graph_picture,
    "Tree": tree,
    "Venn": venn,
    "NumberPattern": number_pattern,
    "SpatialScene": spatial_scene,
    "ShapeMatrix": shape_matrix,
    "LogicGates": logic_gates,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", SOLVERS)
def test_a_second_solver_finds_the_answer_in_the_latent(name: str, level: int) -> None:
    for problem in problems(name, level):
        assert problem.answer is not None
        assert SOLVERS[name](dict(problem.latent)) == problem.answer.value, problem.latent


@pytest.mark.parametrize("level", LEVELS)
def test_the_shape_said_to_be_closest_is_so_by_a_clear_margin(level: int) -> None:
    for problem in problems("SpatialScene", level):
        if problem.template == "closest":
            own, *places = problem.latent["places"]
            near, far = sorted(math.dist(own, place) for place in places)[:2]
            assert far >= 1.3 * near


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", SOLVERS)
def test_every_text_lies_within_the_image_and_on_no_other_text(
    name: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[float, float, float, float]] = []

    def note(
        drawing: Drawing, at: Any, text: str, height: float = 0.09, *_: Any, **options: Any
    ) -> None:
        assert height >= 0.09
        width = text_width(text, height)
        left = at[0] - width * {"m": 0.5, "l": 0.0}[options.get("anchor", "mm")[0]]
        # Capitals and digits are about 0.72 of the height that a font is asked for.
        written.append((left, at[1] - 0.36 * height, left + width, at[1] + 0.36 * height))

    drawn = problems(name, level)[:15]
    monkeypatch.setattr(Drawing, "text", note)
    for problem in drawn:
        for shift in ((-1.0, -1.0), (0.3, 0.0), (1.0, 1.0)):
            written.clear()
            FAMILIES[name](level).build(dict(problem.latent), Style(shift=shift))
            assert all(min(box) >= 0 and max(box) <= 1 for box in written), problem.latent
            for (a, b, c, d), (e, f, g, h) in combinations(written, 2):
                assert max(e - c, a - g, f - d, b - h) > 0.01, problem.latent


@pytest.mark.parametrize("level", LEVELS)
def test_no_line_of_a_graph_touches_a_dot_that_it_does_not_join(level: int) -> None:
    for problem in problems("GraphPicture", level):
        count = len(problem.latent["names"])
        spots = [np.array((math.cos(a), math.sin(a))) for a in np.arange(count) * 2 * np.pi / count]
        for a, b in problem.latent["lines"]:
            along = np.linspace(0, 1, 50)[:, None]
            line = RING * (spots[a] + along * (spots[b] - spots[a]))
            for dot in set(range(count)) - {a, b}:
                assert np.linalg.norm(line - RING * spots[dot], axis=1).min() > RADIUS + 0.02


@pytest.mark.parametrize("level", LEVELS)
def test_no_equation_already_shows_what_the_question_mark_stands_for(level: int) -> None:
    for problem in problems("IconArithmetic", level):
        *shown, last = (row[:-2] for row in problem.latent["rows"])
        if problem.template == "evaluate":
            assert sorted(last) not in [sorted(row) for row in shown]


def test_nodes_without_a_path_between_them_are_an_error() -> None:
    assert shortest_path({(0, 1), (1, 2)}, 2, 0) == [2, 1, 0]
    with pytest.raises(ValueError, match="no path leads from 0 to 3"):
        shortest_path({(0, 1), (2, 3)}, 0, 3)
