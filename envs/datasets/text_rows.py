"""Rows of JSONL, JSON, CSV and TSV files."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mstar.envs.datasets.column_names import guess
from mstar.envs.datasets.field_map import FieldMap
from mstar.envs.datasets.rows import LONGEST_LINE, each_key_once, lines, parsed

LARGEST_OBJECT = 256 * 2**20  # bytes of a JSON file that must be read whole
CHUNK = 2**20  # characters
BETWEEN = re.compile(r"[\s,]*")

Place = tuple[str, Mapping[str, Any]]  # where the row stands, and its cells


def jsonl_rows(path: Path) -> Iterator[Place]:
    """A row per line that is not blank.

    Raises:
        ValueError: a line that is not a JSON object; names the file and the line.
    """
    for number, text in lines(path):
        if text.strip():
            where = f"{path} line {number}"
            yield where, _object(parsed(text.rstrip("\r\n"), where), where)


def json_rows(path: Path) -> Iterator[Place]:
    """The rows of a JSON file: an array of objects, an object of objects, or JSON lines.

    An object of objects gives each row its key as ``_key``. An object with one list of objects
    among its values gives that list. Any other object is one row.

    Raises:
        ValueError: broken JSON, or an object of more than 256 MiB.
    """
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return _array_rows(path)
    return jsonl_rows(path) if _holds_lines(path) else _object_rows(path)


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[Place]:
    """A row per line below the header; empty cells are None.

    Raises:
        ValueError: a row with more or fewer cells than the header; names the file and the line.
    """
    old = csv.field_size_limit(LONGEST_LINE)
    try:
        reader = csv.reader((text for _, text in lines(path)), delimiter=delimiter, strict=True)
        header = next(reader, [])
        if twice := [name for name, count in Counter(header).items() if count > 1]:
            raise ValueError(f"{path}: the header names columns twice: {twice}")
        for cells in reader:
            where = f"{path} line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise ValueError(f"{where}: {len(cells)} cells under {len(header)} columns")
            if cells:
                yield where, {n: c or None for n, c in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise ValueError(f"{path} line {reader.line_num}: broken CSV: {error}") from None
    finally:
        csv.field_size_limit(old)


def _holds_lines(path: Path) -> bool:
    """Whether the first two lines say that each is a row."""
    try:
        first = list(itertools.islice((t for _, t in lines(path) if t.strip()), 2))
        row = json.loads(first[0]) if first else {}
    except (ValueError, RecursionError):
        return False
    if not isinstance(row, dict) or len(first) > 1:
        return True
    by_key = bool(row) and all(isinstance(value, dict) for value in row.values())
    return not (by_key or any(map(_are_rows, row.values())))


def _are_rows(value: Any) -> bool:
    """Whether a value inside an object is a list of problems, not the talk or answers of one."""
    first = value[0] if isinstance(value, list) and value else None
    found = guess(list(first)) if isinstance(first, dict) else FieldMap()
    return bool(found.question and found.answer and found.question != found.answer)


def _array_rows(path: Path) -> Iterator[Place]:
    """The items of a JSON array, with no more of the file in memory than one of them needs."""
    decoder, number, position = json.JSONDecoder(object_pairs_hook=each_key_once), 0, 0
    with path.open(encoding="utf-8-sig") as file:
        try:
            buffer = file.read(CHUNK).lstrip().removeprefix("[")
            while True:
                where = f"{path} item {number + 1}"
                found = BETWEEN.match(buffer, position)
                position = found.end() if found else position
                if buffer.startswith("]", position):
                    return
                try:
                    value, position = decoder.raw_decode(buffer, position)
                except json.JSONDecodeError as error:
                    rest = buffer[position:]
                    more = file.read(max(CHUNK, len(rest))) if len(rest) < LONGEST_LINE else ""
                    if not more:
                        raise ValueError(f"{where}: broken JSON: {error.msg}") from None
                    buffer, position = rest + more, 0
                    continue
                number += 1
                yield where, _object(value, where)
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8 after item {number}; save it as UTF-8") from None
        except RecursionError:
            raise ValueError(f"{path} item {number + 1}: the JSON is nested too deeply") from None


def _object_rows(path: Path) -> Iterator[Place]:
    size = path.stat().st_size
    if size > LARGEST_OBJECT:
        raise ValueError(
            f"{path} is one JSON object of {size:,} bytes; {LARGEST_OBJECT:,} are the most. Write "
            "it as JSON lines, one row a line"
        )
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    try:
        whole = _object(json.loads(text, object_pairs_hook=each_key_once), str(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} line {error.lineno}: broken JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path}: the JSON is nested too deeply") from None
    if whole and all(isinstance(value, dict) for value in whole.values()):
        for key, cells in whole.items():
            yield f"{path} key {key!r}", {"_key": key, **cells}
        return
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if len(lists) == 1 and len(whole) < 8:  # a header and the rows
        for number, cells in enumerate(lists[0], 1):
            where = f"{path} item {number}"
            yield where, _object(cells, where)
    else:
        yield str(path), whole


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(
            f"{where}: a row must be a JSON object such as {{"
            f'"question": ..., "image": ..., "answer": ...}}, got {type(value).__name__}'
        )
    return value
