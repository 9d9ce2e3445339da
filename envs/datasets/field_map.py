"""Which column of a data set holds what: a map, how it is guessed, and what to say if it can't."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from mstar.rewards.base import ANSWER_TYPES

AnswerForm = Literal["auto", "text", "letter", "index", "number"]
BRACED = re.compile(r"\{([^{}]+)\}")

LETTER_COLUMNS = ("A", "B", "C", "D", "E", "F", "G", "H")
NEEDED = ("question", "image", "answer")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Which column holds what.

    A column is given by its name. ``a.b.0`` looks inside objects and lists, ``{hint} {question}``
    puts columns together, ``=text`` is the same text for every row, and ``a|b`` is the first of
    these that the row fills.

    Attributes:
        question: the question, without or with the options.
        image: one or more columns, each with a picture, a path, bytes, or a list of them.
        answer: the gold: text, number, letter or index of an option; None for no labels at all.
        choices: a column with the options as a list or as text, or one column for each option.
        type: an answer type for all rows, or the column that says it; None infers it.
        unit: the column with the unit of the answer.
        tolerance: relative tolerance of numbers, or the column that says it.
        id: the column with the row's id; None counts.
        split: the column that says train, validation or test; None goes by names of files.
        topic: the column with the kind of problem.
        answer_form: what the gold of a problem with options is: the text of one, its letter, its
            index from 0, its number from 1, or ``auto`` to see which fits the rows.
    """

    question: str = ""
    image: tuple[str, ...] = ()
    answer: str | None = None
    choices: str | tuple[str, ...] | None = None
    type: str | None = None
    unit: str | None = None
    tolerance: str | float | None = None
    id: str | None = None
    split: str | None = None
    topic: str | None = None
    answer_form: AnswerForm = "auto"


KEYS = tuple(field.name for field in fields(FieldMap))


def look_up(cells: Mapping[str, Any], column: str) -> Any:
    """The value of a column, in any of the ways that ``FieldMap`` names one; None if empty.

    >>> look_up({"label": ["12"], "hint": None, "q": "Why?"}, "label.0")
    '12'
    >>> look_up({"hint": None, "q": "Why?"}, "{hint} {q}")
    'Why?'
    """
    if column in cells:
        return _filled(cells[column])
    if column.startswith("="):
        return column[1:]
    if "|" in column:
        found = (look_up(cells, part) for part in column.split("|"))
        return next((value for value in found if value is not None), None)
    if BRACED.search(column):
        return BRACED.sub(lambda part: _text(look_up(cells, part[1])), column).strip() or None
    first, _, rest = column.partition(".")
    value = cells.get(first)
    if isinstance(value, list):
        value = {str(number): item for number, item in enumerate(value)}
    return look_up(value, rest) if rest and isinstance(value, dict) else None


def from_mapping(given: Mapping[str, Any], columns: Sequence[str], base: FieldMap) -> FieldMap:
    """The map that a user wrote, over `base`.

    Args:
        given: by the names of ``FieldMap``; None unmaps a field.
        columns: that the rows have.
        base: what holds where nothing is given.

    Raises:
        ValueError: a field that does not exist, or a column that the rows do not have.
    """
    found: dict[str, Any] = {}
    for key, value in given.items():
        key = "image" if key == "images" else key
        if key not in KEYS:
            raise ValueError(f"no field {key!r} to map; fields are: {', '.join(KEYS)}")
        found[key] = getattr(FieldMap(), key) if value is None else _mapped(key, value, columns)
    return replace(base, **found)


def how_to_say(**given: str) -> str:
    """How a map is written, in Python and on the command line; for messages.

    >>> how_to_say(answer="gold")
    "fields={'answer': 'gold'}, on the command line --fields answer=gold"
    """
    written = " ".join(shlex.quote(f"{key}={value}") for key, value in given.items())
    return f"fields={given}, on the command line --fields {written}"


def demand(chosen: FieldMap, columns: Sequence[str], where: str) -> None:
    """See to it that question, image and answer are mapped.

    Raises:
        ValueError: one is not; names the columns found, and shows how to map them.
    """
    missing = [key for key in NEEDED if not getattr(chosen, key)]
    if not missing:
        return
    named = {key: getattr(chosen, key) for key in NEEDED}
    example = {
        key: "COLUMN" if not value else value[0] if isinstance(value, tuple) else value
        for key, value in named.items()
    }
    raise ValueError(
        f"{where}: can't tell which column is the {' and the '.join(missing)}. "
        f"Columns found: {', '.join(map(repr, columns)) or 'none'}. Say which, with "
        f"{how_to_say(**example)}; =TEXT in place of COLUMN is one text for every row"
    )


def _mapped(key: str, value: Any, columns: Sequence[str]) -> Any:
    """The value of a field of ``FieldMap``, from how a user wrote it."""
    if key == "answer_form":
        if value not in get_args(AnswerForm):
            raise ValueError(f"answer_form must be one of {get_args(AnswerForm)}, got {value!r}")
        return value
    if key == "type" and value in ANSWER_TYPES:
        return value
    if key == "tolerance" and value not in columns:
        try:
            return float(value)
        except (TypeError, ValueError):
            pass  # a column, or a mistake that the check below names
    if key in ("image", "choices"):
        listed = isinstance(value, str) and "," in value and not _there(value, columns)
        value = [part.strip() for part in value.split(",")] if listed else value
        several = (value,) if key == "image" and isinstance(value, str) else value
        value = several if isinstance(several, str) else tuple(several)
    for column in value if isinstance(value, tuple) else (value,):
        _check_column(key, str(column), columns)
    return value


def _check_column(key: str, column: str, columns: Sequence[str]) -> None:
    if _there(column, columns):
        return
    known = [*columns, *ANSWER_TYPES] if key == "type" else columns
    near = difflib.get_close_matches(column, known, n=1)
    or_type = f" and no answer type ({', '.join(ANSWER_TYPES)})" if key == "type" else ""
    raise ValueError(
        f"fields maps {key!r} to {column!r}, which is no column{or_type}"
        f"{f'; did you mean {near[0]!r}?' if near else '.'} "
        f"Columns found: {', '.join(map(repr, columns))}"
    )


def _there(column: str, columns: Sequence[str]) -> bool:
    if column in columns or column.startswith("=") or column == "_file":
        return True
    if "|" in column:
        return any(_there(part, columns) for part in column.split("|"))
    if braced := BRACED.findall(column):
        return all(_there(part, columns) for part in braced)
    return column.partition(".")[0] in columns


def _filled(value: Any) -> Any:
    """None for what tables have in place of nothing."""
    empty = value is None or value == "" or (isinstance(value, float) and value != value)
    return None if empty else value


def _text(value: Any) -> str:
    return "" if value is None or value == "nan" else str(value)
