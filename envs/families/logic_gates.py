"""Rows of logic gates, from digits at the left to a lamp at the right: which lamps are lit?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import COLORS, INK, WHITE, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, conclude, perceive
from mstar.envs.problem import Step

GATES: Mapping[str, Callable[[int, int], int]] = {  # of the input from the left, and another one
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
    "NOT": lambda a, _: 1 - a,
}
TEXT, APART = 0.1, 0.052  # height of text; distance of an input from its row's centre
WIDTH, HALF = 0.25, 0.075  # width of a gate; half its height
LAMP, RADIUS = 0.92, 0.055  # x coordinate and radius of the lamps
BETWEEN = 0.19  # gap between two gates of a row

Row = dict[str, Any]  # color, gates, and inputs: one or two for the first gate, one for each other


class LogicGates(Family):
    """Three or four rows, each of one or two gates, whose last output lights a lamp."""

    name: ClassVar[str] = "LogicGates"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "logic"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "count": (
            "How many lamps are lit?",
            "Count the lamps that are on.",
            "How many of the lamps light up?",
        ),
        "lamp": ("Is the {a} lamp lit?", "Is the {a} lamp on?", "Does the {a} lamp light up?"),
    }

    lamps = Difficulty("perception", 3, 4, 4)
    known = Difficulty(
        "reasoning", ("AND", "OR"), ("AND", "OR", "XOR", "NOT"), ("AND", "OR", "XOR")
    )
    chain = Difficulty("reasoning", 1, 1, 2)  # gates of a row
    templates = Difficulty("reasoning", ("count", "lamp"), ("count", "lamp"), ("count", "lamp"))

    def latent(self, rng: np.random.Generator) -> Latent:
        """The lamps' colours, what is asked, and the rows."""
        colors = choose_several(COLORS, self.lamps, rng)
        ask = {"template": choose(self.templates, rng), "colors": colors}
        return self.vary({"ask": {**ask, "a": colors[rng.integers(self.lamps)]}}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Other rows for the same lamps; each number of lit lamps is equally likely."""
        colors = latent["ask"]["colors"]
        lit = rng.permutation(self.lamps) < rng.integers(self.lamps + 1)
        rows = [self._row(c, bool(on), rng) for c, on in zip(colors, lit, strict=True)]
        if latent["ask"]["template"] == "lamp":  # lit with probability 1/2
            place = colors.index(latent["ask"]["a"])
            rows[place] = self._row(colors[place], bool(rng.integers(2)), rng)
        return {**latent, "rows": rows}

    def _row(self, color: str, lit: bool, rng: np.random.Generator) -> Row:
        while True:
            gates = [choose(self.known, rng) for _ in range(self.chain)]
            inputs = [int(i) for i in rng.integers(2, size=self.chain + (gates[0] != "NOT"))]
            row = {"color": color, "gates": gates, "inputs": inputs}
            if _outputs(row)[-1] == lit:
                return row

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Work out every gate of the rows that are asked about."""
        rows, ask = latent["rows"], latent["ask"]
        counting = ask["template"] == "count"
        steps: list[Step] = []
        for place, row in enumerate(rows):
            if counting or row["color"] == ask["a"]:
                steps += _solve_row(row, _box(place, len(rows)))
        if counting:
            lit = sum(_outputs(row)[-1] for row in rows)
            steps.append(conclude(f"{lit} of the lamps shine", lit))
            return Solution.number(steps, [len(rows)], type="count")
        verdict = "yes" if steps[-1].value == "1" else "no"
        return Solution.yes_no([*steps, conclude(f"lit: {verdict}", verdict, (ask["a"],))])

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw one row below the other."""
        drawing, rows = Drawing(style.background), latent["rows"]
        for place, row in enumerate(rows):
            _draw_row(drawing, row, (place + 0.5) / len(rows), style)
        return drawing


def _outputs(row: Row) -> list[int]:
    """The output of each gate of a row."""
    gates, inputs = row["gates"], list(row["inputs"])
    value, found = inputs.pop(0), []
    for gate in gates:
        value = GATES[gate](value, 0 if gate == "NOT" else inputs.pop(0))
        found.append(value)
    return found


def _solve_row(row: Row, box: Box) -> list[Step]:
    """The inputs of the first gate, and the output of each gate."""
    inputs = list(row["inputs"])
    steps: list[Step] = []
    value = inputs.pop(0)
    for gate, output in zip(row["gates"], _outputs(row), strict=True):
        term = f"NOT {value}" if gate == "NOT" else f"{value} {gate} {inputs.pop(0)}"
        if not steps:
            steps.append(perceive(f"{row['color']}: {term}", term, (row["color"],), box))
        steps.append(Step(f"{term} is {output}", "compute", str(output), (row["color"],)))
        value = output
    return steps


def _box(place: int, rows: int) -> Box:
    return (0.0, place / rows, 1.0, (place + 1) / rows)


def _draw_row(drawing: Drawing, row: Row, y: float, style: Style) -> None:
    """Draw inputs, gates with their wires, and the lamp, from left to right."""
    inputs = [str(number) for number in row["inputs"]]
    left = 0.14 if len(row["gates"]) > 1 else 0.34
    first = inputs[:1] if row["gates"][0] == "NOT" else inputs[:2]
    ups = (0.0,) if len(first) == 1 else (-APART, APART)
    for text, up in zip(first, ups, strict=True):
        drawing.text((left - 0.09, y + up), text, height=TEXT)
        drawing.line([(left - 0.055, y + up), (left, y + up)], width=0.01)
    for number, gate in enumerate(row["gates"]):
        if number:
            left += WIDTH + BETWEEN
            drawing.text(
                (left - 0.09, y + APART + 0.02), inputs[len(first) + number - 1], height=TEXT
            )
            drawing.line([(left - 0.055, y + APART), (left, y + APART)], width=0.01)
        right = left + WIDTH
        end = LAMP if number == len(row["gates"]) - 1 else right + BETWEEN
        up = 0.0 if end == LAMP else -APART  # above the other input of the next gate
        drawing.line([(right, y + up), (end, y + up)], width=0.01)
        drawing.rectangle((left, y - HALF), (right, y + HALF), fill=WHITE, outline=INK, width=0.01)
        drawing.text(((left + right) / 2, y), gate, height=TEXT)
    drawing.ellipse((LAMP, y), RADIUS, fill=style.color(row["color"]), outline=INK, width=0.01)
