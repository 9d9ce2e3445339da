"""The interface of an answer type: how it reads a text and how it compares two readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mstar.rewards.base import Answer


class MatchResult(NamedTuple):
    """Whether two answers are the same, and why, in a few words.

    Attributes:
        same: None if it could not be decided.
        reason: such as ``equal``, ``wrong unit`` or ``outside tolerance``.
    """

    same: bool | None
    reason: str


class AnswerComparator(NamedTuple):
    """How answers of one type are read and compared.

    Attributes:
        read: a text and the problem's answer in, a reading out; None if the text is not an answer
            of the type. Readings of different types are different Python types.
        compare: the readings of the reference answer and of the predicted one, and the problem's
            answer, in; whether they are the same out.
    """

    read: Callable[[str, Answer], Any]
    compare: Callable[[Any, Any, Answer], MatchResult]
