"""The comparator of each answer type."""

from __future__ import annotations

from mstar.rewards.base import AnswerType
from mstar.rewards.verifier.base import AnswerComparator
from mstar.rewards.verifier.choice import read_choice, same_choice
from mstar.rewards.verifier.date import read_day, same_day
from mstar.rewards.verifier.expression import read_formula, same_formula
from mstar.rewards.verifier.interval import read_interval, same_interval
from mstar.rewards.verifier.number import read_amount, same_amount
from mstar.rewards.verifier.sequence import read_sequence, same_sequence
from mstar.rewards.verifier.text import read_text, read_truth, same_text, same_truth
from mstar.rewards.verifier.time import read_clock, read_duration, same_clock, same_duration

_AMOUNT = AnswerComparator(read_amount, same_amount)
_SEQUENCE = AnswerComparator(read_sequence, same_sequence)
_FORMULA = AnswerComparator(read_formula, same_formula)
COMPARATORS: dict[AnswerType, AnswerComparator] = {
    "number": _AMOUNT,
    "count": _AMOUNT,
    "fraction": _AMOUNT,
    "percent": _AMOUNT,
    "year": _AMOUNT,
    "chart_number": _AMOUNT,
    "choice": AnswerComparator(read_choice, same_choice),
    "yes_no": AnswerComparator(read_truth, same_truth),
    "time": AnswerComparator(read_clock, same_clock),
    "duration": AnswerComparator(read_duration, same_duration),
    "date": AnswerComparator(read_day, same_day),
    "list": _SEQUENCE,
    "set": _SEQUENCE,
    "tuple": _SEQUENCE,
    "interval": AnswerComparator(read_interval, same_interval),
    "equation": _FORMULA,
    "expression": _FORMULA,
    "text": AnswerComparator(read_text, same_text),
}
