"""Rows of a file of problems, and its text lines, read with bounded memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

LONGEST_LINE = 32 * 2**20  # bytes; room for a picture in base64


class Row(NamedTuple):
    """One row as it was read.

    Attributes:
        where: for messages: the file and the line.
        cells: values by column; ``_file`` is the file's name without its ending, ``_key`` the
            row's key where the file is a JSON object of rows.
        folder: what relative paths of pictures start from.
        root: what no path of a picture may leave.
        split: the split that the file's name says, as it stands there; "" if none.
    """

    where: str
    cells: Mapping[str, Any]
    folder: Path
    root: Path
    split: str = ""


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The number, from 1, and the text of each line.

    Raises:
        ValueError: a line that is not UTF-8 or is longer than 32 MiB.
    """
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                raise ValueError(
                    f"{path} line {number} is longer than {LONGEST_LINE:,} bytes; store pictures "
                    "as files and name them in the row"
                )
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path} line {number} is not UTF-8: byte 0x{raw[error.start]:02x} at column "
                    f"{error.start + 1}; save the file as UTF-8"
                ) from None
            yield number, text


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where it names a key twice, for which value would count?"""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise ValueError(f"an object names keys twice: {twice}")
    return found


def parsed(text: str, where: str) -> Any:
    """The JSON value of a text; ValueError that says where it stands and what is wrong."""
    try:
        return json.loads(text, object_pairs_hook=each_key_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: broken JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{where}: the JSON is nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise ValueError(f"{where}: the JSON can't be read: {error}") from None
