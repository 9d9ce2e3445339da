"""Bounding boxes: (left, top, right, bottom) as fractions of the image's side."""

from __future__ import annotations

from collections.abc import Iterable

from mstar.envs.families.parts.drawing import Point

Box = tuple[float, float, float, float]


def around(center: Point, across: float, down: float | None = None) -> Box:
    """The box that extends `across` sideways and `down` vertically, clipped to the image.

    >>> around((0.5, 0.05), 0.1)
    (0.4, 0.0, 0.6, 0.15000000000000002)
    """
    x, y = center
    down = across if down is None else down
    return (max(0.0, x - across), max(0.0, y - down), min(1.0, x + across), min(1.0, y + down))


def enclosing(boxes: Iterable[Box]) -> Box:
    """The smallest box that contains all of them.

    Raises:
        ValueError: there are none.
    """
    left, top, right, bottom = zip(*boxes, strict=True)
    return (min(left), min(top), max(right), max(bottom))
