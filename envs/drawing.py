"""Pictures as lists of marks in the unit square, crisp at any size because drawn at that size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]  # (x, y) in [0, 1], y grows downwards
Color = tuple[int, int, int]

INK: Color = (30, 30, 34)
WHITE: Color = (255, 255, 255)
# Far apart in hue and lightness, so that a name means one colour only.
COLORS: dict[str, Color] = {
    "red": (214, 39, 40),
    "blue": (31, 90, 200),
    "green": (34, 150, 60),
    "orange": (255, 140, 0),
    "purple": (130, 60, 180),
    "gray": (127, 127, 127),
    "brown": (130, 80, 40),
    "pink": (240, 130, 190),
}
DEFAULT_SIZE = 112  # pixels


@lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    font = ImageFont.load_default(size=pixels)  # Pillow's own font: nothing to ship
    if isinstance(font, ImageFont.FreeTypeFont):  # drawing a text is mostly making its mask
        font.getmask2 = lru_cache(maxsize=512)(font.getmask2)  # type: ignore[method-assign,assignment]
    return font


@dataclass
class Drawing:
    """A list of marks; coordinates and widths are shares of the picture's side.

    >>> drawing = Drawing()
    >>> drawing.rectangle((0.1, 0.1), (0.5, 0.9), fill=COLORS["red"])
    >>> drawing.render(96).size
    (96, 96)
    """

    background: Color = WHITE
    marks: list[Callable[[ImageDraw.ImageDraw, int], None]] = field(default_factory=list)

    def render(self, size: int | None = None) -> Image.Image:
        """Draw at `size` x `size` pixels, RGB."""
        side = size or DEFAULT_SIZE
        image = Image.new("RGB", (side, side), self.background)
        draw = ImageDraw.Draw(image)
        for mark in self.marks:
            mark(draw, side)
        return image

    def line(self, points: Sequence[Point], color: Color = INK, width: float = 0.01) -> None:
        """A line through two or more points."""

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            draw.line(_pixels(points, side), fill=color, width=_width(width, side), joint="curve")

        self.marks.append(mark)

    def rectangle(
        self,
        low: Point,
        high: Point,
        fill: Color | None = None,
        outline: Color | None = None,
        width: float = 0.01,
    ) -> None:
        """A rectangle from its left top to its right bottom corner."""

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            draw.rectangle(_pixels([low, high], side), fill, outline, _width(width, side))

        self.marks.append(mark)

    def ellipse(
        self,
        center: Point,
        radius: float | tuple[float, float],
        fill: Color | None = None,
        outline: Color | None = None,
        width: float = 0.01,
    ) -> None:
        """A circle, or an ellipse where `radius` is (x radius, y radius)."""
        rx, ry = radius if isinstance(radius, tuple) else (radius, radius)
        box = [(center[0] - rx, center[1] - ry), (center[0] + rx, center[1] + ry)]

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            draw.ellipse(_pixels(box, side), fill, outline, _width(width, side))

        self.marks.append(mark)

    def pie(
        self,
        center: Point,
        radius: float,
        start: float,
        end: float,
        fill: Color | None = None,
        outline: Color | None = None,
    ) -> None:
        """A sector from `start` to `end` degrees, clockwise, 0 at three o'clock."""
        box = [
            (center[0] - radius, center[1] - radius),
            (center[0] + radius, center[1] + radius),
        ]

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            draw.pieslice(_pixels(box, side), start, end, fill, outline)

        self.marks.append(mark)

    def polygon(
        self, points: Sequence[Point], fill: Color | None = None, outline: Color | None = None
    ) -> None:
        """A closed polygon."""

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            draw.polygon(_pixels(points, side), fill, outline)

        self.marks.append(mark)

    def text(
        self,
        at: Point,
        text: str,
        height: float = 0.09,
        color: Color = INK,
        anchor: str = "mm",
    ) -> None:
        """Text of a given height, anchored as Pillow does: ``mm`` is its middle.

        At 96 pixels a height of 0.09 is the least that can be read.
        """

        def mark(draw: ImageDraw.ImageDraw, side: int) -> None:
            x, y = at[0] * side, at[1] * side
            draw.text((x, y), text, fill=color, font=_font(round(height * side)), anchor=anchor)

        self.marks.append(mark)


def text_width(text: str, height: float) -> float:
    """The width of a text of that height, as a share of the side; for layout without overlap."""
    return float(_font(100).getlength(text)) / 100 * height


def _pixels(points: Sequence[Point], side: int) -> list[tuple[float, float]]:
    return [(round(x * side), round(y * side)) for x, y in points]


def _width(width: float, side: int) -> int:
    return max(1, round(width * side))
