"""Three rows of three cells, one of them empty: what belongs there by the rule of the rows?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing, Point
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, conclude, perceive
from mstar.envs.problem import Step
from mstar.rewards.base import Answer

LOW, CELL, RADIUS = 0.035, 0.31, 0.062  # edge of the grid, side of a cell, radius of a shape
STEP = 0.07  # from the middle of a cell to the middle of a shape in it
COUNTS = ("1", "2", "3", "4")
PLACES: Mapping[
    str, tuple[tuple[int, int], ...]
] = {  # of the shapes in a cell, by their number, in steps
    "1": ((0, 0),),
    "2": ((-1, 0), (1, 0)),
    "3": ((0, -1), (-1, 1), (1, 1)),
    "4": ((-1, -1), (1, -1), (-1, 1), (1, 1)),
}
KINDS: Mapping[str, tuple[str, ...]] = {"color": tuple(COLORS), "shape": ICONS, "count": COUNTS}

Grid = list[list[str]]  # three rows of three values


class ShapeMatrix(Family):
    """Each attribute is constant in a row, or every row has the same three values in some order."""

    name: ClassVar[str] = "ShapeMatrix"
    version: ClassVar[int] = 2
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "patterns"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "color": (
            "All rows follow one rule. Which color belongs in the empty cell?",
            "What color is missing, if all rows follow the same rule?",
            "According to the rule of the rows, what color belongs at the question mark?",
        ),
        "shape": (
            "All rows follow one rule. Which shape belongs in the empty cell?",
            "What shape is missing, if all rows follow the same rule?",
            "According to the rule of the rows, what shape belongs at the question mark?",
        ),
        "count": (
            "All rows follow one rule. How many shapes belong in the empty cell?",
            "How many shapes are missing, if all rows follow the same rule?",
            "According to the rule of the rows, how many shapes belong at the question mark?",
        ),
        "both": (
            "All rows follow one rule. Which color and shape belong in the empty cell?",
            "What is missing, if all rows follow the same rule? Give its color and its shape.",
            "According to the rule of the rows, which color and shape belong at the question mark?",
        ),
    }

    palette = Difficulty("perception", 5, 8, 8)
    counted = Difficulty("perception", False, False, True)  # whether cells hold several shapes
    anywhere = Difficulty("reasoning", False, True, True)  # otherwise the last cell is empty
    templates = Difficulty(
        "reasoning", ("color", "shape"), ("color", "shape", "both"), ("color", "count", "both")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """The empty cell, what is asked about it, and all cells."""
        template = choose(self.templates, rng)
        hole = [int(place) for place in rng.integers(3, size=2)] if self.anywhere else [2, 2]
        return self.vary({"ask": {"template": template, "hole": hole}}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other cells around the same empty one."""
        values = {**KINDS, "color": KINDS["color"][: self.palette]}
        asked = _asked(latent["ask"]["template"])
        drawn = {kind: _rows(values[kind], kind in asked, rng) for kind in KINDS}
        if not self.counted:
            drawn["count"] = [["1"] * 3 for _ in range(3)]
        return {**latent, **drawn}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read what each row has, attribute by attribute, and conclude what is missing."""
        template, (row, column) = latent["ask"]["template"], latent["ask"]["hole"]
        steps: list[Step] = []
        for kind in _asked(template):
            steps += _solve_attribute(latent[kind], row, column)
        result = _described(latent, template, row, column)
        if template == "both":
            steps.append(conclude(f"a {result} is missing", result))
        answer = Answer("count" if template == "count" else "text", result)
        cells = [_described(latent, template, r, c) for r in range(3) for c in range(3)]
        wrong = dict.fromkeys((*cells, *KINDS.get(template, ())))  # those in the grid first
        return Solution(answer, tuple(steps), tuple(v for v in wrong if v != result)[:5])

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the grid and its cells."""
        drawing = Drawing(style.background)
        end = LOW + 3 * CELL
        for line in range(4):
            at = LOW + CELL * line
            drawing.line([(LOW, at), (end, at)], color=INK, width=0.012)
            drawing.line([(at, LOW), (at, end)], color=INK, width=0.012)
        for row in range(3):
            for column in range(3):
                middle = (LOW + CELL * (column + 0.5), LOW + CELL * (row + 0.5))
                if [row, column] == latent["ask"]["hole"]:
                    drawing.text(middle, "?", height=0.2)
                else:
                    _draw_cell(drawing, latent, (row, column), middle, style)
        return drawing


def _asked(template: str) -> tuple[str, ...]:
    return ("color", "shape") if template == "both" else (template,)


def _rows(values: tuple[str, ...], ordered: bool, rng: np.random.Generator) -> Grid:
    """Rows of the same three values, each in its own order, or of one value each.

    What is asked is mostly of the first kind, because the second is too easy.
    """
    three = shuffled(values, rng)[:3]
    if rng.random() < (0.8 if ordered else 0.5):
        return [[three[i] for i in rng.permutation(3)] for _ in range(3)]
    return [[value] * 3 for value in three]


def _described(latent: Latent, template: str, row: int, column: int) -> str:
    """The attributes of a cell that are asked for."""
    return " ".join(latent[kind][row][column] for kind in _asked(template))


def _solve_attribute(grid: Grid, row: int, column: int) -> list[Step]:
    """What each row has, the row with the gap last, and what that one lacks."""
    steps = []
    for place in sorted(range(3), key=lambda place: (place == row, place)):
        shown = [v for i, v in enumerate(grid[place]) if (place, i) != (row, column)]
        name, text = f"row {place + 1}", ", ".join(shown)
        box: Box = (LOW, LOW + CELL * place, LOW + 3 * CELL, LOW + CELL * (place + 1))
        steps.append(perceive(f"{name}: {text}", text, (name,), box))
    value = grid[row][column]
    return [*steps, conclude(f"{value} is missing", value, (f"row {row + 1}",))]


def _draw_cell(
    drawing: Drawing, latent: Latent, place: tuple[int, int], middle: Point, style: Style
) -> None:
    """Draw the shapes of a cell: one large, or several small."""
    row, column = place
    count = latent["count"][row][column]
    radius = RADIUS * (1.4 if count == "1" else 1.0)
    for across, down in PLACES[count]:
        at = (middle[0] + STEP * across, middle[1] + STEP * down)
        icon(
            drawing,
            latent["shape"][row][column],
            at,
            radius,
            style.color(latent["color"][row][column]),
        )
