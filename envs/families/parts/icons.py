"""Small shapes that can be told apart down to ten pixels."""

from __future__ import annotations

import math

from mstar.envs.families.parts.drawing import Color, Drawing, Point

ICONS = ("circle", "square", "triangle", "star", "heart")


def icon(drawing: Drawing, name: str, center: Point, radius: float, color: Color) -> None:
    """Draw one of ``ICONS``, about `radius` to each side of its centre.

    Raises:
        ValueError: a name that is not among them.
    """
    x, y = center
    drawing.named.append((name, (x - radius, y - radius), (x + radius, y + radius)))
    if name == "circle":
        drawing.ellipse(center, radius, fill=color)
    elif name == "square":
        side = 0.86 * radius
        drawing.rectangle((x - side, y - side), (x + side, y + side), fill=color)
    elif name == "triangle":
        low = y + 0.8 * radius
        drawing.polygon([(x, y - radius), (x + radius, low), (x - radius, low)], fill=color)
    elif name == "star":
        drawing.polygon(_star(center, 1.15 * radius), fill=color)
    elif name == "heart":
        lobe = 0.52 * radius
        for side in (-1, 1):
            drawing.ellipse((x + side * 0.92 * lobe, y - 0.4 * radius), lobe, fill=color)
        corner = 0.98 * radius
        drawing.polygon(
            [(x - corner, y - 0.2 * radius), (x + corner, y - 0.2 * radius), (x, y + radius)],
            fill=color,
        )
    else:
        raise ValueError(f"icon {name!r} is not known; use one of: {', '.join(ICONS)}")


def _star(center: Point, radius: float) -> list[Point]:
    corners = []
    for corner in range(10):
        reach = radius if corner % 2 == 0 else 0.45 * radius
        angle = math.pi * corner / 5
        corners.append((center[0] + reach * math.sin(angle), center[1] - reach * math.cos(angle)))
    return corners
