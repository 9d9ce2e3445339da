"""Axes of charts: the place of a value in the image, grid lines, and tick labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mstar.envs.families.parts.drawing import INK, Color, Drawing

RULE: Color = (205, 205, 205)  # of grid lines
FLOOR, TOP, LEFT, RIGHT = 0.86, 0.07, 0.17, 0.97  # of a plot, as fractions of the side
DIGITS = 0.105  # height; at 96 pixels a 6 differs from a 0 and an 8


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale that maps `low` to `start` and `high` to `end`.

    >>> Scale(0, 10, 0.25, 0.75).at(5)
    0.5
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The coordinate of a value, as a fraction of the side."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share


def upward(drawing: Drawing, scale: Scale, ticks: Iterable[int]) -> None:
    """Draw the ticks of a vertical axis: a grid line each, with its number on the left."""
    for tick in ticks:
        y = scale.at(tick)
        drawing.line([(LEFT, y), (RIGHT, y)], color=RULE, width=0.004)
        drawing.text((LEFT - 0.02, y), str(tick), height=DIGITS, anchor="rm")


def rightward(drawing: Drawing, scale: Scale, ticks: Iterable[int], lines: bool) -> None:
    """Draw the ticks of a horizontal axis: a number each, below the plot, and maybe grid lines."""
    for tick in ticks:
        x = scale.at(tick)
        if lines:
            drawing.line([(x, TOP), (x, FLOOR)], color=RULE, width=0.004)
        drawing.text((x, FLOOR + 0.07), str(tick), height=DIGITS)


def frame(drawing: Drawing) -> None:
    """Draw the left and the lower edge of the plot."""
    drawing.line([(LEFT, TOP), (LEFT, FLOOR), (RIGHT, FLOOR)], color=INK, width=0.008)
