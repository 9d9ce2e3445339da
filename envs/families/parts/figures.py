"""Plane figures labelled with their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mstar.envs.families.parts.boxes import Box
from mstar.envs.families.parts.drawing import INK, Color, Drawing, Point


@dataclass(frozen=True, slots=True)
class Slot:
    """The part of an image for one figure and its numbers.

    Attributes:
        box: its edges, in [0, 1].
        height: of the numbers, as a fraction of the side.
    """

    box: Box
    height: float

    def fit(self, ratio: float) -> Box:
        """The largest box of a width-to-height ratio that leaves room for the numbers."""
        left, top, right, bottom = self.box
        width, height = right - left - 2.8 * self.height, bottom - top - 1.3 * self.height
        width = min(width, height * ratio)
        x, y = (left + right) / 2, top + height / 2
        return (x - width / 2, y - width / ratio / 2, x + width / 2, y + width / ratio / 2)


def draw_figure(
    drawing: Drawing, slot: Slot, kind: str, numbers: Sequence[int], fill: Color
) -> None:
    """Draw a rectangle, square, triangle, right triangle, or a triangle with its angles."""
    if kind in ("rectangle", "square"):
        _rectangle(drawing, slot, numbers, fill)
    elif kind == "right triangle":
        _right_triangle(drawing, slot, numbers, fill)
    elif kind == "triangle":
        _triangle(drawing, slot, numbers, fill)
    else:
        _angles(drawing, slot, numbers, fill)


def _rectangle(drawing: Drawing, slot: Slot, numbers: Sequence[int], fill: Color) -> None:
    """Width below and height at the left; a square has one number, below."""
    left, top, right, bottom = slot.fit(_between(0.7, numbers[0] / numbers[-1], 1.5))
    drawing.rectangle((left, top), (right, bottom), fill=fill, outline=INK, width=0.012)
    below = ((left + right) / 2, bottom + 0.68 * slot.height)
    drawing.text(below, str(numbers[0]), slot.height)
    if len(numbers) == 2:
        beside = (left - 0.25 * slot.height, (top + bottom) / 2)
        drawing.text(beside, str(numbers[1]), slot.height, anchor="rm")


def _right_triangle(drawing: Drawing, slot: Slot, numbers: Sequence[int], fill: Color) -> None:
    """The legs' numbers at the left and below; a small square marks the right angle."""
    left, top, right, bottom = slot.fit(_between(0.7, numbers[1] / numbers[0], 1.7))
    _polygon(drawing, [(left, top), (right, bottom), (left, bottom)], fill)
    corner = 0.045
    drawing.line(
        [(left, bottom - corner), (left + corner, bottom - corner), (left + corner, bottom)],
        width=0.008,
    )
    beside = (left - 0.25 * slot.height, (top + bottom) / 2)
    drawing.text(beside, str(numbers[0]), slot.height, anchor="rm")
    below = ((left + right) / 2, bottom + 0.68 * slot.height)
    drawing.text(below, str(numbers[1]), slot.height)


def _triangle(drawing: Drawing, slot: Slot, numbers: Sequence[int], fill: Color) -> None:
    """Numbers outside the middles of the left, right and bottom side."""
    a, b, c = numbers
    share = (a * a + c * c - b * b) / (2 * c * c)  # foot of the height, by the law of cosines
    rise = math.sqrt(max(0.0, (a / c) ** 2 - share**2))
    left, top, right, bottom = slot.fit(_between(1.0, 1 / max(rise, 0.01), 1.6))
    apex = (left + (right - left) * _between(0.35, share, 0.65), top)
    _polygon(drawing, [apex, (right, bottom), (left, bottom)], fill)
    _beside(drawing, (left, bottom), apex, str(a), slot.height)
    _beside(drawing, apex, (right, bottom), str(b), slot.height)
    drawing.text(((left + right) / 2, bottom + 0.68 * slot.height), str(c), slot.height)


def _angles(drawing: Drawing, slot: Slot, numbers: Sequence[int], fill: Color) -> None:
    """The lower angles in their corners, x at the top; a third number is the base's length."""
    alpha, beta = (math.radians(_between(47, angle, 58)) for angle in numbers[:2])
    left, _, right, bottom = slot.box
    bottom -= 1.3 * slot.height
    rise = (right - left) / (1 / math.tan(alpha) + 1 / math.tan(beta))
    apex = (left + rise / math.tan(alpha), bottom - rise)
    _polygon(drawing, [apex, (right, bottom), (left, bottom)], fill)
    inward, up = 1.75 * slot.height, bottom - 0.62 * slot.height
    drawing.text((left + inward, up), f"{numbers[0]}°", slot.height)
    drawing.text((right - inward, up), f"{numbers[1]}°", slot.height)
    drawing.text((apex[0], apex[1] + 1.4 * slot.height), "x", slot.height)
    if len(numbers) == 3:
        below = ((left + right) / 2, bottom + 0.68 * slot.height)
        drawing.text(below, str(numbers[2]), slot.height)


def _polygon(drawing: Drawing, corners: Sequence[Point], fill: Color) -> None:
    drawing.polygon(corners, fill=fill)
    drawing.line([*corners, corners[0], corners[1]], width=0.012)


def _beside(drawing: Drawing, start: Point, end: Point, text: str, height: float) -> None:
    """Draw text beside the middle of a line, on the left as seen from `start` to `end`."""
    across, down = end[0] - start[0], end[1] - start[1]
    away = 0.78 * height / math.hypot(across, down)
    at = ((start[0] + end[0]) / 2 + down * away, (start[1] + end[1]) / 2 - across * away)
    drawing.text(at, text, height)


def _between(low: float, value: float, high: float) -> float:
    return min(high, max(low, value))
