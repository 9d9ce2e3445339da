"""Which column of a data set holds what: the map, and how users write and override it."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from mstar.rewards.base import ANSWER_TYPES

AnswerForm = Literal["auto", "text", "letter", "index", "number"]
BRACED = re.compile(r"\{([^{}]+)\}")
REQUIRED = ("question", "image", "answer")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Which column holds what.

    A column is given by its name. ``a.b.0`` looks inside objects and lists, ``{hint} {question}``
    joins columns, ``=text`` is the same text for every row, and ``a|b`` is the first of these
    columns that is not empty in the row.

    Attributes:
        question: the question, with or without the options.
        image: one or more columns, each with an image, a path, bytes, or a list of these; a row
            where all are empty is text only. () if the whole set is.
        answer: the reference answer: text, a number, or the letter or index of an option; None if
            there are no labels.
        choices: a column with the options as a list or as text, or one column for each option.
        type: an answer type for all rows, or the column that names it; None infers it.
        unit: the column with the unit of the answer.
        tolerance: relative tolerance of numbers, or the column with it.
        absolute_tolerance: the column with the largest difference that is still right, for sets
            that give it in place of a relative tolerance.
        precision: the column with the number of decimals of a numerical answer.
        multiple: the column that is true where the answer lists several right values, all of which
            are asked for.
        id: the column with the row's id; None numbers the rows.
        split: the column with train, validation or test; None takes it from the file names.
        topic: the column with the kind of problem.
        caption: the column with a description of the images, for ``show="caption"``.
        system: the column with the system prompt that the question begins with, of sets that do
            not have it among the messages of a conversation.
        history: the column with earlier turns, as pairs of question and answer, which stand in
            front of the question.
        answer_form: how the answer to a problem with options names one of them: by its text, its
            letter, its index from 0, its number from 1, or ``auto`` for the form that fits the
            rows best.
    """

    question: str = ""
    image: tuple[str, ...] = ()
    answer: str | None = None
    choices: str | tuple[str, ...] | None = None
    type: str | None = None
    unit: str | None = None
    tolerance: str | float | None = None
    absolute_tolerance: str | None = None
    precision: str | None = None
    multiple: str | None = None
    id: str | None = None
    split: str | None = None
    topic: str | None = None
    caption: str | None = None
    system: str | None = None
    history: str | None = None
    answer_form: AnswerForm = "auto"


FIELDS = tuple(field.name for field in fields(FieldMap))
LOAD_OPTIONS = ("image_folder", "on_error")  # arguments of DatasetSource.load beside the map
FIELD_OPTIONS = ("schema", *FIELDS, *LOAD_OPTIONS)  # keys of --fields
# Other spellings of a key; `pictures` is the former name of `image_folder`, until version 0.3.
KEY_ALIASES: Mapping[str, str] = {"images": "image", "pictures": "image_folder"}


def look_up(cells: Mapping[str, Any], column: str) -> Any:
    """The value of a column, named in any of the ways of ``FieldMap``; None if empty.

    >>> look_up({"label": ["12"], "hint": None, "q": "Why?"}, "label.0")
    '12'
    >>> look_up({"hint": None, "q": "Why?"}, "{hint} {q}")
    'Why?'
    """
    if column in cells:
        return _none_if_empty(cells[column])
    if column.startswith("="):
        return column[1:]
    if "|" in column:
        values = (look_up(cells, part) for part in column.split("|"))
        return next((value for value in values if value is not None), None)
    if BRACED.search(column):
        return BRACED.sub(lambda part: _text(look_up(cells, part[1])), column).strip() or None
    first, _, rest = column.partition(".")
    value = cells.get(first)
    if isinstance(value, list):
        value = {str(number): item for number, item in enumerate(value)}
    return look_up(value, rest) if rest and isinstance(value, dict) else None


def override(base: FieldMap, given: Mapping[str, Any], columns: Sequence[str]) -> FieldMap:
    """The map `base` with the fields that a user gave.

    Args:
        base: the map for fields that are not given.
        given: columns by the names of ``FieldMap``; None unmaps a field.
        columns: of the rows.

    Raises:
        ValueError: an unknown field, or a column that the rows do not have.
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        key = KEY_ALIASES.get(key, key)
        if key not in FIELDS:
            raise ValueError(f"no field {key!r} to map; fields are: {', '.join(FIELDS)}")
        values[key] = getattr(FieldMap(), key) if value is None else _checked(key, value, columns)
    return replace(base, **values)


def require_fields(
    chosen: FieldMap, columns: Sequence[str], where: str, required: Sequence[str] = REQUIRED
) -> None:
    """Check that question, image and answer, or those in `required`, are mapped.

    Raises:
        ValueError: one is not; the message lists the columns and shows how to map them.
    """
    missing = [key for key in required if not getattr(chosen, key)]
    if not missing:
        return
    mapped = {key: getattr(chosen, key) for key in REQUIRED}
    example = {
        key: "COLUMN" if not value else value[0] if isinstance(value, tuple) else value
        for key, value in mapped.items()
    }
    raise ValueError(
        f"{where}: can't tell which column is the {' and the '.join(missing)}. "
        f"Columns found: {', '.join(map(repr, columns)) or 'none'}. Name them with "
        f"{fields_example(**example)}; =TEXT in place of COLUMN is one text for every row"
        f"{'; --fields image= says that the set has no images' if missing == ['image'] else ''}"
    )


def fields_example(**given: str) -> str:
    """How to write a map in Python and on the command line, for error messages.

    >>> fields_example(answer="gold")
    "fields={'answer': 'gold'}, on the command line --fields answer=gold"
    """
    written = " ".join(shlex.quote(f"{key}={value}") for key, value in given.items())
    return f"fields={given}, on the command line --fields {written}"


def dataset_description(name: str, options: Sequence[str]) -> str | Mapping[str, Any]:
    """A data set and how to read it, in the form that ``open_source`` takes.

    Args:
        name: a path, or ``hub:NAME[:CONFIG][@REVISION]``.
        options: ``KEY=VALUE`` texts; see ``parse_field_options``. The name alone is returned if
            there are none.

    Raises:
        ValueError: an option cannot be parsed, or the name is not a data set.

    >>> dataset_description("hub:me/Charts", ["answer=gold", "unit==cm", "on_error=skip"])
    {'source': 'hub:me/Charts', 'fields': {'answer': 'gold', 'unit': '=cm'}, 'on_error': 'skip'}
    """
    if not options:
        return name
    if not (name.startswith("hub:") or Path(name).exists()):
        raise ValueError(
            f"fields describe how to read a data set, but {name!r} is neither a file, a folder nor "
            "hub:NAME"
        )
    given = parse_field_options(options)
    load_options = {key: given.pop(key) for key in LOAD_OPTIONS if key in given}
    return {"source": name, "fields": given or None, **load_options}


def parse_field_options(options: Sequence[str]) -> dict[str, str | None]:
    """The keys and values of ``KEY=VALUE`` texts, as written behind ``--fields``.

    The keys are those of ``FieldMap``, ``schema`` for a published form to start from,
    ``image_folder``, and ``on_error`` for ``raise`` or ``skip``. An empty value unmaps a field.

    Raises:
        ValueError: not ``KEY=VALUE``, an unknown key, or a key that is given twice.
    """
    given: dict[str, str | None] = {}
    for option in options:
        key, equals, value = option.partition("=")
        key = KEY_ALIASES.get(key, key)
        if not equals or key not in FIELD_OPTIONS:
            raise ValueError(
                f"can't read the field {option!r}: write KEY=COLUMN, such as answer=gold, "
                f"type=number or unit==cm; keys are {', '.join(FIELD_OPTIONS)}"
            )
        if key in given:
            raise ValueError(f"the field {key!r} is given twice: {given[key]!r} and {value!r}")
        given[key] = value or None
    return given


def _checked(key: str, value: Any, columns: Sequence[str]) -> Any:
    """The value of a field of ``FieldMap``, converted from what a user wrote."""
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
            pass  # a column, or a mistake that the check below reports
    if key in ("image", "choices"):
        is_list = isinstance(value, str) and "," in value and not _exists(value, columns)
        value = [part.strip() for part in value.split(",")] if is_list else value
        several = (value,) if key == "image" and isinstance(value, str) else value
        value = several if isinstance(several, str) else tuple(several)
    for column in value if isinstance(value, tuple) else (value,):
        _check_column(key, str(column), columns)
    return value


def _check_column(key: str, column: str, columns: Sequence[str]) -> None:
    if _exists(column, columns):
        return
    known = [*columns, *ANSWER_TYPES] if key == "type" else columns
    near = difflib.get_close_matches(column, known, n=1)
    or_type = f" and no answer type ({', '.join(ANSWER_TYPES)})" if key == "type" else ""
    raise ValueError(
        f"fields maps {key!r} to {column!r}, which is no column{or_type}"
        f"{f'; did you mean {near[0]!r}?' if near else '.'} "
        f"Columns found: {', '.join(map(repr, columns))}"
    )


def _exists(column: str, columns: Sequence[str]) -> bool:
    if column in columns or column.startswith("=") or column == "_file":
        return True
    if "|" in column:
        return any(_exists(part, columns) for part in column.split("|"))
    if braced := BRACED.findall(column):
        return all(_exists(part, columns) for part in braced)
    return column.partition(".")[0] in columns


def _none_if_empty(value: Any) -> Any:
    """None for an empty text and for NaN, which tables hold in place of nothing."""
    empty = value is None or value == "" or (isinstance(value, float) and value != value)
    return None if empty else value


def _text(value: Any) -> str:
    return "" if value is None or value == "nan" else str(value)
