"""Scales of charts: where a value lies in the picture, and the lines and numbers beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mstar.envs.families.parts.drawing import INK, Color, Drawing

RULE: Color = (205, 205, 205)  # of the lines behind a chart
FLOOR, TOP, LEFT, RIGHT = 0.86, 0.07, 0.17, 0.97  # of a plot, in shares of the side
DIGITS = 0.105  # height: at 96 pixels a 6 is not taken for a 0 or an 8


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight scale on which `low` lies at `start` and `high` at `end`.

    >>> Scale(0, 10, 0.25, 0.75).at(5)
    0.5
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies, as a share of the side."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share


def upward(drawing: Drawing, scale: Scale, ticks: Iterable[int]) -> None:
    """A line across the plot with its number on the left, for each tick of an upright scale."""
    for tick in ticks:
        y = scale.at(tick)
        drawing.line([(LEFT, y), (RIGHT, y)], color=RULE, width=0.004)
        drawing.text((LEFT - 0.02, y), str(tick), height=DIGITS, anchor="rm")


def rightward(drawing: Drawing, scale: Scale, ticks: Iterable[int], lines: bool) -> None:
    """The number under the plot for each tick of a level scale, and lines where wanted."""
    for tick in ticks:
        x = scale.at(tick)
        if lines:
            drawing.line([(x, TOP), (x, FLOOR)], color=RULE, width=0.004)
        drawing.text((x, FLOOR + 0.07), str(tick), height=DIGITS)


def frame(drawing: Drawing) -> None:
    """The left and the lower edge of the plot."""
    drawing.line([(LEFT, TOP), (LEFT, FLOOR), (RIGHT, FLOOR)], color=INK, width=0.008)
