"""The audit of a reference answer, before anything is trained on it."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

from mstar.rewards.base import Answer
from mstar.rewards.verifier.answer_types import COMPARATORS
from mstar.rewards.verifier.base import AnswerComparator
from mstar.rewards.verifier.choice import spelled
from mstar.rewards.verifier.parsing.quantities import Quantity
from mstar.rewards.verifier.verify import verify

_CLOCK = re.compile(r"\d{1,2}:\d\b(?!\d)")
_EQUATION = re.compile(r"[a-zA-Z]\s*=\s*[^=]{1,80}")


def audit(answer: Answer) -> str | None:
    """The first problem with a reference answer, as a sentence with its remedy; None if sound.

    It must be readable as its type, equal to itself and one of its choices, it must not look like
    another type, its tolerance must be in [0, 1), and a response that states it must verify.

    >>> audit(Answer("number", "seven or eight"))[:58]
    "reference answer 'seven or eight' can't be read as number;"
    """
    comparator = COMPARATORS[answer.type]
    shown = f"reference answer {answer.value!r}"
    if not answer.value.strip():
        return "the reference answer is empty; give it a value, or None for an unlabelled problem"
    if answer.tolerance is not None and not 0 <= answer.tolerance < 1:
        return f"tolerance {answer.tolerance} of {shown} is not in [0, 1); give it as 0.05 for 5 %"
    if answer.type == "choice" and (fault := _choices_fault(answer, comparator, shown)):
        return fault
    reading = comparator.read(answer.value, answer)
    if reading is None:
        return f"{shown} can't be read as {answer.type}; correct it or change its type"
    if not comparator.compare(reading, reading, answer).same:
        return f"{shown} is not equal to itself as {answer.type}; write it in a simpler form"
    if fault := _type_fault(answer, reading, shown):
        return fault
    if not verify(f"<answer>{answer.value}</answer>", answer).correct:
        return f"{shown} does not verify as an answer; write it in a simpler form"
    return None


def _choices_fault(answer: Answer, comparator: AnswerComparator, shown: str) -> str | None:
    options = answer.choices or ()
    if len(options) < 2:
        return f"{shown} is of type choice with {len(options)} options; give two or more"
    repeated = {option for option, count in Counter(map(spelled, options)).items() if count > 1}
    if spelled(answer.value) in repeated:
        return f"the options of {shown} repeat it; make each option distinct"
    if comparator.read(answer.value, answer) is None:
        return f"{shown} is not among its options {list(options)}; give an option's text or letter"
    for index, option in enumerate(options):
        if spelled(option) in repeated:
            continue  # wrong twice, and no response with its text is right
        if comparator.read(option, answer) != index:
            return f"option {option!r} of {shown} is read as another option; word it differently"
    return None


def _type_fault(answer: Answer, reading: object, shown: str) -> str | None:
    if answer.type == "time" and _CLOCK.search(answer.value):
        return f"{shown} has one digit of minutes; write it with two, as in 8:00"
    if answer.type == "text" and _EQUATION.fullmatch(answer.value.strip()):
        return f"{shown} of type text looks like an equation; give it the type equation"
    if isinstance(reading, Quantity) and answer.type in ("count", "year"):
        value = reading.value
        if not isinstance(value, Fraction) or value.denominator != 1:
            return f"{shown} of type {answer.type} is not whole; give it the type number"
    return None
