"""From a raw row to a parsed one: clean texts, options, and the typed reference answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from mstar.envs.datasets.answer_types import infer_answer, type_named
from mstar.envs.datasets.cell_texts import (
    OTHER_MEDIA,
    PLACEHOLDER,
    PlacedText,
    answer_text,
    clean_question,
    counted_from_one,
    name_placeholders,
    question_text,
    system_prompt,
    unnumbered_places,
)
from mstar.envs.datasets.field_map import AnswerForm, FieldMap, look_up
from mstar.envs.datasets.images import StoredImage
from mstar.envs.datasets.options import (
    LETTERS,
    as_text,
    options_in_question,
    parse_options,
    resolve_option,
    several_options,
    with_options,
)
from mstar.envs.datasets.readers import RawRow, split_from_name
from mstar.envs.datasets.written_answers import items_of, plain_math
from mstar.envs.problem import Span, Split
from mstar.envs.spaces import LONGEST_PROMPT
from mstar.rewards.base import Answer, AnswerType

LONGEST_QUESTION = LONGEST_PROMPT - 512  # characters; the rest is for the instruction
LONGEST_NAME = 200  # characters of an id
LONGEST_ANSWER = 40  # words of an open answer; a longer one is an essay


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """A row with clean texts, before the form of the set's answers is known.

    Attributes:
        where: file and line.
        id: the row's own id; "" if it has none.
        question: without placeholders for images.
        system: the system prompt that the question begins with; "" if it has none.
        images: those of the options last; () if the problem is text only.
        image_places: where each stands in the full question; () if all stand in front of it.
        answer: the reference answer as written; "" if the row is unlabelled.
        choices: the options; () if there are none.
        type: the declared type of the answer.
        unit: of the answer.
        tolerance: of the answer.
        split: the row's own split, if it names one.
        topic: the kind of problem.
        caption: a description of the images; "" if there is none.
    """

    where: str
    id: str
    question: str
    system: str
    images: tuple[StoredImage, ...] = field(repr=False)
    image_places: tuple[Span, ...]
    answer: str
    choices: tuple[str, ...]
    type: AnswerType | None
    unit: str | None
    tolerance: float | None
    split: Split | None
    topic: str
    caption: str

    @property
    def full_question(self) -> str:
        """The question, followed by its options if it has any."""
        return with_options(self.question, self.choices) if self.choices else self.question

    def typed_answer(self, form: AnswerForm) -> Answer | None:
        """The typed reference answer; None if the row is unlabelled.

        Args:
            form: how the answers to problems with options name an option.

        Raises:
            ValueError: the answer is none of the options.
        """
        if not self.answer:
            return None
        if not self.choices:
            return infer_answer(self.answer, self.type, self.unit, self.tolerance, self.question)
        index = _resolve_leniently(self.answer, self.choices, form)
        several = several_options(self.answer, self.choices) if index is None else ()
        if several:
            return Answer("set", ", ".join(several))
        if index is None:
            raise ValueError(
                f"the answer {self.answer!r}, read as {form}, is none of the options "
                f"{list(self.choices)}"
            )
        return Answer("choice", self.choices[index], self.choices)


def parse_row(
    row: RawRow,
    fields: FieldMap,
    images: tuple[StoredImage, ...],
    option_images: tuple[StoredImage, ...] = (),
) -> ParsedRow:
    """Parse a row.

    Args:
        row: as it is stored.
        fields: which column holds what.
        images: of the row; () if it is text only.
        option_images: the options that are images, if they are.

    Raises:
        ValueError: there is no question, a text is too long, or the options or the answer can't
            be read.
    """
    all_images = images + option_images
    system, written = _system_and_question(row, fields)
    given = () if option_images else _option_texts(row, fields)
    written, *texts = counted_from_one([written, *given])
    _check_question(written, len(all_images))
    numbers = count(1)
    asked = clean_question(written, len(all_images), numbers)
    declared, answer = _type_and_answer(row, fields, texts, asked.text)
    if option_images:
        # "picture N" is the text of such an option in prompts and stored answers.
        names = [f"picture {n + 1}" for n in range(len(images), len(all_images))]
        options = [PlacedText(n, {len(images) + i: (0, len(n))}) for i, n in enumerate(names)]
        by_file = dict(zip((image.name for image in option_images), names, strict=True))
        answer = by_file.get(answer, answer)
    else:
        shown = max(len(all_images), len({t for t in texts if PLACEHOLDER.search(t)}))
        options = [name_placeholders(text, shown, numbers) for text in texts]
    choices = tuple(option.text for option in options)
    if not choices and answer and declared in (None, "choice"):
        choices = _options_in_question(asked.text, answer)
    if not choices:
        _check_open_answer(answer)
    parsed = ParsedRow(
        where=row.where,
        id=_cell_text(row, fields.id)[:LONGEST_NAME],
        question=asked.text,
        system=system,
        images=all_images,
        image_places=_image_places(asked, options, len(all_images)),
        answer=answer,
        choices=choices,
        type=declared,
        unit=_cell_text(row, fields.unit) or None,
        tolerance=_tolerance(row, fields, answer),
        split=split_from_name(_cell_text(row, fields.split) if fields.split else row.split),
        topic=_cell_text(row, fields.topic)[:LONGEST_NAME],
        caption=_cell_text(row, fields.caption),
    )
    _check_length("the question with its options", parsed.full_question)
    return parsed


def _system_and_question(row: RawRow, fields: FieldMap) -> tuple[str, str]:
    """The system prompt, and the question with it and with earlier turns in front."""
    cell = look_up(row.cells, fields.question)
    question = question_text(cell)
    if not question:
        raise ValueError(f"there is no question in {fields.question!r}")
    if system := system_prompt(cell):
        return system, question
    turns = (look_up(row.cells, fields.history) if fields.history else None) or []
    if not all(isinstance(turn, list) for turn in turns):
        raise ValueError(f"{fields.history!r} must hold pairs of question and answer")
    system = _cell_text(row, fields.system)
    before = (as_text(text) for turn in turns for text in turn)
    return system, "\n".join(part for part in (system, *before, question) if part)


def _check_question(written: str, images: int) -> None:
    _check_length("the question", written)
    if OTHER_MEDIA.search(written):
        raise ValueError("the question is about a video or a sound, and only images are shown")
    if PLACEHOLDER.search(written) and not images:
        raise ValueError("the question has a place for an image, but the row has no image")
    if (places := unnumbered_places(written)) > images > 1:  # a single one may be meant twice
        raise ValueError(f"the question has places for {places} images, but the row has {images}")


def _image_places(
    asked: PlacedText, options: Sequence[PlacedText], images: int
) -> tuple[Span, ...]:
    """Where each image stands in the question with its options; () if all stand in front."""
    places = dict(asked.places)
    texts = [option.text for option in options]
    whole = with_options(asked.text, texts) if texts else asked.text
    position = len(asked.text)
    for option in options if whole != asked.text else ():
        position = whole.index(option.text, position)
        for image, (start, end) in option.places.items():
            places.setdefault(image, (position + start, position + end))
        position += len(option.text)
    found = tuple(places.get(image, (0, 0)) for image in range(images))
    return found if any(end for _, end in found) else ()


def _options_in_question(question: str, answer: str) -> tuple[str, ...]:
    """The options that the question itself lists; () unless the answer is one of them."""
    choices = options_in_question(question)
    named = _resolve_leniently(answer, choices, "letter") is not None
    return choices if named or several_options(answer, choices) else ()


def _resolve_leniently(answer: str, choices: Sequence[str], form: AnswerForm) -> int | None:
    """The index of the option; in a set of texts an answer may be a letter, and vice versa."""
    index = resolve_option(answer, choices, form)
    if index is None and form in ("text", "letter"):
        index = resolve_option(answer, choices, "letter" if form == "text" else "text")
    return index


def _check_length(what: str, text: str) -> None:
    if not text:
        raise ValueError(f"{what} has no words beside its image")
    if len(text) > LONGEST_QUESTION:
        raise ValueError(f"{what} has {len(text)} characters; the limit is {LONGEST_QUESTION}")


def _check_open_answer(answer: str) -> None:
    if (words := len(answer.split())) > LONGEST_ANSWER:
        raise ValueError(
            f"the answer {answer[:60]!r}... has {words} words, which can't be checked; map the "
            "column with the final answer"
        )


def _type_and_answer(
    row: RawRow, fields: FieldMap, options: Sequence[str], question: str
) -> tuple[AnswerType | None, str]:
    """The declared type of the answer, if there is one, and the answer as written."""
    declared = _declared_type(row, fields.type)
    cell = look_up(row.cells, fields.answer) if fields.answer else None
    list_is_one_answer = declared in ("list", "set", "tuple")
    if isinstance(cell, list):
        letters = _letters_of_all(cell, options or options_in_question(question))
        if letters:
            return declared, letters
    if _is_true(row, fields.multiple):  # its parts may have the declared type, not the whole
        cell = ", ".join(map(as_text, cell)) if isinstance(cell, list) else cell
        one_point = declared == "tuple" and len(items_of(plain_math(as_text(cell)), "")) < 2
        declared = declared if declared == "list" or one_point else "set"
        list_is_one_answer = False
    elif list_is_one_answer and isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    return declared, answer_text(_rounded(cell, row, fields.precision), list_is_one_answer)


def _letters_of_all(answers: list[Any], choices: Sequence[str]) -> str:
    """The letters of the options that several answers name; "" if any of them names none."""
    named = [_resolve_leniently(as_text(each).strip(), choices, "letter") for each in answers]
    found = sorted({index for index in named if index is not None})
    all_differ = None not in named and len(found) == len(named) > 1
    return ", ".join(LETTERS[index] for index in found) if all_differ else ""


def _declared_type(row: RawRow, column: str | None) -> AnswerType | None:
    if column is None:
        return None
    cell = look_up(row.cells, column)
    if cell is None:
        return type_named(column)
    named = type_named(cell)
    return named if named != "text" else None  # sets call everything else so


def _option_texts(row: RawRow, fields: FieldMap) -> tuple[str, ...]:
    if fields.choices is None:
        return ()
    if isinstance(fields.choices, tuple):
        return parse_options([look_up(row.cells, column) for column in fields.choices])
    return parse_options(look_up(row.cells, fields.choices))


def _cell_text(row: RawRow, column: str | None) -> str:
    return as_text(look_up(row.cells, column)).strip() if column else ""


def _is_true(row: RawRow, column: str | None) -> bool:
    return _cell_text(row, column).lower() in ("true", "1", "yes")


def _rounded(value: Any, row: RawRow, column: str | None) -> Any:
    """A number with the decimals that a column says it has: 1.0 instead of 1 with precision 1."""
    decimals = _cell_text(row, column)
    if not (isinstance(value, float) and decimals.isdigit() and int(decimals) < 10):
        return value
    written = f"{value:.{decimals}f}"
    return written if math.isclose(float(written), value) else value


def _tolerance(row: RawRow, fields: FieldMap, answer: str) -> float | None:
    """The relative tolerance of an answer; None if it has none."""
    column = fields.tolerance
    value = look_up(row.cells, column) if isinstance(column, str) else column
    if value is not None:
        return _checked_tolerance(value)
    difference = _cell_text(row, fields.absolute_tolerance)
    if not difference:
        return None
    try:
        size = abs(float(plain_math(answer).replace(",", "")))
    except ValueError:
        return None  # not a number, so the difference says nothing
    return _checked_tolerance(difference, size) if size else None


def _checked_tolerance(value: Any, size: float = 1) -> float:
    try:
        tolerance = float(value) / size
    except (TypeError, ValueError):
        raise ValueError(f"the tolerance {value!r} is not a number") from None
    if not 0 <= tolerance < 1:
        raise ValueError(f"the tolerance must be from 0 to below 1, got {tolerance}")
    return tolerance
