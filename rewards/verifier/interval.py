"""The answer type ``interval``: intervals and inequalities on the number line."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.parsing.arithmetic import Value, close, decimal, evaluate
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.formula import UnreadableError, parse
from mstar.rewards.verifier.parsing.latex import plain

_ROUNDED = Decimal("2e-5")  # relative: five digits, as for a number
LONGEST, PARTS = 400, 8  # characters; intervals in a union
_MEMBER = re.compile(r"^[a-zA-Zα-ω]\s*(?:∈|=|:|\bin\b)\s*(?=[(\[\]]|\{?R\b)")
_RELATION = re.compile(r"<=|>=|<|>")
_TURNED = str.maketrans("<>", "><")
_SINGLE = re.compile(r"\{([^{},]+)\}|[a-zA-Z]\s*=\s*([^=<>]+)")
_UNION = re.compile(r"∪|\bor\b|\bU\b")
_BOTH = re.compile(r"\band\b|∧|,")
_SUCH_THAT = re.compile(r"^\{?\s*[a-zA-Z]\s*(?:∈\s*\{?R\}?\s*)?[|:]\s*([^|]+?)\}?$")
_EVERYTHING = frozenset(("r", "{r}", "all real numbers", "all reals", "{all real numbers}"))
_LEFT_OUT = re.compile(  # x ≠ 0   R - {0, 1}   all real numbers except 2
    r"(?:[a-zA-Z]\s*≠|(?:\{?R\}?|all real(?: number)?s),?\s*(?:[-\\∖]|except(?: for)?|but)"
    r"(?:\s*[a-zA-Z]\s*=)?)\s*([^<>]{1,60})"
)


class Interval(NamedTuple):
    """The interval from `low` to `high`; None is infinity, and that end is open."""

    low: Value | None
    low_closed: bool
    high: Value | None
    high_closed: bool


def read_interval(text: str, answer: Answer) -> tuple[Interval, ...] | None:
    """The intervals of a union, from left to right; None if the text is not one."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    plain_text = re.sub(r"\{\s*(or|and)\s*\}", r" \1 ", plain(text).rstrip(" ."))
    plain_text = _SUCH_THAT.sub(r"\1", plain_text)
    if _MEMBER.sub("", plain_text).casefold() in _EVERYTHING:
        return (Interval(None, False, None, False),)
    plain_text = _MEMBER.sub("", plain_text)
    if left_out := _LEFT_OUT.fullmatch(plain_text):
        return _all_but(left_out[1])
    parts = _UNION.split(plain_text)
    intervals: list[Interval] = []
    for part in parts[: PARTS + 1]:
        single = _point(part.strip()) if len(parts) > 1 else None
        interval = single or _bracketed(part.strip()) or _related(part.strip()) or _overlap(part)
        if interval is None:
            return None
        intervals.append(interval)
    if len(intervals) > PARTS:
        return None
    return tuple(
        sorted(intervals, key=lambda each: (each.low is not None, decimal(each.low or _zero())))
    )


def same_interval(
    reference: tuple[Interval, ...], predicted: tuple[Interval, ...], answer: Answer
) -> MatchResult:
    """Whether all ends are equal, and open or closed as in the reference."""
    same = len(reference) == len(predicted) and all(map(_equal, reference, predicted))
    return MatchResult(same, "same interval" if same else "other interval")


def _equal(one: Interval, other: Interval) -> bool:
    ends = ((one.low, other.low), (one.high, other.high))
    return (one.low_closed, one.high_closed) == (other.low_closed, other.high_closed) and all(
        (a is None) == (b is None) and (a is None or b is None or _same_end(a, b)) for a, b in ends
    )


def _same_end(reference: Value, predicted: Value) -> bool:
    """Whether two ends are equal, or one is rounded where the reference has no last decimal."""
    if close(reference, predicted):
        return True
    if isinstance(reference, Fraction) and 10**18 % reference.denominator == 0:
        return False
    distance = abs(decimal(reference) - decimal(predicted))
    return distance <= abs(decimal(reference)) * _ROUNDED


def _zero() -> Value:
    return evaluate(parse("0"))


def _all_but(points: str) -> tuple[Interval, ...] | None:
    """The intervals between some numbers, such as ``{0, 1}``, and beyond them; None if unread."""
    names = r"(?:,|\band\b)(?:\s*[a-zA-Z]\s*[=≠])?"
    ends = [_end(point, "") for point in re.split(names, points.strip(" {}"))]
    values = sorted((end[0] for end in ends if end and end[0] is not None), key=decimal)
    if len(values) < len(ends):
        return None
    lows, highs = (None, *values), (*values, None)
    return tuple(Interval(low, False, high, False) for low, high in zip(lows, highs, strict=True))


def _point(part: str) -> Interval | None:
    """A single number of a union, as in ``(1, 2) ∪ {3}`` or ``x < 2 or x = 3``."""
    found = _SINGLE.fullmatch(part)
    point = _end(found[1] or found[2], "") if found else None
    return Interval(point[0], True, point[0], True) if point else None


def _bracketed(part: str) -> Interval | None:
    if len(part) < 3 or part[0] not in "([]" or part[-1] not in ")][":
        return None
    ends = re.split(r"[,;]", part[1:-1])
    if len(ends) != 2:
        return None
    low, high = _end(ends[0], "-"), _end(ends[1], "+")
    if low is None or high is None:
        return None
    return _ordered(Interval(low[0], part[0] == "[", high[0], part[-1] == "]"))


def _related(part: str) -> Interval | None:
    """``1 <= x < 3``, ``x >= 3`` or ``3 < x``."""
    relations = _RELATION.findall(part)
    ends = [end.strip() for end in _RELATION.split(part)]
    if len(relations) == 1 and re.fullmatch(r"-\s?[a-zA-Z]", ends[0]):  # -x > -1
        ends = [ends[0][1:].strip(), f"-({ends[1]})"]
        relations = [relations[0].translate(_TURNED)]
    if len(relations) == 2 and _is_letter(ends[1]) and relations[0][0] == relations[1][0]:
        if relations[0][0] == ">":
            ends, relations = ends[::-1], relations[::-1]
        low, high = _end(ends[0], "-"), _end(ends[2], "+")
        if low is None or high is None:
            return None
        return _ordered(Interval(low[0], "=" in relations[0], high[0], "=" in relations[1]))
    if len(relations) != 1 or _is_letter(ends[0]) == _is_letter(ends[1]):
        return None
    upper = _is_letter(ends[0]) == (relations[0][0] == "<")
    value = _end(ends[1] if _is_letter(ends[0]) else ends[0], "")
    if value is None or value[0] is None:
        return None
    closed = "=" in relations[0]
    return (
        Interval(None, False, value[0], closed)
        if upper
        else Interval(value[0], closed, None, False)
    )


def _overlap(part: str) -> Interval | None:
    """``x >= 1 and x < 3``: one lower and one upper bound."""
    halves = [_related(half.strip()) for half in _BOTH.split(part)]
    if len(halves) != 2 or halves[0] is None or halves[1] is None:
        return None
    low, high = sorted(halves, key=lambda half: half is not None and half.low is None)
    if low is None or high is None or low.low is None or high.high is None:
        return None
    if low.high is not None or high.low is not None:
        return None
    return _ordered(Interval(low.low, low.low_closed, high.high, high.high_closed))


def _is_letter(text: str) -> bool:
    return len(text) == 1 and text.isalpha() and text != "π"


def _end(text: str, sign: str) -> tuple[Value | None] | None:
    """One end in a tuple, with None for infinity of that sign; None if it can't be read."""
    text = text.strip()
    if "∞" in text or text.lower().lstrip("+-") in ("inf", "infinity", "oo"):
        return (None,) if sign and text.startswith("-") == (sign == "-") else None
    try:
        return (evaluate(parse(text)),)
    except UnreadableError:
        return None


def _ordered(interval: Interval) -> Interval | None:
    low, high = interval.low, interval.high
    if low is not None and high is not None and decimal(low) > decimal(high):
        return None
    closed_at_infinity = (low is None and interval.low_closed) or (
        high is None and interval.high_closed
    )
    return None if closed_at_infinity else interval
