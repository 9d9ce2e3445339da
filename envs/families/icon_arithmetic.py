"""Equations with shapes for unknowns: what does a shape stand for, what fills the last row?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, Drawing, Point
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step

PITCH, RADIUS, HEIGHT = 0.12, 0.053, 0.12  # pitch of marks, radius of an icon, height of text
WORDS = {"+": "plus", "-": "minus", "*": "times"}
TIMES = {2: "twice", 3: "three times"}
SIGN = 0.026  # half the width of a sign
STROKES: Mapping[
    str, Sequence[Sequence[Point]]
] = {  # the font lacks a times sign and has a short minus
    "-": [[(-1, 0), (1, 0)]],
    "*": [[(-0.8, -0.8), (0.8, 0.8)], [(-0.8, 0.8), (0.8, -0.8)]],
}
OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}

Values = Mapping[str, int]  # what each shape stands for
Row = list[str]  # shapes, operators and numbers, in order


class IconArithmetic(Family):
    """Two or three equations, each of which determines one more shape; maybe a row with a gap."""

    name: ClassVar[str] = "IconArithmetic"
    version: ClassVar[int] = 1
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "algebra"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "Equal shapes stand for equal numbers. What number does the {a} stand for?",
            "Each shape stands for a number. What number is the {a}?",
            "Every shape hides a number. Find the number that the {a} hides.",
        ),
        "evaluate": (
            "Equal shapes stand for equal numbers. What belongs in place of the question mark?",
            "Each shape stands for a number. Which number replaces the question mark?",
            "Every shape hides a number. Find the number that belongs at the question mark.",
        ),
    }

    largest = Difficulty("perception", 9, 12, 15)
    signs = Difficulty("reasoning", ("+",), ("+", "-"), ("+", "-"))
    last_signs = Difficulty("reasoning", ("+", "-"), ("+", "-"), ("+", "-", "*"))
    unknowns = Difficulty("reasoning", 2, 2, 3)  # to solve for, up to the shape asked about
    extra = Difficulty("distractor", False, True, True)  # an equation that is not needed
    templates = ("value", "evaluate")

    def latent(self, rng: np.random.Generator) -> Latent:
        """Shapes and colours, the rows, what each shape stands for, and what is asked."""
        template = self.templates[rng.integers(2)]
        shapes = shuffled(ICONS, rng)[:3]
        colors = shuffled(COLORS, rng)[:3]
        needed = self.unknowns if template == "value" else 2
        ask = {"template": template, "a": shapes[needed - 1]}
        return self.vary({"shapes": shapes, "colors": colors, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers and operators under the same shapes."""
        shapes, template = latent["shapes"], latent["ask"]["template"]
        needed = shapes.index(latent["ask"]["a"]) + 1
        chain = shapes[: 3 if self.extra or needed == 3 else 2]
        while True:
            found = [int(v) for v in rng.permutation(np.arange(1, self.largest + 1))[: len(chain)]]
            values = dict(zip(chain, found, strict=True))
            rows = [[shapes[0], *["+", shapes[0]] * int(rng.integers(1, 3))]]
            for known, new in pairwise(chain):
                sign = choose(self.signs, rng)
                rows.append([new, sign, known] if rng.integers(2) else [known, sign, new])
            equations = [[*row, "=", str(_evaluate(row, values))] for row in rows]
            if template == "evaluate":
                fit = [row for row in _lasts(*chain[:2]) if row[1] in self.last_signs]
                fit = [row for row in fit if set(row) != set(rows[1])]  # that result is shown
                rows.append(choose(fit, rng))
                equations.append([*rows[-1], "=", "?"])
            if all(_evaluate(row, values) > 0 for row in rows):
                return {**latent, "values": values, "rows": equations}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the equations that are needed, then solve them one by one."""
        rows, values = latent["rows"], latent["values"]
        needed = latent["shapes"].index(latent["ask"]["a"]) + 1
        boxes = [_box(index, len(rows), row, style) for index, row in enumerate(rows)]
        steps = [
            perceive(_in_words(row), row[-1], tuple(n for n in row if n in values), box)
            for row, box in list(zip(rows, boxes, strict=True))[:needed]
        ]
        steps += [_solve_row(row[:-2], int(row[-1]), values) for row in rows[:needed]]
        if latent["ask"]["template"] == "evaluate":
            last = rows[-1][:-2]
            text = " ".join(str(values.get(mark, mark)) for mark in last)
            steps.append(compute(text, _evaluate(last, values), tuple(dict.fromkeys(last[::2]))))
        return Solution.number(steps, (*values.values(), int(rows[needed - 1][-1])))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw one equation below the other."""
        drawing, rows = Drawing(style.background), latent["rows"]
        colors = dict(zip(latent["shapes"], latent["colors"], strict=True))
        for index, row in enumerate(rows):
            left, y = _place(index, len(rows), style)
            for place, mark in enumerate(row):
                x = left + PITCH * place
                if mark in colors:
                    icon(drawing, mark, (x, y), RADIUS, style.color(colors[mark]))
                elif mark in STROKES:
                    for ends in STROKES[mark]:
                        line = [(x + SIGN * across, y + SIGN * down) for across, down in ends]
                        drawing.line(line, width=0.014)
                elif mark in "+=":
                    drawing.text((x, y), mark, height=HEIGHT)
                else:
                    drawing.text((x - 0.03, y), mark, height=HEIGHT, anchor="lm")
        return drawing


def _evaluate(row: Sequence[str], values: Values) -> int:
    """The value of shapes joined by operators of one kind."""
    total = values[row[0]]
    for sign, name in zip(row[1::2], row[2::2], strict=True):
        total = OPERATIONS[sign](total, values[name])
    return total


def _lasts(a: str, b: str) -> list[Row]:
    """The expressions of the first two shapes that the last row may ask for."""
    return [[b, "+", b], [b, "+", b, "+", a], [a, "+", b], [b, "-", a], [a, "-", b], [a, "*", b]]


def _in_words(row: Row) -> str:
    """An equation in words, its number last."""
    left, number = row[:-2], row[-1]
    if len(set(left)) == 2:  # one shape, one sign
        return f"{TIMES[left.count(left[0])]} the {left[0]} is {number}"
    return f"{left[0]} {WORDS[left[1]]} {left[2]} is {number}"


def _solve_row(left: Row, number: int, values: Values) -> Step:
    """The step that solves an equation for its new shape."""
    if len(set(left)) == 2:
        count, new = left.count(left[0]), left[0]
        return compute(f"{number} / {count}", values[new], (new,))
    new = max(left[0], left[2], key=list(values).index)
    known = values[left[2] if new == left[0] else left[0]]
    if left[1] == "+":
        expression = f"{number} - {known}"
    elif new == left[0]:
        expression = f"{number} + {known}"
    else:
        expression = f"{known} - {number}"
    return compute(expression, values[new], (new,))


def _place(index: int, count: int, style: Style) -> tuple[float, float]:
    """The left end of a row, and the y coordinate of its centre."""
    pitch = 0.25 if count < 4 else 0.23
    return 0.1 + 0.02 * style.shift[0], 0.5 + pitch * (index - (count - 1) / 2)


def _box(index: int, count: int, row: Row, style: Style) -> Box:
    x, y = _place(index, count, style)
    return (x - 0.07, y - 0.09, min(1.0, x + PITCH * len(row)), y + 0.09)
