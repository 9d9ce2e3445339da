"""From a row to a problem: clean texts, the option that the gold means, a typed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from mstar.envs.datasets.answer_types import named_type, typed
from mstar.envs.datasets.cell_texts import PLACEHOLDER, cleaned, gold_text, named, question_text
from mstar.envs.datasets.field_map import AnswerForm, FieldMap, look_up
from mstar.envs.datasets.options import as_text, lettered, options, options_in, resolve
from mstar.envs.datasets.readers import split_called
from mstar.envs.datasets.rows import Row
from mstar.envs.datasets.stored_image import StoredPicture
from mstar.envs.problem import Split
from mstar.envs.spaces import LONGEST_PROMPT
from mstar.rewards.base import Answer, AnswerType

LONGEST_QUESTION = LONGEST_PROMPT - 512  # characters; the rest is for the instruction
LONGEST_NAME = 200  # characters of an id
LONGEST_ANSWER = 40  # words of an open answer; more are an essay


@dataclass(frozen=True, slots=True)
class Draft:
    """A row with its texts cleaned, before it is known what form the golds have.

    Attributes:
        where: the file and the line.
        id: the row's own id; "" if it has none.
        question: without placeholders.
        pictures: one or more.
        gold: as it was written; "" for a row without label.
        choices: the options; () where there are none.
        type: the declared type of the answer.
        unit: of the answer.
        tolerance: of the answer.
        split: its own split, if it says one.
        topic: the kind of problem.
    """

    where: str
    id: str
    question: str
    pictures: tuple[StoredPicture, ...] = field(repr=False)
    gold: str
    choices: tuple[str, ...]
    type: AnswerType | None
    unit: str | None
    tolerance: float | None
    split: Split | None
    topic: str


def draft(
    row: Row,
    fields: FieldMap,
    pictures: tuple[StoredPicture, ...],
    drawn: tuple[StoredPicture, ...] = (),
) -> Draft:
    """What a row says.

    Args:
        row: as it was read.
        fields: which column holds what.
        pictures: of the row, one or more.
        drawn: the options that are pictures, where they are.

    Raises:
        ValueError: no question, texts that are too long, options or several answers that can't be
            read.
    """
    shown = pictures + drawn
    written = question_text(look_up(row.cells, fields.question))
    _check_length("the question", written, LONGEST_QUESTION)
    numbers = count(1)
    question = cleaned(written, len(shown), numbers)
    declared = _declared(row, fields.type)
    together = declared in ("list", "set", "tuple")
    gold = gold_text(look_up(row.cells, fields.answer) if fields.answer else None, together)
    if drawn:
        choices = tuple(f"picture {len(pictures) + n}" for n in range(1, len(drawn) + 1))
        gold = dict(zip((one.name for one in drawn), choices, strict=True)).get(gold, gold)
    else:
        texts = _choices(row, fields)
        marked = len({text for text in texts if PLACEHOLDER.search(text)})
        choices = tuple(named(text, max(len(shown), marked), numbers) for text in texts)
    if not choices and gold and declared in (None, "choice"):
        # Options in the question alone count only where the gold is one of them.
        choices = options_in(question)
        choices = choices if resolve_either(gold, choices, "letter") is not None else ()
    if not choices and len(gold.split()) > LONGEST_ANSWER:
        raise ValueError(
            f"the answer {gold[:60]!r}... has {len(gold.split())} words, which can't be checked; "
            "map the column with the final answer"
        )
    _check_length(
        "the question with its options", _with_options(question, choices), LONGEST_QUESTION
    )
    return Draft(
        where=row.where,
        id=_column(row, fields.id)[:LONGEST_NAME],
        question=question,
        pictures=shown,
        gold=gold,
        choices=choices,
        type=declared,
        unit=_column(row, fields.unit) or None,
        tolerance=_tolerance(row, fields.tolerance),
        split=split_called(_column(row, fields.split) if fields.split else row.split),
        topic=_column(row, fields.topic)[:LONGEST_NAME],
    )


def answer_of(draft: Draft, form: AnswerForm) -> Answer | None:
    """The answer of a draft; None for a row without label.

    Args:
        draft: from ``draft``.
        form: of the golds of problems with options.

    Raises:
        ValueError: the gold is none of the options.
    """
    if not draft.gold:
        return None
    if not draft.choices:
        return typed(draft.gold, draft.type, draft.unit, draft.tolerance, draft.question)
    index = resolve_either(draft.gold, draft.choices, form)
    if index is None:
        raise ValueError(
            f"the gold {draft.gold!r}, read as {form}, is none of the options {list(draft.choices)}"
        )
    return Answer("choice", draft.choices[index], draft.choices)


def asked(draft: Draft) -> str:
    """The question as it is posed: with its options, where it has any."""
    return _with_options(draft.question, draft.choices)


def resolve_either(gold: str, choices: Sequence[str], form: AnswerForm) -> int | None:
    """The index of the option; a set of texts may have a letter now and then, and the reverse."""
    index = resolve(gold, choices, form)
    if index is None and form in ("text", "letter"):
        index = resolve(gold, choices, "letter" if form == "text" else "text")
    return index


def _with_options(question: str, choices: tuple[str, ...]) -> str:
    return lettered(question, choices) if choices else question


def _check_length(what: str, text: str, most: int) -> None:
    if not 0 < len(text) <= most:
        raise ValueError(f"{what} has {len(text)} characters; 1 to {most} can be asked")


def _declared(row: Row, column: str | None) -> AnswerType | None:
    if column is None:
        return None
    said = look_up(row.cells, column)
    return named_type(said) if said is not None else named_type(column)


def _choices(row: Row, fields: FieldMap) -> tuple[str, ...]:
    if fields.choices is None:
        return ()
    if isinstance(fields.choices, tuple):
        return options([look_up(row.cells, column) for column in fields.choices])
    return options(look_up(row.cells, fields.choices))


def _column(row: Row, column: str | None) -> str:
    return as_text(look_up(row.cells, column)).strip() if column else ""


def _tolerance(row: Row, column: str | float | None) -> float | None:
    said = look_up(row.cells, column) if isinstance(column, str) else column
    if said is None:
        return None
    try:
        tolerance = float(said)
    except (TypeError, ValueError):
        raise ValueError(f"the tolerance {said!r} is no number") from None
    if not 0 <= tolerance < 1:
        raise ValueError(f"the tolerance is a share from 0 to below 1, got {tolerance}")
    return tolerance
