"""Rows of JSONL, JSON, CSV and TSV files, read with bounded memory."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from mstar.envs.datasets.field_map import FieldMap
from mstar.envs.datasets.schemas import guess_fields

LONGEST_LINE = 32 * 2**20  # bytes; enough for an image in base64
LARGEST_OBJECT = 256 * 2**20  # bytes of a JSON file that must be read as a whole
CHUNK = 2**20  # characters
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # how surrogateescape decodes other bytes
DECIMAL_COMMA = re.compile(r"\A([-+]?\d+),(\d+)\Z")
BETWEEN_ITEMS = re.compile(r"[\s,]*")

LocatedCells = tuple[str, Mapping[str, Any]]  # where a row is, for messages; and its cells


def jsonl_rows(path: Path) -> Iterator[LocatedCells]:
    """One row per line that is not blank; the items of an array, if the file is one after all.

    Raises:
        ValueError: a line is not a JSON object; names the file and the line.
    """
    if _starts_array(path):
        yield from _array_rows(path)
        return
    for number, text in _lines(path):
        if text.strip():
            where = f"{path} line {number}"
            yield where, _object(_parse(text.rstrip("\r\n"), where), where)


def json_rows(path: Path) -> Iterator[LocatedCells]:
    """The rows of a JSON file: an array of objects, an object of objects, or JSON lines.

    An object of objects gives each row its key as ``_key``. Of an object with exactly one list of
    objects among its values, that list is read. Any other object is a single row.

    Raises:
        ValueError: broken JSON, or an object of more than 256 MiB.
    """
    if _starts_array(path):
        return _array_rows(path)
    return jsonl_rows(path) if _is_json_lines(path) else _object_rows(path)


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[LocatedCells]:
    """One row per line below the header; empty cells are None.

    Where semicolons separate the cells, as in countries that write 3,5 for 3.5, such numbers are
    read so.

    Raises:
        ValueError: a row has more or fewer cells than the header; names the file and the line.
    """
    old = csv.field_size_limit(LONGEST_LINE)
    try:
        delimiter = _separator(path) if delimiter == "," else delimiter
        with_semicolons = delimiter == ";"
        reader = csv.reader((text for _, text in _lines(path)), delimiter=delimiter, strict=True)
        header = next(reader, [])
        if repeated := [name for name, count in Counter(header).items() if count > 1]:
            raise ValueError(f"{path}: the header repeats columns: {repeated}; rename them")
        for cells in reader:
            where = f"{path} line {reader.line_num}"
            if cells and len(cells) != len(header):
                raise ValueError(f"{where}: {len(cells)} cells under {len(header)} columns")
            if with_semicolons:
                cells = [DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells]
            if cells:
                yield where, {n: c or None for n, c in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise ValueError(f"{path} line {reader.line_num}: broken CSV: {error}") from None
    finally:
        csv.field_size_limit(old)


def _separator(path: Path) -> str:
    """What separates the columns in the header of a file that is called CSV."""
    _, header = next(_lines(path), (0, ""))
    return max(",;\t|", key=header.count)


def _starts_array(path: Path) -> bool:
    try:
        with _open_text(path) as file:
            return file.read(4096).lstrip().startswith("[")
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} can't be read: {error}") from None


def _open_text(path: Path) -> TextIO:
    """A text file, unpacked if its name ends in ``.gz``: UTF-8, or UTF-16 if it begins so.

    UTF-16 without its mark is told by the zero byte beside the first character.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else Path.open
    with opened(path, "rb") as file:
        start = file.read(2)
    marked = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    unmarked = {0: "utf-16-be", 1: "utf-16-le"}.get(start.find(b"\0"), "utf-8-sig")
    encoding = "utf-16" if marked else unmarked
    return io.TextIOWrapper(opened(path, "rb"), encoding, "surrogateescape", newline="")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The number, from 1, and the text of each line.

    Raises:
        ValueError: a line is in neither encoding or longer than 32 MiB, or the file is not packed
            as its name says.
    """
    number = 0
    try:
        with _open_text(path) as file:
            while text := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(text) > LONGEST_LINE:
                    raise ValueError(
                        f"{path} line {number} is longer than {LONGEST_LINE:,} characters; store "
                        "images as files and put their paths in the row"
                    )
                if not text.isascii() and (wrong := NOT_UTF8.search(text)):
                    raise ValueError(
                        f"{path} line {number} is not UTF-8: byte 0x{ord(wrong[0]) - 0xDC00:02x} "
                        f"at column {wrong.start() + 1}; save the file as UTF-8"
                    )
                yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} can't be read after line {number}: {error}") from None


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: broken JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{where}: the JSON is nested too deeply") from None
    except ValueError as error:  # such as a number of thousands of digits
        raise ValueError(f"{where}: the JSON can't be read: {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError if a key is repeated, since either value could be meant."""
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise ValueError(f"an object repeats keys: {repeated}")
    return value


def _is_json_lines(path: Path) -> bool:
    """Whether the first two lines show that each line is a row."""
    try:
        first = list(itertools.islice((t for _, t in _lines(path) if t.strip()), 2))
        row = json.loads(first[0]) if first else {}
    except (ValueError, RecursionError):
        return False
    if not isinstance(row, dict) or len(first) > 1:
        return True
    by_key = bool(row) and all(isinstance(value, dict) for value in row.values())
    return not (by_key or any(map(_is_list_of_problems, row.values())))


def _is_list_of_problems(value: Any) -> bool:
    """Whether a value inside an object lists problems, not the messages or answers of one."""
    first = value[0] if isinstance(value, list) and value else None
    fields = guess_fields(list(first)) if isinstance(first, dict) else FieldMap()
    return bool(fields.question and fields.answer and fields.question != fields.answer)


def _array_rows(path: Path) -> Iterator[LocatedCells]:
    """The items of a JSON array, with little more than one of them in memory."""
    decoder, number, position = json.JSONDecoder(object_pairs_hook=_unique_keys), 0, 0
    with _open_text(path) as file:
        try:
            buffer = file.read(CHUNK).lstrip().removeprefix("[")
            while True:
                where = f"{path} item {number + 1}"
                between = BETWEEN_ITEMS.match(buffer, position)
                position = between.end() if between else position
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
                if NOT_UTF8.search(buffer, 0, position):
                    raise ValueError(f"{path} is not UTF-8 after item {number}; save it as UTF-8")
                number += 1
                yield where, _object(value, where)
        except RecursionError:
            raise ValueError(f"{path} item {number + 1}: the JSON is nested too deeply") from None


def _object_rows(path: Path) -> Iterator[LocatedCells]:
    size = path.stat().st_size
    if size > LARGEST_OBJECT:
        raise ValueError(
            f"{path} is one JSON object of {size:,} bytes; the limit is {LARGEST_OBJECT:,}. Write "
            "it as JSON lines, one row a line"
        )
    with _open_text(path) as file:
        text = file.read(LARGEST_OBJECT + 1)
    if len(text) > LARGEST_OBJECT:
        raise ValueError(f"{path} unpacks to more than {LARGEST_OBJECT:,} characters")
    if wrong := NOT_UTF8.search(text):
        raise ValueError(f"{path} is not UTF-8 at character {wrong.start()}; save it as UTF-8")
    try:
        whole = _object(json.loads(text, object_pairs_hook=_unique_keys), str(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} line {error.lineno}: broken JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path}: the JSON is nested too deeply") from None
    if whole and all(isinstance(value, dict) for value in whole.values()):
        for key, cells in whole.items():
            yield f"{path} key {key!r}", {"_key": key, **cells}
        return
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if len(lists) == 1 and len(whole) < 8:  # the rows, beside a description of the set
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
