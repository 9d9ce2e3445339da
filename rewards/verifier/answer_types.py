"""Each answer type: how it is read, and when two readings say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mstar.rewards.base import Answer, AnswerType
from mstar.rewards.verifier.choice import read_choice, same_choice
from mstar.rewards.verifier.comparison import Comparison
from mstar.rewards.verifier.date import read_day, same_day
from mstar.rewards.verifier.expression import read_formula, same_formula
from mstar.rewards.verifier.interval import read_interval, same_interval
from mstar.rewards.verifier.number import read_amount, same_amount
from mstar.rewards.verifier.sequence import read_sequence, same_sequence
from mstar.rewards.verifier.text import read_text, read_truth, same_text, same_truth
from mstar.rewards.verifier.time import read_clock, read_duration, same_clock, same_duration


class Kind(NamedTuple):
    """How an answer type is read and compared; the reader returns None for what is not of it."""

    read: Callable[[str, Answer], Any]
    same: Callable[[Any, Any, Answer], Comparison]


_AMOUNT = Kind(read_amount, same_amount)
_SEQUENCE = Kind(read_sequence, same_sequence)
_FORMULA = Kind(read_formula, same_formula)
KINDS: dict[AnswerType, Kind] = {
    "number": _AMOUNT,
    "count": _AMOUNT,
    "fraction": _AMOUNT,
    "percent": _AMOUNT,
    "year": _AMOUNT,
    "chart_number": _AMOUNT,
    "choice": Kind(read_choice, same_choice),
    "yes_no": Kind(read_truth, same_truth),
    "time": Kind(read_clock, same_clock),
    "duration": Kind(read_duration, same_duration),
    "date": Kind(read_day, same_day),
    "list": _SEQUENCE,
    "set": _SEQUENCE,
    "tuple": _SEQUENCE,
    "interval": Kind(read_interval, same_interval),
    "equation": _FORMULA,
    "expression": _FORMULA,
    "text": Kind(read_text, same_text),
}
