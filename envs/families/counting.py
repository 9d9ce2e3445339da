"""Coloured shapes in rows: how many of a kind, how many more, how many together?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step


class Counting(Family):
    """Shapes scattered over the cells of a grid; a kind is a colour, or a colour and a shape."""

    name: ClassVar[str] = "Counting"
    topic: ClassVar[str] = "counting"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "count": (
            "How many {a} are there?",
            "Count the {a}.",
            "What is the number of {a}?",
        ),
        "difference": (
            "How many more {a} than {b} are there?",
            "By how many do the {a} outnumber the {b}?",
            "What is the number of {a} minus the number of {b}?",
        ),
        "sum": (
            "How many {a} and {b} are there together?",
            "What is the total of {a} and {b}?",
            "Count the {a} and the {b}. How many in all?",
        ),
    }

    rows = Difficulty("perception", 3, 4, 5)
    columns = Difficulty("perception", 4, 5, 6)
    palette = Difficulty("perception", 4, 6, 8)
    shapes = Difficulty("perception", 2, 3, 4)
    most = Difficulty("perception", 8, 12, 16)  # shapes to count in total
    others = Difficulty("distractor", 4, 8, 14)
    plain = Difficulty("reasoning", 0.5, 0.25, 0.0)  # probability that a kind is a colour alone
    plain_pairs = Difficulty("reasoning", 1.0, 0.25, 0.0)

    def latent(self, rng: np.random.Generator) -> Latent:
        """What is asked, and one word per cell of the grid, row by row; "" for an empty cell."""
        template = choose(list(self.wordings), rng)
        colors = rng.permutation(list(COLORS)[: self.palette])[:2]
        shapes = [ICONS[int(i)] for i in rng.integers(0, self.shapes, size=2)]
        only_color = rng.random() < (self.plain if template == "count" else self.plain_pairs)
        a, b = (
            str(color) if only_color else f"{color} {shape}"
            for color, shape in zip(colors, shapes, strict=True)
        )
        ask = {"template": template, "a": a} | ({} if template == "count" else {"b": b})
        return {"cells": self._cells(ask, rng), "ask": ask}

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same question about other cells."""
        return {**latent, "cells": self._cells(latent["ask"], rng)}

    def _cells(self, ask: Mapping[str, str], rng: np.random.Generator) -> list[str]:
        kinds = [
            f"{color} {shape}"
            for color in list(COLORS)[: self.palette]
            for shape in ICONS[: self.shapes]
        ]
        targets = [ask[key] for key in ("a", "b") if key in ask]
        words = [
            choose(fitting, rng)
            for target, count in zip(targets, self._counts(ask["template"], rng), strict=True)
            for fitting in ([kind for kind in kinds if _is(kind, target)],)
            for _ in range(count)
        ]
        rest = [kind for kind in kinds if not any(_is(kind, target) for target in targets)]
        empty = self.rows * self.columns - len(words)
        extra = min(empty, int(rng.integers(1, self.others + 1)))
        words += [rest[int(i)] for i in rng.integers(0, len(rest), size=extra)]
        words += [""] * (empty - extra)
        return shuffled(words, rng)

    def _counts(self, template: str, rng: np.random.Generator) -> Sequence[int]:
        """Counts of the kinds asked about, so that no answer is much more frequent than others."""
        if template == "count":
            return (int(rng.integers(1, self.most + 1)),)
        most = self.most // 2 + 1
        if template == "sum":
            a, b = rng.integers(1, most, size=2)
            return int(a), int(b)
        difference = int(rng.integers(1, most))
        fewer = int(rng.integers(1, most - difference + 1))
        return fewer + difference, fewer

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The kinds in the plural."""
        return {key: _plural(latent["ask"][key]) for key in ("a", "b") if key in latent["ask"]}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Count by row or by kind, then add or subtract."""
        ask, cells = latent["ask"], latent["cells"]
        template = ask["template"]
        steps = self._by_row(ask["a"], cells) if template == "count" else _by_kind(ask, cells)
        sign = "-" if template == "difference" else "+"
        numbers = [int(step.value) for step in steps]
        result = numbers[0] - numbers[1] if sign == "-" else sum(numbers)
        expression = f" {sign} ".join(step.value for step in steps)
        steps.append(compute(expression, result, tuple(ask.values())[1:]))
        return Solution.number(steps, [sum(1 for cell in cells if cell)], type="count")

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw each shape near the middle of its cell."""
        drawing = Drawing(style.background)
        width, height = 1 / self.columns, 1 / self.rows
        radius = 0.35 * min(width, height) * style.scale
        for index, cell in enumerate(latent["cells"]):
            if not cell:
                continue
            row, column = divmod(index, self.columns)
            color, shape = cell.split()
            # The jitter comes from the style, so that it says nothing about the answer.
            x = (column + 0.5 + 0.05 * math.sin(9 * index + 20 * style.shift[0])) * width
            y = (row + 0.5 + 0.05 * math.sin(7 * index + 20 * style.shift[1])) * height
            icon(drawing, shape, (x, y), radius, style.color(color))
        return drawing

    def _by_row(self, target: str, cells: Sequence[str]) -> list[Step]:
        rows = [cells[i : i + self.columns] for i in range(0, len(cells), self.columns)]
        steps = []
        for index, row in enumerate(rows):
            count = sum(_is(cell, target) for cell in row)
            box = (0.0, index / self.rows, 1.0, (index + 1) / self.rows)
            steps.append(perceive(f"row {index + 1} has {count}", count, (target,), box))
        return steps


def _by_kind(ask: Mapping[str, str], cells: Sequence[str]) -> list[Step]:
    steps = []
    for target in (ask["a"], ask["b"]):
        count = sum(_is(cell, target) for cell in cells)
        text = f"{target} is {count}" if target in COLORS else f"{target}s are {count}"
        steps.append(perceive(text, count, (target,), (0.0, 0.0, 1.0, 1.0)))
    return steps


def _is(cell: str, target: str) -> bool:
    """Whether a cell such as "red circle" is of a kind such as "red" or "red circle"."""
    return cell == target or cell.split(" ")[0] == target


def _plural(target: str) -> str:
    return f"{target} shapes" if target in COLORS else f"{target}s"
