"""How the options of a question are marked and laid out in its text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from mstar.envs.datasets.options import LETTERS

# No digits: options are often numbers, so the verifier never reads a number as an option's place.
OptionLayout = Literal["(A)", "(a)", "A.", "A)", "A:", "-"]
OPTION_LAYOUTS: tuple[OptionLayout, ...] = get_args(OptionLayout)


class QuestionParts(NamedTuple):
    """A question split around its options.

    Attributes:
        stem: the text before the options.
        layout: of the options; None if the text holds none.
        tail: the text after the options.
    """

    stem: str
    layout: OptionLayout | None
    tail: str


def split_question(question: str, choices: Sequence[str]) -> QuestionParts:
    """Split a question around its options, wherever and in whichever layout they appear.

    >>> split_question("Which? A. red, B. blue", ["red", "blue"])
    QuestionParts(stem='Which?', layout='A.', tail='')
    """
    for layout in OPTION_LAYOUTS if choices else ():
        texts = [r"\s+".join(map(re.escape, choice.split())) for choice in choices]
        marks = [re.escape(_mark(layout, place)) for place in range(len(choices))]
        parts = [rf"{mark}\s*{text}" for mark, text in zip(marks, texts, strict=True)]
        block = re.compile(r"(?<!\w)" + r"[,;]?\s*".join(parts) + r"(?!\w)")
        matches = list(block.finditer(question))
        if matches:
            start, end = matches[-1].span()
            return QuestionParts(question[:start].rstrip(), layout, question[end:])
    return QuestionParts(question, None, "")


def join_question(parts: QuestionParts, choices: Sequence[str], layout: OptionLayout) -> str:
    """The question with these options, in this layout, starting on the line after the stem."""
    return f"{parts.stem}\n{format_options(choices, layout)}{parts.tail}"


def format_options(choices: Sequence[str], layout: OptionLayout) -> str:
    r"""The options as text: on one line for letters in brackets, else one a line.

    >>> format_options(["red", "blue"], "(A)"), format_options(["red", "blue"], "A.")
    ('(A) red (B) blue', 'A. red\nB. blue')
    """
    marks = [_mark(layout, place) for place in range(len(choices))]
    parts = [f"{mark} {text}" for mark, text in zip(marks, choices, strict=True)]
    return (" " if layout in ("(A)", "(a)") else "\n").join(parts)


def layout_for(choices: Sequence[str]) -> OptionLayout:
    """``(A)``; without letters if an option is a letter itself, which would be ambiguous."""
    return "-" if any(len(c) == 1 and c.upper() in LETTERS for c in choices) else "(A)"


def _mark(layout: OptionLayout, place: int) -> str:
    letter = LETTERS[place]
    return layout.replace("A", letter).replace("a", letter.lower())
