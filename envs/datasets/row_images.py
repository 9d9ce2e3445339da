"""The pictures that a row of a data set names or holds, none of them from outside its folder."""

from __future__ import annotations

import base64
import binascii
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from mstar.envs.datasets.field_map import look_up
from mstar.envs.datasets.options import options
from mstar.envs.datasets.rows import Row
from mstar.envs.datasets.stored_image import StoredPicture

LONGEST_PATH = 1_024  # characters; a longer text is a picture in base64
BASE64 = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")  # how PNG, JPEG, GIF and WebP begin in it

IN_PARTS = ("image_url", "image", "url", "path", "base64")  # keys of a picture in a talk
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


def pictures_of(row: Row, columns: tuple[str, ...]) -> tuple[StoredPicture, ...]:
    """The pictures of a row, in order; empty cells are left out.

    Args:
        row: as it was read.
        columns: each with a picture, a path, bytes, base64, or a list of these.

    Raises:
        ValueError: no picture at all, an address, or a path that leaves the folder.
    """
    values = [look_up(row.cells, column) for column in columns]
    values = [_listed(value) for value in values]
    flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
    found = [_picture(value, row) for value in flat if not _empty(value)]
    if not found:
        raise ValueError(f"no picture in {' or '.join(map(repr, columns))}")
    return tuple(found)


def option_pictures(row: Row, columns: str | tuple[str, ...] | None) -> tuple[StoredPicture, ...]:
    """The options of a row that are pictures; () where they are texts or there are none.

    Args:
        row: as it was read.
        columns: the column with the list of them, or one column for each.

    Raises:
        ValueError: an address, or a path that leaves the folder.
    """
    cells = columns if isinstance(columns, tuple) else (columns,) if columns else ()
    values = [look_up(row.cells, column) for column in cells]
    if len(values) == 1:
        (value,) = values
        named = isinstance(value, str) and value.rstrip("]'\" ").lower().endswith(ENDINGS)
        values = list(options(value)) if named else value if isinstance(value, list) else []
        if named:
            return tuple(_named_option(str(name), row) for name in values)
    held = [value for value in values if value is not None and value != ""]
    if len(held) < 2 or not all(_is_picture(value) for value in held):
        return ()
    return tuple(_picture(value, row) for value in held)


def _named_option(name: str, row: Row) -> StoredPicture:
    """The file of an option, or what a column called alike holds: ``choice_image_0``."""
    stem = _bare(Path(name).stem)
    value = next((v for c, v in row.cells.items() if v and _bare(c) == stem), name)
    return replace(_picture(value, row), name=name)


def _bare(column: str) -> str:
    return column.lower().replace("image", "").replace("_", "").replace(" ", "")


def _is_picture(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower().endswith(ENDINGS)
    if isinstance(value, Mapping):
        return "bytes" in value
    return isinstance(value, bytes | Image.Image) or callable(value)


def _picture(value: Any, row: Row) -> StoredPicture:
    name = f"of {row.where}"
    if isinstance(value, Mapping):  # as the tables of the hub hold them
        held = value.get("bytes")
        return _picture(held if held is not None else value.get("path"), row)
    if isinstance(value, bytes) or callable(value):
        source: bytes | Callable[[], bytes] = value
        return StoredPicture(source, name)
    if isinstance(value, Image.Image):
        file = io.BytesIO()
        value.save(file, "PNG")
        return StoredPicture(file.getvalue(), name)
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"a picture must be a path, bytes or a picture, got {value!r:.80}")
    if (value.startswith(("data:", *BASE64)) and len(value) > 64) or len(value) > LONGEST_PATH:
        return StoredPicture(_from_base64(value), name)
    return StoredPicture(_inside(value, row), value)


def _listed(value: Any) -> Any:
    """A list that a table of text had to write as text; the pictures of a talk."""
    if isinstance(value, str) and value[:1] == "[" and value[-1:] == "]":
        return list(options(value))
    if isinstance(value, list) and any(_is_turn(item) for item in value):
        return [picture for turn in value if _is_turn(turn) for picture in _shown_in(turn)]
    return value


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and ("content" in value or "user" in value)


def _shown_in(turn: Mapping[str, Any]) -> list[Any]:
    """The pictures of a turn: ``{"type": "image", "image": ...}`` or ``image_url`` parts."""
    content = turn.get("content")
    parts = [p for p in content if isinstance(p, Mapping)] if isinstance(content, list) else []
    found = [next((part[key] for key in IN_PARTS if part.get(key)), None) for part in parts]
    return [one.get("url", one) if isinstance(one, Mapping) else one for one in found]


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.get("bytes") is None and not value.get("path")
    return value is None or value == ""


def _inside(text: str, row: Row) -> Path:
    """The file that a path means: beside the table, or else from the top of the data set."""
    text = text.removeprefix("file://")
    if "://" in text:
        raise ValueError(
            f"picture {text} is an address; nothing is downloaded, so store it beside the problems"
        )
    if "\0" in text:
        raise ValueError(f"picture {text!r} is no path")
    root = _real(os.path.abspath(row.root))
    names = [text] if Path(text).suffix else [text, *(text + ending for ending in ENDINGS[:3])]
    tried = [folder / name for folder in dict.fromkeys((row.folder, row.root)) for name in names]
    places = [os.path.realpath(place) for path in tried for place in (path, _in_images(path))]
    inside = [place for place in places if place.startswith(os.path.join(root, ""))]
    there = next(filter(os.path.lexists, places), None)
    if not inside or (there is not None and there not in inside):
        raise ValueError(
            f"picture {text} lies outside of {row.root}; move it there, or name the folder of the "
            "images with image_folder=..., on the command line --fields image_folder=FOLDER"
        )
    found = next(filter(os.path.isfile, inside), None)
    if found is None and there is None:
        raise ValueError(
            f"picture {text:.200}: no such file in {row.folder}; where the pictures lie elsewhere, "
            "name their folder with image_folder=..., on the command line --fields "
            "image_folder=FOLDER"
        )
    return Path(found or inside[0])


def _in_images(path: Path) -> Path:
    return path.parent / "images" / path.name


@lru_cache(maxsize=4)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _from_base64(text: str) -> bytes:
    _, _, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"picture {text[:40]!r}... is neither a path nor base64") from None
