"""Options of a problem: read from lists and texts, found for a gold, shown with letters."""

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
MARKS = (r"\({}\)", r"{}\)", r"{}\.", r"{}:")  # (A)  A)  A.  A:
LETTER = re.compile(r"(?:option\s+)?[(\[]?([A-Za-z])[)\].:]?", re.I)
LETTER_AND_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:]+\s*(\S.*)", re.S)
FORMS: tuple[AnswerForm, ...] = ("text", "letter", "index", "number")


def options(value: Any) -> tuple[str, ...]:
    """The options that a cell holds, in order; () where it holds none.

    >>> options("A. red; B. dark red")
    ('red', 'dark red')
    >>> options(["12", None, 3.0])
    ('12', '3')

    Raises:
        ValueError: a text that can't be read as options.
    """
    if isinstance(value, str):
        value = _from_text(value.strip())
    if isinstance(value, Mapping):
        texts = value.get("text")  # beside their labels
        ordered = sorted(value, key=lambda key: (len(str(key)), str(key)))
        value = texts if isinstance(texts, list) else [value[key] for key in ordered]
    if isinstance(value, list) and all(isinstance(v, dict) and "text" in v for v in value):
        value = [one["text"] for one in value]
    if isinstance(value, (list, tuple)):
        texts = [as_text(item).strip() for item in value]
        found = _unmarked(tuple(text for text in texts if text and text.lower() != "nan"))
        if len(found) > len(LETTERS):
            raise ValueError(f"{len(found)} options are more than there are letters for")
        return found
    if value is None:
        return ()
    raise ValueError(f"options must be a list or a text, got {type(value).__name__}")


def options_in(question: str) -> tuple[str, ...]:
    """The lettered options at the end of a text, () where there are none.

    >>> options_in("Which? Options: A: red, B: dark red")
    ('red', 'dark red')
    """
    best: tuple[str, ...] = ()
    for mark in MARKS:
        first = [m.start() for m in re.finditer(rf"(?<!\w){mark.format('A')}", question)]
        if first:
            found = _marked(question[first[-1] :], mark)
            best = found if len(found) > len(best) else best
    return best


def resolve(gold: str, choices: Sequence[str], form: AnswerForm) -> int | None:
    """The index of the option that a gold of one form means; None where it means none.

    Args:
        gold: as it was written.
        choices: the options.
        form: ``text``, ``letter`` (also with its text), ``index`` from 0 or ``number`` from 1.
    """
    if form == "text":
        exact = [i for i, choice in enumerate(choices) if choice == gold]
        alike = [i for i, choice in enumerate(choices) if _plain(choice) == _plain(gold)]
        return exact[0] if exact else alike[0] if len(alike) == 1 else None
    if form == "letter":
        if both := LETTER_AND_TEXT.fullmatch(gold):
            index = LETTERS.index(both[1].upper())
            fits = index < len(choices) and _plain(choices[index]) == _plain(both[2])
            return index if fits else None
        alone = LETTER.fullmatch(gold)
        index = LETTERS.index(alone[1].upper()) if alone else len(choices)
    else:
        digits = gold.isascii() and gold.isdigit() and len(gold) < 4
        index = int(gold) - (form == "number") if digits else len(choices)
    return index if 0 <= index < len(choices) else None


def form_of(golds: Sequence[tuple[str, Sequence[str]]]) -> AnswerForm:
    """The form that most golds of a data set fit; the text of an option before a mere index.

    Args:
        golds: each gold, and its options.
    """
    fits = _fits(golds)
    return max(FORMS, key=lambda form: fits[form])


def from_0_or_1(golds: Sequence[tuple[str, Sequence[str]]]) -> bool:
    """Whether the golds are numbers of options that may be counted from 0 or from 1."""
    fits = _fits(golds)
    return fits["index"] == fits["number"] > max(fits["text"], fits["letter"])


def lettered(question: str, choices: Sequence[str]) -> str:
    r"""The question with its options after it, unless they stand in it already.

    Options that are letters, but not in their order, are shown without letters: "D" would be two
    of them.

    >>> lettered("Which colour?", ["red", "blue"])
    'Which colour?\n(A) red (B) blue'
    >>> lettered("Which block?", ["B", "A"])
    'Which block?\n- B\n- A'
    """
    if tuple(map(_plain, options_in(question))) == tuple(map(_plain, choices)):
        return question
    if taken_for_letters(choices):
        return "\n- ".join((question, *choices))
    shown = " ".join(f"({letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))
    return f"{question}\n{shown}"


def taken_for_letters(choices: Sequence[str]) -> bool:
    """Whether a letter would be one option by its text and another by its place."""
    letters = [(i, LETTERS.find(c.upper())) for i, c in enumerate(choices) if len(c) == 1]
    return any(0 <= letter < len(choices) and letter != i for i, letter in letters)


def as_text(value: Any) -> str:
    """A cell as text: 3.0 as 3, True as true, None as nothing.

    >>> as_text(8.20), as_text(3.0), as_text(True)
    ('8.2', '3', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    return "" if value is None else str(value)


def _from_text(text: str) -> Any:
    """A list, an object or a tuple of strings, from any of the ways to write options."""
    if text[:1] in "[{(" and text[-1:] in "]})" and len(text) <= LONGEST_LIST:
        for read in (json.loads, ast.literal_eval):  # literals only: nothing is run
            try:
                value = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, (list, tuple, dict)):
                return value
    if marked := options_in(text):
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


def _marked(text: str, mark: str) -> tuple[str, ...]:
    """The texts behind the marks of A, B, C, ... as far as they go on."""
    starts: list[tuple[int, int]] = []
    position = 0
    for letter in LETTERS:
        found = re.compile(rf"(?<!\w){mark.format(letter)}").search(text, position)
        if found is None:
            break
        starts.append(found.span())
        position = found.end()
    ends = [start for start, _ in starts[1:]] + [len(text)]
    parts = [text[s:e].strip().rstrip(",;").strip() for (_, s), e in zip(starts, ends, strict=True)]
    if parts and not any("\n" in part for part in parts[:-1]):
        parts[-1] = parts[-1].partition("\n")[0]  # an instruction that follows the options
    return tuple(parts) if len(parts) > 1 and all(parts) else ()


def _unmarked(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Options without their letters, where every one of them begins with its own."""
    for mark in MARKS:
        stripped = [
            re.sub(rf"^{mark.format(letter)}\s*", "", choice)
            for letter, choice in zip(LETTERS, choices, strict=False)
        ]
        pairs = zip(stripped, choices, strict=False)
        if choices and all(short and short != choice for short, choice in pairs):
            return tuple(stripped)
    return choices


def _fits(golds: Sequence[tuple[str, Sequence[str]]]) -> dict[AnswerForm, int]:
    return {form: sum(resolve(g, c, form) is not None for g, c in golds) for form in FORMS}


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
