"""Pictures from files, memory or tables: opened only when asked for, hostile ones refused."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

LARGEST_FILE = 64 * 2**20  # bytes
MOST_PIXELS = 2**25  # 100 MB as RGB
LONGEST_SHAPE = 50  # the longer side may be so many times the shorter
# Without the formats that Pillow hands to other programs, such as EPS.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

# What Pillow raises on broken files.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check found: pictures with one digest are the same file.

    Attributes:
        digest: of the bytes as they are stored, 32 hexadecimal digits.
        width: in pixels.
        height: in pixels.
    """

    digest: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture that was not drawn here; it keeps its own size.

    Attributes:
        source: the file, its bytes, or a call that fetches them.
        name: what messages call it.
    """

    source: Path | bytes | Callable[[], bytes] = field(repr=False)
    name: str

    def render(self, size: int | None = None) -> Image.Image:
        """The picture in RGB and its own size, on white where it is transparent.

        Raises:
            ValueError: see ``check``.
        """
        return self._decoded(self._bytes())

    def check(self, decode: bool = True) -> Seen:
        """Read the picture and say what it is.

        Args:
            decode: whether to decode every pixel, which finds truncated files; the header alone
                is far quicker.

        Raises:
            ValueError: no such file, not a picture of a known format, broken, truncated, larger
                than 64 MiB or 2**25 pixels, or more than 50 times as long as wide.
        """
        data = self._bytes()
        with self._opened(data) as image:
            width, height = image.size
        if decode:
            self._decoded(data)
        return Seen(hashlib.blake2b(data, digest_size=16).hexdigest(), width, height)

    def _bytes(self) -> bytes:
        if isinstance(self.source, Path):
            try:
                if not self.source.is_file():
                    raise ValueError(f"picture {self.name}: no such file")
                size = self.source.stat().st_size
                data = self.source.read_bytes() if size <= LARGEST_FILE else b""
            except OSError as error:
                raise ValueError(f"picture {self.name} can't be read: {error.strerror}") from None
        else:
            data = self.source if isinstance(self.source, bytes) else self.source()
            size = len(data)
        if size > LARGEST_FILE:
            raise ValueError(
                f"picture {self.name} has {size:,} bytes; {LARGEST_FILE:,} are the most"
            )
        return data

    def _opened(self, data: bytes) -> Image.Image:
        """The picture with its header read and no pixel decoded."""
        try:
            with warnings.catch_warnings():  # our own limit is below the one that warns
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise ValueError(_too_large(self.name)) from None
        except BROKEN:
            raise ValueError(
                f"picture {self.name} is not a picture that can be read ({len(data):,} bytes); "
                f"known formats: {', '.join(FORMATS)}"
            ) from None
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise ValueError(_too_large(f"{self.name} ({width} x {height})"))
        if max(width, height) > LONGEST_SHAPE * min(width, height):
            raise ValueError(
                f"picture {self.name} is {width} x {height} pixels; the longer side may be "
                f"{LONGEST_SHAPE} times the shorter at most"
            )
        return image

    def _decoded(self, data: bytes) -> Image.Image:
        with self._opened(data) as image:
            try:
                return _rgb(ImageOps.exif_transpose(image))
            except BROKEN as error:
                raise ValueError(f"picture {self.name} is broken: {error}") from None


def _too_large(name: str) -> str:
    return f"picture {name} is too large: {MOST_PIXELS:,} pixels are the most; make it smaller"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of gray, which convert() would cut off at 255
        return image.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(below, above).convert("RGB")
    return image.convert("RGB")
