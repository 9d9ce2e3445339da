"""Read and write rows of JSON, in which runs and studies are stored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from logging import getLogger
from pathlib import Path
from typing import Any

log = getLogger(__name__)

Row = dict[str, Any]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines; the file is replaced as a whole or not at all."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Write a row behind those of a file; the file is replaced as a whole or not at all.

    The rows that are there are copied and not read, so that the last of many costs no more than the
    first. A last line that was cut is left out.
    """
    lines = read_lines(path)
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1:] = [
            json.dumps(whole).encode() + b"\n" for whole in read_rows(path)[len(lines) - 1 :]
        ]
    write_whole(path, b"".join(lines).decode() + json.dumps(row) + "\n")


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file, with their ends; [] where there is no such file."""
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def read_rows(path: Path, first: int = 0) -> list[Row]:
    """JSON lines; [] where there is no such file. A last line that was cut is left out.

    Args:
        path: of the file.
        first: number of lines at the start that are passed over unread.

    Raises:
        ValueError: another line is not a row; the message says which.
    """
    lines = read_lines(path)
    rows: list[Row] = []
    for number, line in enumerate(lines[first:], start=first + 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:  # of JSON or UTF-8
            if number == len(lines) and not line.endswith(b"\n"):
                _say_once(f"{path} ends in the middle of line {number}, which is left out")
                break
            raise ValueError(
                f"line {number} of {path} is not JSON ({error}): restore the file from a copy, or "
                "delete this line and all that follow"
            ) from error
    return rows


@cache
def _say_once(text: str) -> None:
    log.warning(text)


def write_whole(path: Path, text: str) -> None:
    """Write a file by one atomic rename, so that it is never incomplete."""
    partial = path.with_suffix(path.suffix + ".partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # the content must reach the disk before the rename
    partial.replace(path)
