"""Numbers in circles or squares that follow a rule, one of them hidden: which one is it?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.drawing import COLORS, Drawing, Point
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive

RING, RADIUS, SQUARE = 0.37, 0.115, 0.28  # radius of the ring, of a circle on it; side of a square
UNDO = {"+": "-", "-": "+", "*": "/"}
FADED = (150, 150, 150)

Read = list[tuple[str, int]]  # a name of what is read, and its index in the list of numbers
Solved = tuple[Read, list[tuple[str, int]]]  # what is read, then expressions with their values


class NumberPattern(Family):
    """A ring with a constant step, a ring of equal sums, or three rows with the same rule."""

    name: ClassVar[str] = "NumberPattern"
    version: ClassVar[int] = 2
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "patterns"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "ring": (
            "Going clockwise from the thick circle, each number follows from the one before by the "
            "same rule. What is the missing number?",
            "Starting at the thick circle and going clockwise, one rule leads from each circle to "
            "the next. Which number belongs in place of the question mark?",
            "Go clockwise from the thick circle; the rule never changes. What number is hidden?",
        ),
        "opposite": (
            "Numbers that face each other across the ring have the same sum. What number is "
            "missing?",
            "Opposite circles always add up to the same number. What belongs in place of the "
            "question mark?",
            "Every pair of opposite circles has the same sum. What number is hidden?",
        ),
        "rows": (
            "In each row, the last number follows from the other two by the same rule. What is the "
            "missing number?",
            "In every row, one rule gives the right number from the left and the middle one. "
            "Which number belongs in place of the question mark?",
            "The left and the middle number of each row give the right one, always by the same "
            "rule. What number is hidden?",
        ),
    }

    steps_shown = Difficulty("perception", 5, 6, 6)  # circles of a ring
    facing = Difficulty("perception", 6, 6, 8)  # circles of a ring of equal sums
    signs = Difficulty("reasoning", ("+",), ("+", "-"), ("+", "-", "*"))
    # Whether the gap may be at the left or in the middle of a row.
    anywhere = Difficulty("reasoning", False, True, True)
    palette = Difficulty("distractor", 1, 3, 5)  # colours of the outlines, which mean nothing
    middle = Difficulty("distractor", False, False, True)  # a faded number inside the ring
    templates = ("ring", "opposite", "rows")

    def latent(self, rng: np.random.Generator) -> Latent:
        """The numbers in order, the gap, the rule, the colours of the outlines."""
        ask = {"template": self.templates[rng.integers(3)]}
        return {**self._numbers(ask["template"], rng), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers, another gap and maybe another rule."""
        return {**latent, **self._numbers(latent["ask"]["template"], rng)}

    def _numbers(self, template: str, rng: np.random.Generator) -> Latent:
        sign = choose(self.signs, rng)
        draw = {"ring": self._ring, "opposite": self._opposite, "rows": self._rows}[template]
        numbers = draw(sign, rng)
        gap = int(rng.integers(len(numbers)))
        if template == "rows" and not self.anywhere:
            gap = 3 * (gap // 3) + 2
        names = shuffled(COLORS, rng)[: self.palette]
        colors = [names[i] for i in rng.integers(len(names), size=len(numbers))]
        middle = int(rng.integers(2, 30)) if self.middle and template != "rows" else 0
        return {"numbers": numbers, "gap": gap, "sign": sign, "colors": colors, "middle": middle}

    def _ring(self, sign: str, rng: np.random.Generator) -> list[int]:
        count = self.steps_shown
        if sign == "*":
            factor = int(rng.integers(2, 4))
            start = int(rng.integers(1, 10 if factor == 2 else 5))
            return [start * factor**i for i in range(count)]
        start, step = int(rng.integers(1, 20)), int(rng.integers(2, 10))
        numbers = [start + step * i for i in range(count)]
        return numbers if sign == "+" else numbers[::-1]

    def _opposite(self, sign: str, rng: np.random.Generator) -> list[int]:
        """A random half of the ring; the other half completes the sums. No number occurs twice."""
        half = self.facing // 2
        total = int(rng.integers(12, 31))
        low = [int(v) for v in rng.permutation(np.arange(1, (total + 1) // 2))[:half]]
        first = [v if rng.integers(2) else total - v for v in low]
        return [*first, *(total - v for v in first)]

    def _rows(self, sign: str, rng: np.random.Generator) -> list[int]:
        """Three rows; no row fits two rules, and no two rows are equal."""
        rows: list[tuple[int, int, int]] = []
        while len(rows) < 3:
            a, b = (int(v) for v in rng.integers(1, 10, size=2))
            row = {"+": (a, b, a + b), "-": (a + b, a, b), "*": (a, b, a * b)}[sign]
            if row not in rows and sum(_fits(row, other) for other in UNDO) == 1:
                rows.append(row)
        return [number for row in rows for number in row]

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Find the rule from numbers that are shown, then apply it to the gap."""
        template, numbers = latent["ask"]["template"], latent["numbers"]
        spots = _spots(template, len(numbers), style)
        solve = {"ring": _solve_ring, "opposite": _solve_opposite, "rows": _solve_rows}[template]
        read, computed = solve(numbers, latent["gap"], latent["sign"])
        refs = tuple(f"place {i + 1}" for _, i in read)
        steps = [
            perceive(f"{name} is {numbers[i]}", numbers[i], (ref,), around(spots[i], RADIUS))
            for (name, i), ref in zip(read, refs, strict=True)
        ]
        steps += [compute(expression, value, refs) for expression, value in computed]
        careless = [value for _, value in computed[:-1]]
        return Solution.number(steps, (*careless, *(numbers[i] for _, i in read[-1:])))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the circles or squares with their numbers."""
        drawing = Drawing(style.background)
        template, numbers = latent["ask"]["template"], latent["numbers"]
        spots = _spots(template, len(numbers), style)
        for index, ((x, y), number) in enumerate(zip(spots, numbers, strict=True)):
            color = style.color(latent["colors"][index])
            if template == "rows":
                low, high = (x - SQUARE / 2, y - SQUARE / 2), (x + SQUARE / 2, y + SQUARE / 2)
                drawing.rectangle(low, high, outline=color, width=0.02)
            else:
                thick = template == "ring" and index == 0
                drawing.ellipse((x, y), RADIUS, outline=color, width=0.034 if thick else 0.014)
            text = "?" if index == latent["gap"] else str(number)
            drawing.text((x, y), text, height=0.14 if template == "rows" else 0.1)
        if latent["middle"]:
            drawing.text((0.5, 0.5), str(latent["middle"]), height=0.12, color=FADED)
        return drawing


def _fits(row: tuple[int, int, int], sign: str) -> bool:
    a, b, c = row
    return c == {"+": a + b, "-": a - b, "*": a * b}[sign]


def _solve_ring(numbers: list[int], gap: int, sign: str) -> Solved:
    """The rule from two neighbours that are shown, then from the gap's neighbour to the gap."""
    at = next(i for i in range(len(numbers)) if gap not in (i, i + 1))
    a, b = numbers[at], numbers[at + 1]
    beside = gap - 1 if gap else 1
    read = [("one circle", at), ("the next", at + 1)]
    if beside not in (at, at + 1):
        read.append(("before the gap", beside))
    high, low = (b, a) if b > a else (a, b)
    rule = high // low if sign == "*" else high - low
    onward = sign if gap else UNDO[sign]
    return read, [
        (f"{high} {'/' if sign == '*' else '-'} {low}", rule),
        (f"{numbers[beside]} {onward} {rule}", numbers[gap]),
    ]


def _solve_opposite(numbers: list[int], gap: int, sign: str) -> Solved:
    half = len(numbers) // 2
    at = next(i for i in range(half) if i != gap % half)
    facing = (gap + half) % len(numbers)
    total = numbers[at] + numbers[at + half]
    read = [("one circle", at), ("the one across", at + half), ("across from the gap", facing)]
    return read, [
        (f"{numbers[at]} + {numbers[at + half]}", total),
        (f"{total} - {numbers[facing]}", numbers[gap]),
    ]


def _solve_rows(numbers: list[int], gap: int, sign: str) -> Solved:
    """The rule from a complete row, then the same rule or its inverse in the row with the gap."""
    row, place = divmod(gap, 3)
    whole = 3 * (0 if row else 1)
    a, b, c = numbers[whole : whole + 3]
    left, center, right = numbers[3 * row : 3 * row + 3]
    expression = {
        2: f"{left} {sign} {center}",
        0: f"{right} {UNDO[sign]} {center}",
        1: f"{left} - {right}" if sign == "-" else f"{right} {UNDO[sign]} {left}",
    }[place]
    read = [(name, whole + i) for i, name in enumerate(("left", "middle", "right"))]
    read = [(f"{name} of row {whole // 3 + 1}", i) for name, i in read[:2]]
    names = ("left", "middle", "right")
    read += [(f"{names[i]} of row {row + 1}", 3 * row + i) for i in range(3) if i != place]
    return read, [(f"{a} {sign} {b}", c), (expression, numbers[gap])]


def _spots(template: str, count: int, style: Style) -> list[Point]:
    if template == "rows":
        return [(0.5 + 0.3 * (i % 3 - 1), 0.5 + 0.3 * (i // 3 - 1)) for i in range(count)]
    angles = [math.pi * (style.shift[0] + 2 * i / count) for i in range(count)]
    return [(0.5 + RING * math.cos(a), 0.5 + RING * math.sin(a)) for a in angles]
