"""Options of a problem: parsed from lists and texts, matched with the answer, written out."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from mstar.envs.datasets.field_map import AnswerForm

LETTERS = string.ascii_uppercase
LONGEST_LIST = 20_000  # characters of a list written as text
MARK_PATTERNS = (r"\({}\)", r"{}\)", r"{}\.", r"{}:")  # (A)  A)  A.  A:
LETTER = re.compile(r"(?:option\s+)?[(\[]?([A-Za-z])[)\].:]?", re.I)
LETTER_AND_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:]+\s*(\S.*)", re.S)
FORMS: tuple[AnswerForm, ...] = ("text", "letter", "index", "number")

AnswerWithOptions = tuple[str, Sequence[str]]  # the reference answer as written; its options


def parse_options(value: Any) -> tuple[str, ...]:
    """The options in a cell, in order; () if it holds none.

    >>> parse_options("A. red; B. dark red")
    ('red', 'dark red')
    >>> parse_options(["12", None, 3.0])
    ('12', '3')

    Raises:
        ValueError: the cell can't be read as options, or holds more than 26.
    """
    if isinstance(value, str):
        value = _parse_text(value.strip())
    if isinstance(value, Mapping):
        texts = value.get("text")  # beside a list of their labels
        ordered = sorted(value, key=lambda key: (len(str(key)), str(key)))
        value = texts if isinstance(texts, list) else [value[key] for key in ordered]
    if isinstance(value, list) and all(isinstance(v, dict) and "text" in v for v in value):
        value = [one["text"] for one in value]
    if isinstance(value, (list, tuple)):
        texts = [as_text(item).strip() for item in value]
        choices = _without_marks(tuple(text for text in texts if text and text.lower() != "nan"))
        if len(choices) > len(LETTERS):
            raise ValueError(f"{len(choices)} options are more than there are letters")
        return choices
    if value is None:
        return ()
    raise ValueError(f"options must be a list or a text, got {type(value).__name__}")


def options_in_question(question: str) -> tuple[str, ...]:
    """The options with letters at the end of a text; () if there are none.

    >>> options_in_question("Which? Options: A: red, B: dark red")
    ('red', 'dark red')
    """
    best: tuple[str, ...] = ()
    for mark in MARK_PATTERNS:
        first = [m.start() for m in re.finditer(rf"(?<!\w){mark.format('A')}", question)]
        if first:
            choices = _after_marks(question[first[-1] :], mark)
            best = choices if len(choices) > len(best) else best
    return best


def resolve_option(answer: str, choices: Sequence[str], form: AnswerForm) -> int | None:
    """The index of the option that an answer names; None if it names none.

    Args:
        answer: as written.
        choices: the options.
        form: ``text``; ``letter``, alone or before the text; ``index``, from 0; ``number``, from 1.
    """
    if form == "text":
        exact = [i for i, choice in enumerate(choices) if choice == answer]
        alike = [i for i, choice in enumerate(choices) if _plain(choice) == _plain(answer)]
        return exact[0] if exact else alike[0] if len(alike) == 1 else None
    if form == "letter":
        if both := LETTER_AND_TEXT.fullmatch(answer):
            index = LETTERS.index(both[1].upper())
            fits = index < len(choices) and _plain(choices[index]) == _plain(both[2])
            return index if fits else None
        alone = LETTER.fullmatch(answer)
        index = LETTERS.index(alone[1].upper()) if alone else len(choices)
    else:
        is_number = answer.isascii() and answer.isdigit() and len(answer) < 4
        index = int(answer) - (form == "number") if is_number else len(choices)
    return index if 0 <= index < len(choices) else None


def infer_answer_form(answers: Sequence[AnswerWithOptions]) -> AnswerForm:
    """The form that most answers of a data set have; on a tie, the first of ``FORMS``."""
    fits = _fits(answers)
    return max(FORMS, key=lambda form: fits[form])


def index_base_is_unclear(answers: Sequence[AnswerWithOptions]) -> bool:
    """Whether the answers are numbers of options that may count from 0 or from 1."""
    fits = _fits(answers)
    return fits["index"] == fits["number"] > max(fits["text"], fits["letter"])


def with_options(question: str, choices: Sequence[str]) -> str:
    r"""The question followed by its options, unless it contains them already.

    Options that are letters out of order are listed without letters, since "D" would name two of
    them.

    >>> with_options("Which colour?", ["red", "blue"])
    'Which colour?\n(A) red (B) blue'
    >>> with_options("Which block?", ["B", "A"])
    'Which block?\n- B\n- A'
    """
    if tuple(map(_plain, options_in_question(question))) == tuple(map(_plain, choices)):
        return question
    if letters_are_ambiguous(choices):
        return "\n- ".join((question, *choices))
    shown = " ".join(f"({letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))
    return f"{question}\n{shown}"


def letters_are_ambiguous(choices: Sequence[str]) -> bool:
    """Whether a letter would name one option by its text and another by its place."""
    letters = [(i, LETTERS.find(c.upper())) for i, c in enumerate(choices) if len(c) == 1]
    return any(0 <= letter < len(choices) and letter != i for i, letter in letters)


def as_text(value: Any) -> str:
    """A cell as text: 3 for 3.0, true for True, "" for None.

    >>> as_text(8.20), as_text(3.0), as_text(True)
    ('8.2', '3', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    return "" if value is None else str(value)


def _parse_text(text: str) -> Any:
    """A list, an object or a tuple of texts, from any of the ways to write options as text."""
    if text[:1] in "[{(" and text[-1:] in "]})" and len(text) <= LONGEST_LIST:
        for read in (json.loads, ast.literal_eval):  # literals only: no code is run
            try:
                value = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, (list, tuple, dict)):
                return value
    if marked := options_in_question(text):
        return marked
    for separator in ("\n", "|", ";", ","):
        parts = [part.strip() for part in text.split(separator) if part.strip()]
        if len(parts) > 1:
            return parts
    if not text:
        return ()
    raise ValueError(
        f"can't read options from {text[:80]!r}; write a list, or 'A. first; B. second'"
    )


def _after_marks(text: str, mark: str) -> tuple[str, ...]:
    """The texts after the marks of A, B, C, ... up to the first letter that is missing."""
    marks: list[tuple[int, int]] = []
    position = 0
    for letter in LETTERS:
        found = re.compile(rf"(?<!\w){mark.format(letter)}").search(text, position)
        if found is None:
            break
        marks.append(found.span())
        position = found.end()
    ends = [start for start, _ in marks[1:]] + [len(text)]
    parts = [text[s:e].strip().rstrip(",;").strip() for (_, s), e in zip(marks, ends, strict=True)]
    if parts and not any("\n" in part for part in parts[:-1]):
        parts[-1] = parts[-1].partition("\n")[0]  # an instruction that follows the options
    return tuple(parts) if len(parts) > 1 and all(parts) else ()


def _without_marks(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Options without their letters, if every one begins with its own letter."""
    for mark in MARK_PATTERNS:
        stripped = [
            re.sub(rf"^{mark.format(letter)}\s*", "", choice)
            for letter, choice in zip(LETTERS, choices, strict=False)
        ]
        pairs = zip(stripped, choices, strict=False)
        if choices and all(short and short != choice for short, choice in pairs):
            return tuple(stripped)
    return choices


def _fits(answers: Sequence[AnswerWithOptions]) -> dict[AnswerForm, int]:
    """The number of answers that name an option, by form."""
    return {
        form: sum(resolve_option(answer, choices, form) is not None for answer, choices in answers)
        for form in FORMS
    }


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
