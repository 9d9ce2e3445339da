"""A page of a calendar: the weekday of a date, the days between two dates, the third Friday?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.boxes import Box, around
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.families.parts.sampling import choose, choose_several
from mstar.envs.families.solution import Solution, compute, conclude, perceive
from mstar.envs.problem import Step

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = {
    "January": (31,), "February": (28, 29), "March": (31,), "April": (30,), "May": (31,),
    "June": (30,), "July": (31,), "August": (31,), "September": (30,), "October": (31,),
    "November": (30,), "December": (31,),
}  # fmt: skip
ORDINALS = {2: "second", 3: "third", 4: "fourth"}
COLUMN, ROW, FIRST_ROW = 0.137, 0.125, 0.3  # of the grid, as fractions of the side


class Calendar(Family):
    """One month as a grid of weeks; some days may have a coloured frame."""

    name: ClassVar[str] = "Calendar"
    version: ClassVar[int] = 1
    topic: ClassVar[str] = "measures"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "weekday": (
            "On which weekday is {month} {date}?",
            "Which day of the week is {month} {date}?",
            "What weekday does {month} {date} fall on?",
        ),
        "nth": (
            "On which date is the {nth} {weekday} of the month?",
            "What is the date of the {nth} {weekday}?",
            "What date is the {nth} {weekday} of {month}?",
        ),
        "between": (
            "How many days after the {a} day is the {b} day?",
            "How many days is it from the {a} day to the {b} day?",
            "Counting from the {a} day, how many days later is the {b} day?",
        ),
        "ahead": (
            "What day of the week is it {count} days after the last day of the month?",
            "What day of the week comes {count} days after the end of the month?",
            "On what day of the week does the day {count} days after the last day of {month} fall?",
        ),
        "until": (
            "How many days is it from the {a} day to day {date} of the next month?",
            "How many days after the {a} day is day {date} of the next month?",
            "Counting from the {a} day, how many days later is day {date} of the next month?",
        ),
    }

    first = Difficulty("perception", (0,), (0,), (0, 6))  # weekday in the first column
    marks = Difficulty("distractor", 2, 3, 4)  # days with a frame, asked about or not
    templates = Difficulty(
        "reasoning",
        ("weekday", "nth", "between"),
        ("nth", "between", "ahead"),
        ("nth", "ahead", "until"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """The month, its length, its first weekday (0: Monday), the framed days, what is asked."""
        month = list(MONTHS)[rng.integers(12)]
        days = choose(MONTHS[month], rng)
        chosen = choose_several(COLORS, self.marks, rng)
        ask: dict[str, Any] = {"template": choose(self.templates, rng)}
        if ask["template"] == "weekday":
            ask["date"] = int(rng.integers(8, days + 1))  # larger than any column number
        elif ask["template"] == "nth":
            ask |= {"nth": int(rng.integers(2, 5)), "weekday": WEEKDAYS[rng.integers(7)]}
        elif ask["template"] == "between":
            ask |= {"a": chosen[0], "b": chosen[1]}
        elif ask["template"] == "ahead":
            ask["count"] = choose([8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20], rng)
        else:
            ask |= {"a": chosen[0], "date": int(rng.integers(4, 13))}
        first = choose(self.first, rng)
        latent = {
            "month": month,
            "days": days,
            "first": first,
            "colors": sorted(chosen),
            "ask": ask,
        }
        return self.vary(latent, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same month in another year, with other days framed."""
        ask, colors = latent["ask"], latent["colors"]
        earliest = 13 if ask["template"] == "until" else 1  # later than any date that it asks about
        marks = rng.permutation(np.arange(earliest, latent["days"]))[: self.marks].tolist()
        if ask["template"] == "between":
            a, b = colors.index(ask["a"]), colors.index(ask["b"])
            marks[a], marks[b] = sorted((marks[a], marks[b]))
        return {**latent, "start": int(rng.integers(7)), "marks": marks}

    def fields(self, latent: Latent) -> Mapping[str, object]:
        """The values of "ask" with the month, and the ordinal as a word."""
        ask = latent["ask"]
        return {**ask, "month": latent["month"], "nth": ORDINALS.get(ask.get("nth", 0))}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read dates or weekdays, then count on."""
        solve = {
            "weekday": _weekday,
            "nth": _nth,
            "between": _between,
            "ahead": _ahead,
            "until": _until,
        }[latent["ask"]["template"]]
        return solve(latent)

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the month, the letters of the weekdays, and the days."""
        drawing = Drawing(style.background)
        drawing.text((0.5, 0.06), latent["month"], height=0.1)
        for column in range(7):
            letter = WEEKDAYS[(latent["first"] + column) % 7][0]
            drawing.text((0.5 + COLUMN * (column - 3), 0.18), letter, height=0.095)
        drawing.line([(0.02, 0.235), (0.98, 0.235)], color=INK, width=0.006)
        for color, date in zip(latent["colors"], latent["marks"], strict=True):
            left, top, right, bottom = _box(latent, date)
            drawing.rectangle((left, top), (right, bottom), outline=style.color(color), width=0.02)
        for date in range(1, latent["days"] + 1):
            drawing.text(_center(latent, date), str(date), height=0.095)
        return drawing


def _weekday(latent: Latent) -> Solution:
    date = latent["ask"]["date"]
    column = _column(latent, date) + 1
    day = WEEKDAYS[(latent["start"] + date - 1) % 7]
    steps = (
        perceive(f"{date} is in column {column}", column, (str(date),), _box(latent, date)),
        conclude(f"column {column} is {day}", day, (day,)),
    )
    return Solution.text(steps, _near_weekdays(day))


def _near_weekdays(day: str) -> tuple[str, ...]:
    """The five weekdays that miscounting gives most easily."""
    at = WEEKDAYS.index(day)
    return tuple(WEEKDAYS[(at + slip) % 7] for slip in (1, -1, 2, -2, 3))


def _nth(latent: Latent) -> Solution:
    weekday, nth = latent["ask"]["weekday"], latent["ask"]["nth"]
    first = (WEEKDAYS.index(weekday) - latent["start"]) % 7 + 1
    date = first + 7 * (nth - 1)
    steps = (
        perceive(f"the first {weekday} is {first}", first, (weekday,), _box(latent, first)),
        compute(f"{first} + 7 * {nth - 1}", date, (weekday,)),
    )
    return Solution.number(steps, (date - 7, date + 7))


def _between(latent: Latent) -> Solution:
    (first, low), (second, high) = _marked(latent, "a"), _marked(latent, "b")
    last = compute(f"{high} - {low}", high - low, first.refs + second.refs)
    return Solution.number((first, second, last), (high - low + 1, high + low))


def _ahead(latent: Latent) -> Solution:
    days, count = latent["days"], latent["ask"]["count"]
    last = (latent["start"] + days - 1) % 7
    rest, day = count % 7, WEEKDAYS[(last + count) % 7]
    box, refs = _box(latent, days), (WEEKDAYS[last],)
    steps = (
        perceive(f"the month ends on {WEEKDAYS[last]}", WEEKDAYS[last], refs, box),
        compute(f"{count} - 7 * {count // 7}", rest, refs),
        conclude(f"{WEEKDAYS[last]} plus {rest} is {day}", day, (day,)),
    )
    return Solution.text(steps, _near_weekdays(day))


def _until(latent: Latent) -> Solution:
    (first, low), days, date = _marked(latent, "a"), latent["days"], latent["ask"]["date"]
    rest, total = days - low, days - low + date
    steps = (
        first,
        perceive(f"the month ends on {days}", days, (str(days),), _box(latent, days)),
        compute(f"{days} - {low}", rest, first.refs),
        compute(f"{rest} + {date}", total, first.refs),
    )
    return Solution.number(steps, (total + 1, abs(low - date), rest))


def _marked(latent: Latent, key: str) -> tuple[Step, int]:
    """The step that reads the framed day of a colour, and its date."""
    color = latent["ask"][key]
    date = latent["marks"][latent["colors"].index(color)]
    return perceive(f"{color} is day {date}", date, (color,), _box(latent, date)), date


def _column(latent: Latent, date: int) -> int:
    return int((latent["start"] + date - 1 - latent["first"]) % 7)


def _center(latent: Latent, date: int) -> tuple[float, float]:
    week = (date - 1 + _column(latent, 1)) // 7
    return 0.5 + COLUMN * (_column(latent, date) - 3), FIRST_ROW + ROW * week


def _box(latent: Latent, date: int) -> Box:
    return around(_center(latent, date), COLUMN / 2 + 0.008, ROW / 2)
