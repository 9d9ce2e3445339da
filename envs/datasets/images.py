"""Images of a row: found in its cells, confined to its folder, decoded safely and on demand."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
import stat
import struct
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image, ImageOps

from mstar.envs.datasets.cell_texts import PLACEHOLDER, named_images, unpacked
from mstar.envs.datasets.field_map import look_up
from mstar.envs.datasets.options import parse_options
from mstar.envs.datasets.readers import RawRow
from mstar.envs.datasets.tables import ParquetBytes

LARGEST_FILE = 64 * 2**20  # bytes
MOST_PIXELS = 2**25  # 100 MB as RGB
LARGEST_ASPECT = 50  # longer side divided by the shorter
THUMBNAIL = 12  # pixels of a side
# Without the formats that Pillow hands to external programs, such as EPS.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
# What Pillow raises for broken files.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)

LONGEST_PATH = 1_024  # characters; a longer text is an image in base64
BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")  # PNG, JPEG, GIF, WebP
CELL_KEYS = ("bytes", "path", "url", "image_url", "image", "file_name")  # of an image in a cell
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
SEVERAL_FILES = re.compile(r"(?:[^,;|]+\.(?:png|jpe?g|webp|gif|bmp)\s*[,;|]?\s*){2,}", re.I)
MESSAGE_PART_KEYS = ("image_url", "image", "url", "path", "base64", "value")  # of a part


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a check of an image returns.

    Attributes:
        digest: hash of the stored bytes, 32 hexadecimal digits; equal for equal files.
        width: in pixels.
        height: in pixels.
        thumbnail: 12 x 12 shades of gray in hexadecimal, almost equal for other encodings of the
            same image.
    """

    digest: str
    width: int
    height: int
    thumbnail: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of a data set; unlike a drawing, it has a size of its own.

    Attributes:
        source: the file, its bytes, or a function that reads them.
        name: of the image in messages.
    """

    source: Path | bytes | Callable[[], bytes] = field(repr=False)
    name: str

    def render(self, size: int | None = None) -> Image.Image:
        """The image in RGB at its own size (`size` is ignored), on white if transparent.

        Raises:
            ValueError: see ``check``.
        """
        return self._decoded(self._bytes())

    def identity(self) -> str:
        """What tells the image from others, without reading a file: equal for equal content."""
        if isinstance(self.source, Path):
            with suppress(OSError):
                return file_identity(self.source)
            return str(self.source)
        if isinstance(self.source, ParquetBytes):
            place = (self.source.group, self.source.column, self.source.row, *self.source.keys)
            return f"{file_identity(Path(self.source.path))} {place}"
        return _digest(self._bytes())

    def check(self) -> ImageInfo:
        """Read the whole image and return its digest and size.

        JPEG files are decoded in gray at down to an eighth of their size: all of the file is
        read, in a fraction of the time.

        Raises:
            ValueError: the file does not exist, is not an image of a known format, is broken or
                truncated, exceeds 64 MiB or 2**25 pixels, or is more than 50 times longer than
                wide.
        """
        data = self._bytes()
        with self._opened(data) as image:
            width, height = image.size
            if image.format == "JPEG":
                image.draft("L", (max(4 * THUMBNAIL, width // 8), max(4 * THUMBNAIL, height // 8)))
            try:
                small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
                thumbnail = _rgb(small).convert("L").tobytes().hex()
            except BROKEN as error:
                raise ValueError(f"image {self.name} is broken: {error}") from None
        return ImageInfo(_digest(data), width, height, thumbnail)

    def _bytes(self) -> bytes:
        if isinstance(self.source, Path):
            try:
                if not self.source.is_file():
                    raise ValueError(f"image {self.name}: no such file")
                size = self.source.stat().st_size
                data = self.source.read_bytes() if size <= LARGEST_FILE else b""
            except OSError as error:
                raise ValueError(f"image {self.name} can't be read: {error.strerror}") from None
        else:
            data = self.source if isinstance(self.source, bytes) else self.source()
            size = len(data)
        if size > LARGEST_FILE:
            raise ValueError(
                f"image {self.name} has {size:,} bytes; the limit is {LARGEST_FILE:,}: make it "
                "smaller"
            )
        return data

    def _opened(self, data: bytes) -> Image.Image:
        """The image with its header read and no pixel decoded."""
        try:
            with warnings.catch_warnings():  # our own limit is below the one that warns
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError:
            raise ValueError(_too_large(self.name)) from None
        except BROKEN:
            raise ValueError(
                f"image {self.name} is not an image that can be read ({len(data):,} bytes); "
                f"known formats: {', '.join(FORMATS)}"
            ) from None
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise ValueError(_too_large(f"{self.name} ({width} x {height})"))
        if max(width, height) > LARGEST_ASPECT * min(width, height):
            raise ValueError(
                f"image {self.name} is {width} x {height} pixels; the longer side may be at most "
                f"{LARGEST_ASPECT} times the shorter"
            )
        return image

    def _decoded(self, data: bytes) -> Image.Image:
        with self._opened(data) as image:
            try:
                return _rgb(ImageOps.exif_transpose(image))
            except BROKEN as error:
                raise ValueError(f"image {self.name} is broken: {error}") from None


def file_identity(path: Path) -> str:
    """Path, size and modification time of a file.

    Raises:
        OSError: there is none.
    """
    found = path.stat()
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def row_images(row: RawRow, columns: tuple[str, ...], question: str) -> tuple[StoredImage, ...]:
    """The images of a row, in order; empty cells are skipped.

    Args:
        row: as it is stored.
        columns: each with an image, a path, bytes, base64, or a list of these.
        question: of the row; the files that its placeholders name are shown if the columns are
            empty.

    Returns:
        () if the row is text only.

    Raises:
        ValueError: an image is a URL or a path that leaves the folder.
    """
    values = [_flattened(look_up(row.cells, column)) for column in columns]
    flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
    filled = [value for value in flat if not _is_empty(value)] or named_images(question)
    return tuple(_stored_image(value, row) for value in filled)


def option_images(row: RawRow, columns: str | tuple[str, ...] | None) -> tuple[StoredImage, ...]:
    """The options of a row that are images; () if they are texts or there are none.

    Args:
        row: as it is stored.
        columns: the column with the list of options, or one column for each option.

    Raises:
        ValueError: an image is a URL or a path that leaves the folder.
    """
    names = columns if isinstance(columns, tuple) else (columns,) if columns else ()
    values = [look_up(row.cells, column) for column in names]
    if len(values) == 1:
        (value,) = values
        if isinstance(value, str) and value.rstrip("]'\" ").lower().endswith(SUFFIXES):
            return tuple(_option_by_file_name(str(name), row) for name in parse_options(value))
        values = value if isinstance(value, list) else []
    filled = [value for value in values if value is not None and value != ""]
    if len(filled) < 2 or not all(_is_image(value) for value in filled):
        return ()
    return tuple(_stored_image(value, row) for value in filled)


def _option_by_file_name(name: str, row: RawRow) -> StoredImage:
    """The image of an option: in a column named like its file (``choice_image_0``), or the file."""
    stem = _without_image(Path(name).stem)
    value = next((v for c, v in row.cells.items() if v and _without_image(c) == stem), name)
    return replace(_stored_image(value, row), name=name)


def _without_image(column: str) -> str:
    return column.lower().replace("image", "").replace("_", "").replace(" ", "")


def _is_image(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower().endswith(SUFFIXES)
    if isinstance(value, Mapping):
        return "bytes" in value
    return isinstance(value, bytes | Image.Image) or callable(value)


def _stored_image(value: Any, row: RawRow) -> StoredImage:
    name = f"of {row.where}"
    if isinstance(value, Mapping):  # as in tables of the hub
        given = (value[key] for key in CELL_KEYS if value.get(key) is not None)
        return _stored_image(next(given), row)
    if isinstance(value, bytes) or callable(value):
        source: bytes | Callable[[], bytes] = value
        return StoredImage(source, name)
    if isinstance(value, Image.Image):
        file = io.BytesIO()
        value.save(file, "PNG")
        return StoredImage(file.getvalue(), name)
    if isinstance(value, Path | int):  # 7 names the file 7.png
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"an image must be a path, bytes or a PIL image, got {value!r:.80}")
    if (value.startswith(("data:", *BASE64_STARTS)) and len(value) > 64) or (
        len(value) > LONGEST_PATH
    ):
        return StoredImage(_from_base64(value), name)
    return StoredImage(_path_inside(value, row), value)


def _flattened(value: Any) -> Any:
    """The list in a text such as ``['1.png', '2.png']`` or ``1.png, 2.png``, or in messages.

    Also the files of ``{"<image_00>": "1.png"}``.
    """
    value = unpacked(value)
    if isinstance(value, Mapping) and all(PLACEHOLDER.fullmatch(str(key)) for key in value):
        return list(value.values())
    if isinstance(value, str) and value[:1] == "[" and value[-1:] == "]":
        return list(parse_options(value))
    if isinstance(value, str) and len(value) <= LONGEST_PATH and SEVERAL_FILES.fullmatch(value):
        return [name.strip() for name in re.split("[,;|]", value)]
    if isinstance(value, list) and any(_is_message(item) for item in value):
        return [image for item in value if _is_message(item) for image in _message_images(item)]
    return value


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and ("content" in value or "user" in value)


def _message_images(message: Mapping[str, Any]) -> list[Any]:
    """The images in parts such as ``{"type": "image", "image": ...}`` or ``image_url``."""
    content = message.get("content")
    parts = [p for p in content if isinstance(p, Mapping)] if isinstance(content, list) else []
    images = [p for p in parts if "text" not in str(p.get("type")) or p.get("image")]
    values = [next((p[key] for key in MESSAGE_PART_KEYS if p.get(key)), None) for p in images]
    return [value.get("url", value) if isinstance(value, Mapping) else value for value in values]


def _is_empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return not any(value.get(key) for key in CELL_KEYS)
    return value is None or value == ""


def _path_inside(text: str, row: RawRow) -> Path:
    """The file that a path names: relative to the table, or else to the top of the data set."""
    text = text.removeprefix("file://")
    if "://" in text:
        raise ValueError(
            f"image {text} is a URL; nothing is downloaded, so store the file beside the problems"
        )
    if "\0" in text:
        raise ValueError(f"image {text!r} is not a path")
    root = _real_path(os.path.abspath(row.root))
    if "\\" in text and not os.path.lexists(Path(row.folder, text)):
        text = text.replace("\\", "/")  # written on Windows
    if "%" in text and not os.path.lexists(Path(row.folder, text)):
        text = unquote(text)  # as in an address
    folders = (os.path.join(root, ""), *_blobs_of(root))
    usual = _real_file(os.path.join(row.folder, text))
    if usual is not None and usual.startswith(folders):
        return Path(usual)
    names = [text] if Path(text).suffix else [text, *(text + suffix for suffix in SUFFIXES[:3])]
    paths = [folder / name for folder in dict.fromkeys((row.folder, row.root)) for name in names]
    candidates = [
        os.path.realpath(candidate)
        for path in paths
        for candidate in (path, path.parent / "images" / path.name)
    ]
    inside = [path for path in candidates if path.startswith(folders)]
    existing = next(filter(os.path.lexists, candidates), None)
    if not inside or (existing is not None and existing not in inside):
        raise ValueError(
            f"image {text} lies outside of {row.root}; move it there, or name the folder of the "
            "images with image_folder=..., on the command line --fields image_folder=FOLDER"
        )
    file = next(filter(os.path.isfile, inside), None)
    if file is None and existing is None:
        above = [
            str(folder)
            for folder in Path(root).parents[:2]
            for place in (text, os.path.join("images", text))
            if os.path.isfile(os.path.join(folder, place))
        ]
        found = f"; it is in {above[0]}" if above else "; if the images are elsewhere"
        raise ValueError(
            f"image {text:.200}: no such file in {row.folder}{found}: name their folder with "
            f"image_folder=..., on the command line --fields image_folder="
            f"{above[0] if above else 'FOLDER'}"
        )
    return Path(file or inside[0])


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@lru_cache(maxsize=4)
def _blobs_of(root: str) -> tuple[str, ...]:
    """The folder of the files that a snapshot in a cache of the hub links to, if `root` is in one.

    The layout is ``REPOSITORY/snapshots/REVISION/...`` beside ``REPOSITORY/blobs``.
    """
    within = [Path(root), *Path(root).parents]
    snapshot = next((folder for folder in within if folder.parent.name == "snapshots"), None)
    return (os.path.join(snapshot.parent.parent, "blobs", ""),) if snapshot else ()


def _real_file(path: str) -> str | None:
    """The real path of a file; None if there is none. The folders of a set are looked up once."""
    folder, name = os.path.split(os.path.abspath(path))
    real = os.path.join(_real_path(folder), name)
    try:
        mode = os.lstat(real).st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return real
    real = os.path.realpath(real)
    return real if os.path.isfile(real) else None


@lru_cache(maxsize=1024)
def _real_path(folder: str) -> str:
    return os.path.realpath(folder)


def _from_base64(text: str) -> bytes:
    _, _, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    body = "".join(body.splitlines()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"image {text[:40]!r}... is neither a path nor base64") from None


def _too_large(name: str) -> str:
    return f"image {name} is too large: the limit is {MOST_PIXELS:,} pixels; make it smaller"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit gray, which convert() would clip at 255
        return image.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(below, above).convert("RGB")
    return image.convert("RGB")
