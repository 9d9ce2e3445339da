"""Images as lists of marks in the unit square, which can be rendered at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]  # (x, y) in [0, 1], y grows downwards
Color = tuple[int, int, int]

INK: Color = (30, 30, 34)
WHITE: Color = (255, 255, 255)
# Far apart in hue and lightness, so that names are unambiguous.
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
TINT = 12  # the most that a style changes a channel of a named colour
DEFAULT_SIZE = 112  # pixels


@dataclass
class Drawing:
    """A list of marks; coordinates and widths are fractions of the image's side.

    >>> drawing = Drawing()
    >>> drawing.rectangle((0.1, 0.1), (0.5, 0.9), fill=COLORS["red"])
    >>> drawing.render(96).size
    (96, 96)
    """

    background: Color = WHITE
    # Each mark is a function and its arguments after canvas and side: plain values, so that
    # drawings can be compared and pickled.
    marks: list[tuple[Any, ...]] = field(default_factory=list)
    # What several marks together show, with its left top and right bottom corners.
    named: list[tuple[str, Point, Point]] = field(default_factory=list)

    def render(self, size: int | None = None) -> Image.Image:
        """An RGB image of `size` x `size` pixels, ``DEFAULT_SIZE`` if None."""
        side = size or DEFAULT_SIZE
        image = Image.new("RGB", (side, side), self.background)
        draw = ImageDraw.Draw(image)
        for mark, *given in self.marks:
            mark(draw, side, *given)
        return image

    def line(self, points: Sequence[Point], color: Color = INK, width: float = 0.01) -> None:
        """Add a line through two or more points."""
        self.marks.append((_line, tuple(points), color, width))

    def rectangle(
        self,
        low: Point,
        high: Point,
        fill: Color | None = None,
        outline: Color | None = None,
        width: float = 0.01,
    ) -> None:
        """Add a rectangle, given its left top and right bottom corners."""
        self.marks.append((_rectangle, (low, high), fill, outline, width))

    def ellipse(
        self,
        center: Point,
        radius: float | tuple[float, float],
        fill: Color | None = None,
        outline: Color | None = None,
        width: float = 0.01,
    ) -> None:
        """Add a circle, or an ellipse where `radius` is (x radius, y radius)."""
        rx, ry = radius if isinstance(radius, tuple) else (radius, radius)
        box = ((center[0] - rx, center[1] - ry), (center[0] + rx, center[1] + ry))
        self.marks.append((_ellipse, box, fill, outline, width))

    def pie(
        self,
        center: Point,
        radius: float,
        start: float,
        end: float,
        fill: Color | None = None,
        outline: Color | None = None,
    ) -> None:
        """Add a sector from `start` to `end` degrees, clockwise from three o'clock."""
        box = (
            (center[0] - radius, center[1] - radius),
            (center[0] + radius, center[1] + radius),
        )
        self.marks.append((_pie, box, start, end, fill, outline))

    def polygon(
        self, points: Sequence[Point], fill: Color | None = None, outline: Color | None = None
    ) -> None:
        """Add a closed polygon."""
        self.marks.append((_polygon, tuple(points), fill, outline))

    def text(
        self,
        at: Point,
        text: str,
        height: float = 0.09,
        color: Color = INK,
        anchor: str = "mm",
    ) -> None:
        """Add text of a given height, with an anchor of Pillow: ``mm`` is its centre.

        At 96 pixels, text of a height below 0.09 is illegible.
        """
        self.marks.append((_text, at, text, height, color, anchor))

    def words(self) -> list[tuple[str, Point, Point]]:
        """What is shown, in words: names, texts, and named colours of areas, with their corners."""
        shown = list(self.named)
        for mark, *given in self.marks:
            if mark is _text:
                (x, y), text, height, _, anchor = given
                left, top, right, bottom = (
                    height * edge / 100 for edge in _font(100).getbbox(text, anchor=anchor)
                )
                shown.append((text, (x + left, y + top), (x + right, y + bottom)))
            elif mark in FILLS and (color := _color_name(given[FILLS[mark]])):
                xs, ys = zip(*given[0], strict=True)
                shown.append((color, (min(xs), min(ys)), (max(xs), max(ys))))
        return shown


def text_width(text: str, height: float) -> float:
    """The width of a text of that height, as a fraction of the side."""
    return float(_font(100).getlength(text)) / 100 * height


def _color_name(fill: Color | None) -> str:
    """The named colour that a fill is a tint of; "" if there is none."""
    if fill is None:
        return ""
    for name, color in COLORS.items():
        if max(abs(a - b) for a, b in zip(fill, color, strict=True)) <= TINT:
            return name
    return ""


def _line(
    draw: ImageDraw.ImageDraw, side: int, points: Sequence[Point], color: Color, width: float
) -> None:
    draw.line(_pixels(points, side), fill=color, width=_width(width, side), joint="curve")


def _rectangle(
    draw: ImageDraw.ImageDraw,
    side: int,
    box: Sequence[Point],
    fill: Color | None,
    outline: Color | None,
    width: float,
) -> None:
    draw.rectangle(_pixels(box, side), fill, outline, _width(width, side))


def _ellipse(
    draw: ImageDraw.ImageDraw,
    side: int,
    box: Sequence[Point],
    fill: Color | None,
    outline: Color | None,
    width: float,
) -> None:
    draw.ellipse(_pixels(box, side), fill, outline, _width(width, side))


def _pie(draw: ImageDraw.ImageDraw, side: int, box: Sequence[Point], *how: Any) -> None:
    draw.pieslice(_pixels(box, side), *how)


def _polygon(draw: ImageDraw.ImageDraw, side: int, points: Sequence[Point], *how: Any) -> None:
    draw.polygon(_pixels(points, side), *how)


def _text(draw: ImageDraw.ImageDraw, side: int, at: Point, text: str, *how: Any) -> None:
    height, color, anchor = how
    mask, left, top = _mask(text, round(height * side), anchor)
    # Round to whole pixels as Pillow does: halves go right and up.
    x, y = int(at[0] * side * 64 + 0.5), int(at[1] * side * 64 + 0.5)
    draw.bitmap(((x + 32) // 64 + left, -((32 - y) // 64) + top), mask, color)


@lru_cache(maxsize=2048)
def _mask(text: str, pixels: int, anchor: str) -> tuple[Image.Image, int, int]:
    """The mask of a text, and the offset of its left top corner from its anchor, in pixels."""
    font = _font(pixels)
    left, top, right, bottom = map(int, font.getbbox(text, anchor=anchor))
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font, anchor=anchor)
    return mask, left, top


@lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)  # the font of Pillow


def _pixels(points: Sequence[Point], side: int) -> list[tuple[float, float]]:
    return [(round(x * side), round(y * side)) for x, y in points]


def _width(width: float, side: int) -> int:
    return max(1, round(width * side))


# Where the fill stands among the arguments of a mark that has one; its points come first.
FILLS = {_rectangle: 1, _ellipse: 1, _pie: 3, _polygon: 1}
