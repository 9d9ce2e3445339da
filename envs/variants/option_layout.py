"""How the options of a question stand in its text: letters, layout, and where they begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from mstar.envs.datasets.options import LETTERS

# No digits: an option is often a number itself, so for the verifier a number is never a place.
Lettering = Literal["(A)", "(a)", "A.", "A)", "A:", "-"]
LETTERINGS: tuple[Lettering, ...] = get_args(Lettering)


class Asked(NamedTuple):
    """A question taken apart.

    Attributes:
        stem: all before the options.
        lettering: of the options; None where none stand in the text.
        tail: all behind them.
    """

    stem: str
    lettering: Lettering | None
    tail: str


def shown(choices: Sequence[str], lettering: Lettering) -> str:
    r"""The options as a text: on one line in brackets, else on lines of their own.

    >>> shown(["red", "blue"], "(A)"), shown(["red", "blue"], "A.")
    ('(A) red (B) blue', 'A. red\nB. blue')
    """
    marks = [_mark(lettering, place) for place in range(len(choices))]
    parts = [f"{mark} {text}" for mark, text in zip(marks, choices, strict=True)]
    return (" " if lettering in ("(A)", "(a)") else "\n").join(parts)


def take_apart(question: str, choices: Sequence[str]) -> Asked:
    """The question without its options, wherever and however those stand in it.

    >>> take_apart("Which? A. red, B. blue", ["red", "blue"])
    Asked(stem='Which?', lettering='A.', tail='')
    """
    for lettering in LETTERINGS if choices else ():
        texts = [r"\s+".join(map(re.escape, choice.split())) for choice in choices]
        marks = [re.escape(_mark(lettering, place)) for place in range(len(choices))]
        parts = [rf"{mark}\s*{text}" for mark, text in zip(marks, texts, strict=True)]
        block = re.compile(r"(?<!\w)" + r"[,;]?\s*".join(parts) + r"(?!\w)")
        found = list(block.finditer(question))
        if found:
            start, end = found[-1].span()
            return Asked(question[:start].rstrip(), lettering, question[end:])
    return Asked(question, None, "")


def put_together(asked: Asked, choices: Sequence[str], lettering: Lettering) -> str:
    """A question with its options on the line after it."""
    return f"{asked.stem}\n{shown(choices, lettering)}{asked.tail}"


def _mark(lettering: Lettering, place: int) -> str:
    letter = LETTERS[place]
    return lettering.replace("A", letter).replace("a", letter.lower())
