"""Dates, weekdays and months as people write them."""

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
    """A date as far as it was written; None where it was not."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None


def read_day(text: str, answer: Answer) -> Day | None:
    """The one date, weekday or month that a text gives; ``1/5/2020`` has the month first."""
    said = plain(without_denial(without_reason(text))).casefold().strip(" .{}")
    if (REFUSED | _SIDES) & set(said.split()) or BIDI.search(text):
        return None
    short = _SHORT.fullmatch(said)
    if short:
        days = [_checked(_part(short))]
    else:
        days = [_checked(_numeric(date)) for date in _DAY.finditer(said)]
        days.append(_checked(_in_words(_ORDINAL.sub(_in_digits, _DAY.sub(" ", said)))))
    found: dict[str, set[int]] = {field.name: set() for field in fields(Day)}
    for day in days:
        if day is None:
            return None
        for name, values in found.items():
            values |= {getattr(day, name)} - {None}
    if any(len(values) > 1 for values in found.values()):
        return None
    day = Day(**{name: values.pop() for name, values in found.items() if values})
    return day if day != Day() and (day.month or day.day is None) else None


def _checked(day: Day | None) -> Day | None:
    """The day where the calendar has such a month and day."""
    if day is None or not 1 <= (day.month or 1) <= 12 or not 1 <= (day.day or 1) <= 31:
        return None
    return day


def _numeric(date: re.Match[str]) -> Day:
    parts = [int(part) for part in date.groups() if part is not None]
    if date[12] is None:
        return Day(*parts)
    first, second, year = parts
    return Day(year, second, first) if first > 12 else Day(year, first, second)


def _part(short: re.Match[str]) -> Day:
    """A date without its year, or without its day."""
    if short[1]:
        first, second = int(short[1]), int(short[2])
        return Day(None, second, first) if first > 12 else Day(None, first, second)
    return Day(int(short[4] or short[5]), int(short[3] or short[6]))


def _in_digits(ordinal: re.Match[str]) -> str:
    tens = {"twenty": 20, "thirty": 30, None: 0}[ordinal[1]]
    last = {"twentieth": 20, "thirtieth": 30}.get(ordinal[2])
    return str(tens + (last or ORDINALS.index(ordinal[2]) + 1))


def _in_words(said: str) -> Day | None:
    """The month, day, year and weekday of a text; None where it has two of one."""
    found: dict[str, set[int]] = {field.name: set() for field in fields(Day)}
    for word in re.findall(r"[a-z]+|\d+", said):
        _note(ALIASES.get(word, word), found)
    if any(len(values) > 1 for values in found.values()):
        return None
    return Day(**{name: values.pop() for name, values in found.items() if values})


def _note(word: str, found: dict[str, set[int]]) -> None:
    if word in MONTHS:
        found["month"].add(MONTHS.index(word) + 1)
    elif word in WEEKDAYS:
        found["weekday"].add(WEEKDAYS.index(word))
    elif word.isascii() and word.isdigit() and len(word) in (1, 2, 4):
        found["year" if len(word) == 4 else "day"].add(int(word))


def same_day(gold: Day, said: Day, answer: Answer) -> MatchResult:
    """All that the gold says is said, and equal."""
    names = [field.name for field in fields(Day)]
    same = all(getattr(gold, n) in (None, getattr(said, n)) for n in names)
    return MatchResult(same, "same date" if same else "other date")
