"""A table with names at its rows and columns: totals of a row, of a column, a difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import Drawing
from mstar.envs.families.parts.sampling import choose, shuffled
from mstar.envs.families.solution import Solution, compute, perceive

PEOPLE = ("ann", "bob", "eva", "kim", "leo", "max", "sue", "tom")
DAYS = ("tue", "thu", "fri", "sat", "sun")  # mon and wed are too wide
LEFT, TOP, RIGHT, BOTTOM = 0.02, 0.02, 0.98, 0.98  # of the table, as fractions of the side
NAMES = 0.24  # width of the column of names


class Table(Family):
    """Whole numbers in cells; a row is a person, a column is a day."""

    name: ClassVar[str] = "Table"
    version: ClassVar[int] = 2
    reworded: ClassVar[int] = 1
    topic: ClassVar[str] = "tables"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "row total": (
            "What is the total for {a}?",
            "What do the numbers for {a} add up to?",
            "How many does {a} have on all days together?",
        ),
        "column total": (
            "What is the total for {a}?",
            "What do the numbers for {a} add up to?",
            "How many do they all have together on {a}?",
        ),
        "difference": (
            "How many more does {a} have than {b} on {day}?",
            "How much higher is the number for {a} than for {b} on {day}?",
            "On {day}, what is the number for {a} minus the number for {b}?",
        ),
    }

    rows = Difficulty("perception", 3, 4, 5)
    columns = Difficulty("perception", 3, 3, 4)
    low = Difficulty("reasoning", 1, 1, 10)
    high = Difficulty("reasoning", 9, 20, 60)  # greatest cell
    names = Difficulty(
        "perception", 0.115, 0.11, 0.095
    )  # height of text, as a fraction of the side
    digits = Difficulty("perception", 0.135, 0.12, 0.105)

    def latent(self, rng: np.random.Generator) -> Latent:
        """Names, cells row by row, and what is asked; the compared cells are never equal."""
        people = shuffled(PEOPLE, rng)[: self.rows]
        days = [DAYS[int(i)] for i in sorted(rng.permutation(len(DAYS))[: self.columns])]
        template = choose(list(self.wordings), rng)
        ask: Latent = {"template": template}
        if template == "difference":
            first, second = (int(i) for i in rng.permutation(self.rows)[:2])
            ask |= {"a": people[first], "b": people[second]}
            ask["day"] = days[int(rng.integers(self.columns))]
        else:
            names = people if template == "row total" else days
            ask["a"] = choose(names, rng)
        return self.vary({"people": people, "days": days, "ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other numbers for the same names."""
        ask, people = latent["ask"], latent["people"]
        while True:
            cells = rng.integers(self.low, self.high + 1, size=(self.rows, self.columns)).tolist()
            if ask["template"] != "difference":
                break
            column = latent["days"].index(ask["day"])
            a, b = (people.index(ask[key]) for key in ("a", "b"))
            if cells[a][column] > cells[b][column]:
                break
        return {"people": people, "days": latent["days"], "cells": cells, "ask": ask}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read the cells that are asked about, then add or subtract."""
        ask, cells = latent["ask"], latent["cells"]
        people, days, template = latent["people"], latent["days"], ask["template"]
        if template == "difference":
            column = days.index(ask["day"])
            read = [(person, people.index(person), column) for person in (ask["a"], ask["b"])]
        elif template == "row total":
            read = [(day, people.index(ask["a"]), column) for column, day in enumerate(days)]
        else:
            read = [(person, row, days.index(ask["a"])) for row, person in enumerate(people)]
        numbers = [int(cells[row][column]) for _, row, column in read]
        result = numbers[0] - numbers[1] if template == "difference" else sum(numbers)
        expression = (" - " if template == "difference" else " + ").join(map(str, numbers))
        refs = tuple(f"{people[row]} {days[column]}" for _, row, column in read)
        steps = [
            perceive(f"{name} is {value}", value, (ref,), self._box(row, column))
            for (name, row, column), value, ref in zip(read, numbers, refs, strict=True)
        ]
        # The total of the same row or column, and a cell left out.
        _, row, column = read[0]
        along = sum(cells[row]), sum(line[column] for line in cells)
        careless = (*along, result - cells[row][column])
        return Solution.number([*steps, compute(expression, result, refs)], careless)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the table with its names and numbers."""
        drawing = Drawing(style.background)
        shade = (style.background[0] - 18, style.background[1] - 14, style.background[2])
        drawing.rectangle((LEFT, TOP), (RIGHT, self._box(-1, 0)[3]), fill=shade)
        drawing.rectangle((LEFT, TOP), (self._box(0, -1)[2], BOTTOM), fill=shade)
        if style.grid:
            for row in range(self.rows):
                y = self._box(row, 0)[1]
                drawing.line([(LEFT, y), (RIGHT, y)], color=(190, 190, 190), width=0.006)
        for column, day in enumerate(latent["days"]):
            self._write(drawing, -1, column, day, style)
        for row, person in enumerate(latent["people"]):
            self._write(drawing, row, -1, person, style)
            for column, value in enumerate(latent["cells"][row]):
                self._write(drawing, row, column, str(value), style)
        return drawing

    def _box(self, row: int, column: int) -> Box:
        """The cell of a row and a column; -1 for the names."""
        width = (RIGHT - LEFT - NAMES) / self.columns
        height = (BOTTOM - TOP) / (self.rows + 1)
        left = LEFT if column < 0 else LEFT + NAMES + column * width
        top = TOP + (row + 1) * height
        return (left, top, left + (NAMES if column < 0 else width), top + height)

    def _write(self, drawing: Drawing, row: int, column: int, text: str, style: Style) -> None:
        left, top, right, bottom = self._box(row, column)
        x = (left + right) / 2 + 0.008 * style.shift[0]
        y = (top + bottom) / 2 + 0.008 * style.shift[1]
        drawing.text((x, y), text, self.names if min(row, column) < 0 else self.digits)
