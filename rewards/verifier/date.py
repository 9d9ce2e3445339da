"""The answer type ``date``: dates, weekdays and months."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.prose import without_denial, without_reason
from mstar.rewards.verifier.parsing.vocabulary import (
    ALIASES,
    MONTHS,
    ORDINALS,
    REFUSED,
    WEEKDAYS,
    listed,
)

_DAY = re.compile(
    r"(?<![\d-])(?:(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{4})([01]\d)([0-3]\d)"
    r"|(\d{4})年(\d{1,2})月(\d{1,2})日|(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}))(?!\d)"
)
_SHORT = re.compile(r"(\d{1,2})/(\d{1,2})|(\d{1,2})[-/](\d{4})|(\d{4})[-/](\d{1,2})")
_ORDINAL = re.compile(rf"\b(?:(twenty|thirty)[- ])?({'|'.join(ORDINALS)}|twentieth|thirtieth)\b")
_SIDES = listed("before after until since by any every")


@dataclass(frozen=True, slots=True)
class Day:
    """The parts of a date that were given; None for the others."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None


def read_day(text: str, answer: Answer) -> Day | None:
    """The one date, weekday or month in a text.

    ``1/5/2020`` has the month first, ``1.5.2020`` the day.
    """
    plain_text = plain(without_denial(without_reason(text))).casefold().strip(" .{}")
    if (REFUSED | _SIDES) & set(plain_text.split()) or BIDI.search(text):
        return None
    short = _SHORT.fullmatch(plain_text)
    if short:
        days = [_checked(_part(short))]
    else:
        days = [_checked(_numeric(date)) for date in _DAY.finditer(plain_text)]
        days.append(_checked(_in_words(_ORDINAL.sub(_in_digits, _DAY.sub(" ", plain_text)))))
    parts: dict[str, set[int]] = {field.name: set() for field in fields(Day)}
    for day in days:
        if day is None:
            return None
        for name, values in parts.items():
            values |= {getattr(day, name)} - {None}
    if any(len(values) > 1 for values in parts.values()):
        return None
    day = Day(**{name: values.pop() for name, values in parts.items() if values})
    return day if day != Day() and (day.month or day.day is None) else None


def _checked(day: Day | None) -> Day | None:
    """The date if its month and day are in range, else None."""
    if day is None or not 1 <= (day.month or 1) <= 12 or not 1 <= (day.day or 1) <= 31:
        return None
    return day


def _numeric(date: re.Match[str]) -> Day:
    parts = [int(part) for part in date.groups() if part is not None]
    if date[12] is None:
        return Day(*parts)
    first, second, year = parts
    day_first = first > 12 or (date[0].count(".") == 2 and second <= 12)
    return Day(year, second, first) if day_first else Day(year, first, second)


def _part(short: re.Match[str]) -> Day:
    """A date without a year, or without a day."""
    if short[1]:
        first, second = int(short[1]), int(short[2])
        return Day(None, second, first) if first > 12 else Day(None, first, second)
    return Day(int(short[4] or short[5]), int(short[3] or short[6]))


def _in_digits(ordinal: re.Match[str]) -> str:
    tens = {"twenty": 20, "thirty": 30, None: 0}[ordinal[1]]
    last = {"twentieth": 20, "thirtieth": 30}.get(ordinal[2])
    return str(tens + (last or ORDINALS.index(ordinal[2]) + 1))


def _in_words(text: str) -> Day | None:
    """The month, day, year and weekday in a text; None if it has two of one of them."""
    parts: dict[str, set[int]] = {field.name: set() for field in fields(Day)}
    for word in re.findall(r"[a-z]+|\d+", text):
        _note(ALIASES.get(word, word), parts)
    if any(len(values) > 1 for values in parts.values()):
        return None
    return Day(**{name: values.pop() for name, values in parts.items() if values})


def _note(word: str, parts: dict[str, set[int]]) -> None:
    if word in MONTHS:
        parts["month"].add(MONTHS.index(word) + 1)
    elif word in WEEKDAYS:
        parts["weekday"].add(WEEKDAYS.index(word))
    elif word.isascii() and word.isdigit() and len(word) in (1, 2, 4):
        parts["year" if len(word) == 4 else "day"].add(int(word))


def same_day(reference: Day, predicted: Day, answer: Answer) -> MatchResult:
    """Whether all parts of the reference are given, and equal."""
    names = [field.name for field in fields(Day)]
    same = all(getattr(reference, n) in (None, getattr(predicted, n)) for n in names)
    return MatchResult(same, "same date" if same else "other date")
