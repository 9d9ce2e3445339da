"""The graph of a function on a grid: a value, a difference of two values, a slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import around
from mstar.envs.families.parts.drawing import INK, Color, Drawing, Point
from mstar.envs.families.parts.sampling import choose
from mstar.envs.families.solution import Solution, compute, perceive

LEFT, RIGHT, TOP, FLOOR = 0.2, 0.95, 0.065, 0.85  # of the plot, as fractions of the side
SQUARES = 8  # of the grid, from bottom to top
GRID: Color = (205, 205, 205)
LINES = ("blue", "red", "green", "purple")  # colours of a graph, chosen by style


class FunctionGraph(Family):
    """A bent line or a parabola through points of the grid; one square may be several units."""

    name: ClassVar[str] = "FunctionGraph"
    topic: ClassVar[str] = "functions"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "value": (
            "What is f({a})?",
            "How high is the graph at x = {a}?",
            "What is the value of the function at {a}?",
        ),
        "difference": (
            "What is f({a}) - f({b})?",
            "How much higher is the graph at x = {a} than at x = {b}?",
            "By how much does f({a}) exceed f({b})?",
        ),
        "slope": (
            "What is the slope of the graph from x = {a} to x = {b}?",
            "How much does f rise per unit from {a} to {b}?",
            "How steep is the graph between x = {a} and x = {b}?",
        ),
    }

    span = Difficulty("perception", 5, 6, 6)  # greatest x
    dots = Difficulty("perception", True, True, False)  # whether points of the grid are marked
    # The height of a square of the grid.
    units: Difficulty[tuple[int, ...]] = Difficulty("perception", (1,), (1, 2, 10), (2, 5, 10))
    kinds: Difficulty[tuple[str, ...]] = Difficulty(
        "perception", ("bent",), ("bent", "parabola"), ("bent", "parabola")
    )
    run = Difficulty("reasoning", 1, 2, 2)  # from one bend to the next
    templates: Difficulty[tuple[str, ...]] = Difficulty(
        "reasoning", ("difference", "slope"), ("difference", "slope", "value"), ("slope", "value")
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """What is asked, and the graph's heights in squares at x = 0, 1, 2, ..."""
        template = choose(self.templates, rng)
        ask: Latent = {"template": template}
        if template == "slope":
            bends = range(self.run, self.span - self.run + 1, self.run)
            ask["a"] = choose(bends, rng)
            ask["b"] = ask["a"] + self.run
        else:
            a, b = (int(x) for x in rng.permutation(np.arange(1, self.span + 1))[:2])
            ask |= {"a": a} if template == "value" else {"a": a, "b": b}
        return self.vary({"ask": ask}, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """Another graph that the same question can be asked of."""
        ask = latent["ask"]
        slope = ask["template"] == "slope"
        steep = int(rng.integers(1, SQUARES // self.run + 1)) if slope else 0
        while True:
            kind = "bent" if slope else choose(self.kinds, rng)
            unit = choose(self.units, rng)
            heights = (
                self._parabola(rng) if kind == "parabola" else self._bent(ask["a"], steep, rng)
            )
            asked = [heights[ask[key]] for key in ("a", "b") if key in ask]
            if any(not 0 <= height <= SQUARES for height in asked):
                continue
            if ask["template"] == "value":
                fits = unit > 1 and asked[0] > 0 and ask["a"] not in (asked[0], unit)
            else:  # the question contains no number to be read
                apart = not {ask["a"], ask["b"]} & {height * unit for height in asked}
                fits = apart and (slope or asked[0] > asked[1])
            if fits:
                return {"kind": kind, "unit": unit, "heights": heights, "ask": ask}

    def _bent(self, start: int, steep: int, rng: np.random.Generator) -> list[int]:
        """Integer heights of a bent line that, unless `steep` is 0, rises by it from `start`."""
        run = self.run
        odd = int(rng.integers(run)) if steep * run < SQUARES else 0
        tops = (SQUARES - odd) // run
        bends = [int(v) for v in rng.integers(0, tops + 1, size=self.span // run + 1)]
        if steep:
            bends[start // run] = int(rng.integers(0, tops - steep + 1))
            bends[start // run + 1] = bends[start // run] + steep
        heights = [run * bends[0] + odd]
        for low, high in pairwise(bends):
            heights += [heights[-1] + (high - low) * step for step in range(1, run + 1)]
        return heights

    def _parabola(self, rng: np.random.Generator) -> list[int]:
        """Heights of a parabola; those outside the plot are never asked for."""
        middle, turn = int(rng.integers(1, self.span)), int(rng.integers(0, 5))
        heights = [turn + (x - middle) ** 2 for x in range(self.span + 1)]
        return heights if rng.random() < 0.5 else [SQUARES - height for height in heights]

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read one or two points of the graph, then calculate."""
        ask, unit = latent["ask"], latent["unit"]
        places = [ask[key] for key in ("a", "b") if key in ask]
        refs = tuple(f"x={x}" for x in places)
        heights = [latent["heights"][x] for x in places]
        values = [height * unit for height in heights]
        boxes = [around(self._at(x, h), 0.05) for x, h in zip(places, heights, strict=True)]
        if ask["template"] == "value":
            steps = [
                perceive(f"square is {unit}", unit, ("axis",), (0.0, 0.0, LEFT, 1.0)),
                perceive(f"height is {heights[0]}", heights[0], refs, boxes[0]),
                compute(f"{heights[0]} * {unit}", values[0], refs),
            ]
        else:
            steps = [
                perceive(f"f({x}) is {value}", value, (ref,), box)
                for x, value, ref, box in zip(places, values, refs, boxes, strict=True)
            ]
            first, second = values
            if ask["template"] == "difference":
                steps.append(compute(f"{first} - {second}", first - second, refs))
            else:
                rise = second - first
                steps.append(compute(f"{second} - {first}", rise, refs))
                if self.run > 1:
                    steps.append(compute(f"{rise} / {self.run}", rise // self.run, refs))
        return Solution.number(steps, (sum(values), heights[0], values[-1]))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the grid with its numbers, the axes, and the graph."""
        drawing = Drawing(style.background)
        for height in range(SQUARES + 1):
            drawing.line([self._at(0, height), self._at(self.span, height)], GRID, 0.004)
            if height % 2 == 0:
                x, y = self._at(0, height)
                drawing.text((x - 0.04, y), str(height * latent["unit"]), 0.11, anchor="rm")
        for x in range(self.span + 1):
            drawing.line([self._at(x, 0), self._at(x, SQUARES)], GRID, 0.004)
            across, down = self._at(x, 0)
            drawing.text((across, down + 0.075), str(x), 0.11)
        axes = [self._at(0, SQUARES), self._at(0, 0), self._at(self.span, 0)]
        drawing.line(axes, color=INK, width=0.012)
        color = style.color(LINES[style.wording % len(LINES)])
        self._curve(drawing, latent["kind"], latent["heights"], color)
        return drawing

    def _at(self, x: float, height: float) -> Point:
        """The place of a point of the function in the image."""
        return (
            LEFT + (RIGHT - LEFT) * x / self.span,
            FLOOR - (FLOOR - TOP) * height / SQUARES,
        )

    def _curve(self, drawing: Drawing, kind: str, heights: Sequence[int], color: Color) -> None:
        points = [(float(x), float(height)) for x, height in enumerate(heights)]
        if kind == "parabola":  # through the first three heights, drawn in fine steps
            first, second = heights[0], heights[1] - heights[0]
            bend = heights[2] - 2 * heights[1] + heights[0]
            fine = [x / 12 for x in range(12 * self.span + 1)]
            points = [(x, first + second * x + bend * x * (x - 1) / 2) for x in fine]
        inside = [point for point in points if 0 <= point[1] <= SQUARES]
        drawing.line([self._at(*point) for point in inside], color=color, width=0.022)
        if self.dots:
            for x, height in enumerate(heights):
                if 0 <= height <= SQUARES:
                    drawing.ellipse(self._at(x, height), 0.028, fill=color)
