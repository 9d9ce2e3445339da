"""Options of a problem: parsed from lists and texts, matched with the answer, written out."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from html import unescape
from itertools import product
from typing import Any, NamedTuple

from mstar.envs.datasets.field_map import AnswerForm

LETTERS = string.ascii_uppercase
LONGEST_LIST = 20_000  # characters of a list written as text
# (A)  (A):  A)  A.  A:  A、  also of full width
MARK_PATTERNS = (
    r"[(（]{}[)）][:：]?",
    r"\[{}\][:：]?",
    r"(?<![(（]){}[)）]",
    r"{}[.．]",
    r"{}[:：]",
    r"{}、",
)
# Each kind of mark, first at the start of lines only; it may follow Chinese directly.
MARKS = tuple(
    re.compile(before + mark.format("([A-Za-z])"))
    for mark in MARK_PATTERNS
    for before in (r"(?m:^)[ \t]*(?:[-*•] )?", r"(?<![A-Za-z_])(?<!\d(?![(（]))")
)
FIRST_MARK = re.compile(r"[Aa][)）\].．:：、]")
BOLD_MARK = re.compile(  # **A.**  **A**.  \textbf{(A)}
    r"\*\*([(\[]?[A-Za-z][)\].:]{0,2})\*\*([).:]?)"
    r"|\\(?:text(?:bf|rm|it)?|math(?:bf|rm)|bf)\s*\{\s*(\([A-Za-z]\)|[A-Za-z][.)])[\s~]*\}"
)
SPACING = r"(?:\\[ ,;]|\\q?quad(?![a-z])|~|\s)+"  # of LaTeX
AROUND_OPTION = re.compile(rf"\A{SPACING}|{SPACING}\Z|[,;，；\s]+\Z")
LAST_OF_SENTENCE = re.compile(r"[,;]?\s+(?:or|and)\Z")  # red, (B) blue, or
ENTITY = re.compile(r"&(?:lt|gt|le|ge|amp|quot|apos|nbsp|deg|times|#\d{1,5}|#x[\da-fA-F]{1,4});")
CIRCLED = "①②③④⑤⑥⑦⑧⑨"
NUMBER_MARKS = ((r"{}[.)、:]\s", "123456789"), (r"{}", CIRCLED))  # of options in a list
# What may stand before the first mark: not a word, as in "Point A: (1, 2)".
BEFORE_FIRST = "\n.,;:?!。，；：？！>)]}）】"
MARKED_LETTER = re.compile(r"[A-Za-z]")  # in a mark
LETTER = re.compile(r"(?:option\s+)?[(\[（]?([A-Za-z])[)\].:）]?", re.I)
LETTER_IN_BRACKETS = re.compile(r"[(\[（]([A-Za-z])[)\]）]")
SEVERAL_LETTERS = re.compile(r"[A-Z]{2,8}|[A-Za-z](?:\s*(?:[,;&、，]|\band\b)\s*[A-Za-z]){1,7}")
LETTER_AND_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:]+\s*(\S.*)", re.S)
OPTION_KEYS = ("text", "content", "value", "option", "answer", "choice", "image", "bytes", "path")
FORMS: tuple[AnswerForm, ...] = ("text", "letter", "index", "number")

# Where an instruction may start behind the last option, and what makes it one.
INSTRUCTION = re.compile(
    r"[.!?。]\s+(?=[A-Z])|[.!?。]?\s*(?=请)|\s+(?=[(\[]?(?:Please|First|Answer|Think|Reason|Solve|Choose"
    r"|Select|Pick|Put|Give|Write|Return|Respond|You|Your|Output|Provide|Explain|Show|Hint|Directly"
    r"|Only|Do not|Don't|In your|Let's|Use|Carefully|Before|After|Then|Finally|State|Report|Box"
    r"|Enclose|Make sure|Remember|Based on|The (?:final )?(?:answer|response|reasoning))\b)"
)
ABOUT_ANSWERING = re.compile(
    r"\b(?:answers?|options?|letters?|choices?|step by step|box(?:ed)?|reason(?:ing)?|think(?:ing)?"
    r"|explain|explanation|respon[sd]\w*|directly|tags?|format)\b|答案|选项|回答|推理|步骤",
    re.I,
)
ASKS_AFTER_SENTENCE = re.compile(r"[.!。]\s+\S[^?？]*[?？]\Z")

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
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        value = [_text_of_option(one) for one in value]
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
    """The options with letters, of either case, at the end of a text; () if there are none.

    An instruction may follow the last option. Letters that name anything else are no options:
    those of points with their coordinates, or of statements before the question.

    >>> options_in_question("Which? Options: A: red, B: dark red")
    ('red', 'dark red')
    >>> options_in_question("A: (0, 1) B: (2, 3). How far? (a) 1 (b) 2 Please reason step by step.")
    ('1', '2')
    """
    question = BOLD_MARK.sub(lambda mark: "".join(part for part in mark.groups() if part), question)
    best: _Run | None = None
    for run in _runs(question):
        if best is None or _comes_later(run, best, question):
            best = run
    return best.options if best else ()


def several_options(answer: str, choices: Sequence[str]) -> tuple[str, ...]:
    """The letters of the options that an answer names, if it names two or more; else ().

    >>> several_options("a, C", ["red", "blue", "green"])
    ('A', 'C')
    """
    if not SEVERAL_LETTERS.fullmatch(answer):
        return ()
    named = [letter.upper() for letter in re.findall(r"(?<![a-z])[A-Za-z](?![a-z])", answer)]
    known = all(LETTERS.index(letter) < len(choices) for letter in named)
    return tuple(sorted(named)) if known and len(set(named)) == len(named) else ()


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
        answer = str(CIRCLED.find(answer) + 1) if answer in CIRCLED else answer
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

    Options that are letters out of order, or in brackets, are listed without letters, since "D"
    would name two of them.

    >>> with_options("Which colour?", ["red", "blue"])
    'Which colour?\n(A) red (B) blue'
    >>> with_options("Which block?", ["B", "A"])
    'Which block?\n- B\n- A'
    """
    if tuple(map(_plain, options_in_question(question))) == tuple(map(_plain, choices)):
        return question
    in_brackets = any(LETTER_IN_BRACKETS.fullmatch(choice) for choice in choices)
    if in_brackets or letters_are_ambiguous(choices):
        return "\n- ".join((question, *choices))
    shown = " ".join(f"({letter}) {text}" for letter, text in zip(LETTERS, choices, strict=False))
    return f"{question}\n{shown}"


def letters_are_ambiguous(choices: Sequence[str]) -> bool:
    """Whether a letter would name one option by its text and another by its place."""
    texts = [_without_brackets(choice) for choice in choices]
    letters = [(i, LETTERS.find(text.upper())) for i, text in enumerate(texts) if len(text) == 1]
    return any(0 <= letter < len(texts) and letter != i for i, letter in letters)


def as_text(value: Any) -> str:
    """A cell as text: 3 for 3.0, true for True, "" for None, a day without its midnight.

    Entities of HTML such as ``&lt;`` are resolved.

    >>> as_text(8.20), as_text(3.0), as_text(True)
    ('8.2', '3', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    text = "" if value is None else str(value)
    return ENTITY.sub(lambda entity: unescape(entity[0]), text) if "&" in text else text


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


class _Run(NamedTuple):
    """Options with consecutive letters, and where their first and last marks start in the text."""

    first: int
    last: int
    options: tuple[str, ...]


def _runs(question: str) -> Iterator[_Run]:
    """The runs of options with one kind of mark, one for each place of the first letter."""
    for pattern in MARKS if FIRST_MARK.search(question) else ():
        marks = [(found[1], *found.span()) for found in pattern.finditer(question)]
        for number, (letter, start, end) in enumerate(marks):
            bare = question[start:end].strip()[0] == letter
            if letter not in "Aa" or (
                bare and question[:start].rstrip(" \t")[-1:] not in BEFORE_FIRST
            ):
                continue
            run = [(start, end)]
            for later, *span in marks[number + 1 :]:
                if ord(later) == ord(letter) + len(run):
                    run.append((span[0], span[1]))
            if options := _between_marks(question, run):
                yield _Run(start, run[-1][0], options)


def _comes_later(run: _Run, best: _Run, question: str) -> bool:
    """Whether a run stands after another, and not inside the last option of the other."""
    if run.first > best.last:
        return re.search(r"[\n?!.。？]", question[best.last + 2 : run.first]) is not None
    return (run.last, len(run.options)) > (best.last, len(best.options))


def _between_marks(text: str, marks: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The texts after the marks; () if one is empty, or the marks are not at the text's end.

    If there is no text after any of them, the letters are the options.
    """
    ends = [start for start, _ in marks[1:]] + [len(text)]
    parts = [text[s:e].strip() for (_, s), e in zip(marks, ends, strict=True)]
    if len(parts) < 2:
        return ()
    letters = [found[0] for s, e in marks if (found := MARKED_LETTER.search(text, s, e))]
    if all(part in ("", letter) for part, letter in zip(parts, letters, strict=True)):
        return tuple(letters)  # "(A) (B) (C)": the image shows what they stand for
    rest = ""
    if not any("\n" in part for part in parts[:-1]):
        parts[-1], _, rest = parts[-1].partition("\n")
    for start in INSTRUCTION.finditer(parts[-1], 1):
        if ABOUT_ANSWERING.search(parts[-1], start.end()):
            parts[-1] = parts[-1][: start.start()]
            break
    parts = [AROUND_OPTION.sub("", AROUND_OPTION.sub("", part)) for part in parts]
    if text[: marks[0][0]].rstrip().endswith("$") and parts[-1].count("$") == 1:
        parts[-1] = parts[-1].removesuffix("$")  # all options are in one formula
    if any(LAST_OF_SENTENCE.search(part) for part in parts[:-1]):
        parts = [LAST_OF_SENTENCE.sub("", part) for part in parts[:-1]] + [parts[-1].rstrip("?？")]
    goes_on = rest.strip() and not ABOUT_ANSWERING.search(rest)
    if (
        not all(parts)
        or parts[0] in ("or", "and", "vs")
        or goes_on
        or ASKS_AFTER_SENTENCE.search(parts[-1])
    ):
        return ()
    return tuple(parts)


def _text_of_option(option: dict[str, Any]) -> Any:
    """The text in ``{"label": "A", "text": "red"}``, under any of its usual names."""
    key = next((key for key in OPTION_KEYS if key in option), None)
    if key is None:
        raise ValueError(
            f"an option is an object with {sorted(option)!r:.80}; its text must be under one of "
            + ", ".join(OPTION_KEYS)
        )
    return option[key]


def _without_marks(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Options without their letters, if every one begins with its own letter."""
    lettered = product(MARK_PATTERNS, (LETTERS, LETTERS.lower()))
    for mark, letters in (*lettered, *NUMBER_MARKS):
        stripped = [
            re.sub(rf"^{mark.format(letter)}\s*", "", choice)
            for letter, choice in zip(letters, choices, strict=False)
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
    return " ".join(_without_brackets(text).split()).casefold()


def _without_brackets(text: str) -> str:
    """The letter in a text such as ``(b)``; any other text unchanged."""
    letter = LETTER_IN_BRACKETS.fullmatch(text.strip())
    return letter[1] if letter else text
