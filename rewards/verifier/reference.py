"""The audit of a gold answer, before anything is trained on it."""

from __future__ import annotations

import re
from fractions import Fraction

from mstar.rewards.base import Answer
from mstar.rewards.verifier.answer_types import KINDS, Kind
from mstar.rewards.verifier.choice import keys
from mstar.rewards.verifier.parsing.measures import Quantity

_CLOCK = re.compile(r"\d{1,2}:\d\b(?!\d)")
_EQUATION = re.compile(r"[a-zA-Z]\s*=\s*[^=]{1,80}")


def wrong_with(answer: Answer) -> str | None:
    """The first thing that is wrong with a gold, as a sentence with its remedy; None if nothing.

    The gold must be readable as its type, be equal to itself, be among its choices, and not
    be told as another one; its tolerance must be in [0, 1).
    """
    kind = KINDS[answer.type]
    shown = f"gold {answer.value!r}"
    if not answer.value.strip():
        return "the gold is empty; give it a value, or None for an unlabelled problem"
    if answer.tolerance is not None and not 0 <= answer.tolerance < 1:
        return f"tolerance {answer.tolerance} of {shown} is not in [0, 1); give it as 0.05 for 5 %"
    if answer.type == "choice" and (fault := _among_choices(answer, kind, shown)):
        return fault
    read = kind.read(answer.value, answer)
    if read is None:
        return f"{shown} can't be read as {answer.type}; correct it or change its type"
    if not kind.same(read, read, answer).same:
        return f"{shown} is not equal to itself as {answer.type}; write it in a simpler form"
    return _suspicious(answer, read, shown)


def _among_choices(answer: Answer, kind: Kind, shown: str) -> str | None:
    options = answer.choices or ()
    if len(options) < 2:
        return f"{shown} is of type choice with {len(options)} options; give two or more"
    spelled = keys(options)
    twice = sorted({options[i] for i, key in enumerate(spelled) if spelled.index(key) < i})
    if twice:
        return f"the options of {shown} repeat {twice}; each must be told apart from the others"
    place = kind.read(answer.value, answer)
    if place is None:
        return f"{shown} is not among its options {list(options)}; give an option's text or letter"
    for index, option in enumerate(options):
        if kind.read(option, answer) != index:
            return f"option {option!r} of {shown} reads as another one; word it differently"
    return None


def _suspicious(answer: Answer, read: object, shown: str) -> str | None:
    if answer.type == "time" and _CLOCK.search(answer.value):
        return f"{shown} has one digit of minutes; write it with two, as in 8:00"
    if answer.type == "text" and _EQUATION.fullmatch(answer.value.strip()):
        return f"{shown} of type text looks like an equation; give it the type equation"
    counted = read.value if isinstance(read, Quantity) and answer.type in ("count", "year") else 1
    if not isinstance(counted, int | Fraction) or counted.denominator != 1:
        return f"{shown} of type {answer.type} is not whole; give it the type number"
    return None
