"""A page of a calendar: the weekday of a date, the days between two dates, the third Friday?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mstar.envs.families.base import Family, Knob, Latent, Style
from mstar.envs.families.parts.boxes import Box, around
from mstar.envs.families.parts.distractors import distractors
from mstar.envs.families.parts.drawing import COLORS, INK, Drawing
from mstar.envs.problem import Problem, Step
from mstar.rewards.base import Answer

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = {
    "January": (31,), "February": (28, 29), "March": (31,), "April": (30,), "May": (31,),
    "June": (30,), "July": (31,), "August": (31,), "September": (30,), "October": (31,),
    "November": (30,), "December": (31,),
}  # fmt: skip
ORDINALS = {2: "second", 3: "third", 4: "fourth"}
COLUMN, ROW, FIRST_ROW = 0.137, 0.125, 0.3  # of the grid, in shares of the side

Solved = tuple[tuple[Step, ...], str, tuple[str, ...]]  # steps, result, wrong answers


class Calendar(Family):
    """One month as a grid of weeks; some days may have a coloured frame."""

    name: ClassVar[str] = "Calendar"
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
            "Which date does the {nth} {weekday} of {month} have?",
        ),
        "between": (
            "How many days after the {a} day is the {b} day?",
            "How many days is it from the {a} day to the {b} day?",
            "Counting on from the {a} day, after how many days comes the {b} day?",
        ),
        "ahead": (
            "Which weekday is it {count} days after the last day of the month?",
            "The month is over. Which weekday is it {count} days after its last day?",
            "On which weekday are {count} days gone since the last day of {month}?",
        ),
        "until": (
            "How many days is it from the {a} day to day {date} of the next month?",
            "How many days after the {a} day is day {date} of the next month?",
            "Counting on from the {a} day, when is day {date} of the next month, in days?",
        ),
    }

    first = Knob("perception", (0,), (0,), (0, 6))  # weekday in the first column
    marks = Knob("distractor", 2, 3, 4)  # days with a frame, asked about or not
    templates = Knob(
        "reasoning",
        ("weekday", "nth", "between"),
        ("nth", "between", "ahead"),
        ("nth", "ahead", "until"),
    )

    def latent(self, rng: np.random.Generator) -> Latent:
        """The month, its length, its first weekday (0: Monday), the framed days, what is asked."""
        month = list(MONTHS)[rng.integers(12)]
        days = MONTHS[month][rng.integers(len(MONTHS[month]))]
        chosen = [str(c) for c in rng.choice(list(COLORS), size=self.marks, replace=False)]
        ask: dict[str, Any] = {"template": self.templates[rng.integers(len(self.templates))]}
        if ask["template"] == "weekday":
            ask["date"] = int(rng.integers(8, days + 1))  # past the numbers of the columns
        elif ask["template"] == "nth":
            ask |= {"nth": int(rng.integers(2, 5)), "weekday": WEEKDAYS[rng.integers(7)]}
        elif ask["template"] == "between":
            ask |= {"a": chosen[0], "b": chosen[1]}
        elif ask["template"] == "ahead":
            ask["count"] = int(rng.choice([8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20]))
        else:
            ask |= {"a": chosen[0], "date": int(rng.integers(4, 13))}
        first = self.first[rng.integers(len(self.first))]
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
        earliest = 13 if ask["template"] == "until" else 1  # past every day that it asks about
        marks = rng.permutation(np.arange(earliest, latent["days"]))[: self.marks].tolist()
        if ask["template"] == "between":
            a, b = colors.index(ask["a"]), colors.index(ask["b"])
            marks[a], marks[b] = sorted((marks[a], marks[b]))
        return {**latent, "start": int(rng.integers(7)), "marks": marks}

    def build(self, latent: Latent, style: Style) -> Problem:
        """Draw the page, word the question, and solve it."""
        ask = latent["ask"]
        solve = {
            "weekday": _weekday,
            "nth": _nth,
            "between": _between,
            "ahead": _ahead,
            "until": _until,
        }[ask["template"]]
        steps, result, wrong = solve(latent)
        text = ask["template"] in ("weekday", "ahead")
        fields = {key: ask.get(key) for key in ("a", "b", "date", "count", "weekday")}
        return Problem(
            id="",
            pictures=(_picture(latent, style),),
            question=self.word(
                ask["template"],
                style,
                month=latent["month"],
                nth=ORDINALS.get(ask.get("nth", 0)),
                **fields,
            ),
            answer=Answer("text" if text else "number", result),
            steps=steps,
            latent=latent,
            template=ask["template"],
            distractors=wrong,
        )


def _weekday(latent: Latent) -> Solved:
    date = latent["ask"]["date"]
    column = _column(latent, date) + 1
    day = WEEKDAYS[(latent["start"] + date - 1) % 7]
    steps = (
        Step(
            f"{date} is in column {column}",
            "perceive",
            str(column),
            (str(date),),
            _box(latent, date),
        ),
        Step(f"column {column} is {day}", "conclude", day, (day,)),
    )
    return steps, day, _beside(day)


def _beside(day: str) -> tuple[str, ...]:
    """The five weekdays that miscounting gives most easily."""
    at = WEEKDAYS.index(day)
    return tuple(WEEKDAYS[(at + slip) % 7] for slip in (1, -1, 2, -2, 3))


def _nth(latent: Latent) -> Solved:
    weekday, nth = latent["ask"]["weekday"], latent["ask"]["nth"]
    first = (WEEKDAYS.index(weekday) - latent["start"]) % 7 + 1
    date = first + 7 * (nth - 1)
    steps = (
        Step(
            f"the first {weekday} is {first}",
            "perceive",
            str(first),
            (weekday,),
            _box(latent, first),
        ),
        Step(f"{first} + 7 * {nth - 1} = {date}", "compute", str(date), (weekday,)),
    )
    return steps, str(date), distractors(date, date - 7, date + 7)


def _between(latent: Latent) -> Solved:
    (first, low), (second, high) = _marked(latent, "a"), _marked(latent, "b")
    steps = (
        first,
        second,
        Step(
            f"{high} - {low} = {high - low}", "compute", str(high - low), first.refs + second.refs
        ),
    )
    return steps, str(high - low), distractors(high - low, high - low + 1, high + low)


def _ahead(latent: Latent) -> Solved:
    days, count = latent["days"], latent["ask"]["count"]
    last = (latent["start"] + days - 1) % 7
    rest, day = count % 7, WEEKDAYS[(last + count) % 7]
    box, refs = _box(latent, days), (WEEKDAYS[last],)
    steps = (
        Step(f"the month ends on {WEEKDAYS[last]}", "perceive", WEEKDAYS[last], refs, box),
        Step(f"{count} - 7 * {count // 7} = {rest}", "compute", str(rest), refs),
        Step(f"{WEEKDAYS[last]} plus {rest} is {day}", "conclude", day, (day,)),
    )
    return steps, day, _beside(day)


def _until(latent: Latent) -> Solved:
    (first, low), days, date = _marked(latent, "a"), latent["days"], latent["ask"]["date"]
    rest, total = days - low, days - low + date
    steps = (
        first,
        Step(f"the month ends on {days}", "perceive", str(days), (str(days),), _box(latent, days)),
        Step(f"{days} - {low} = {rest}", "compute", str(rest), first.refs),
        Step(f"{rest} + {date} = {total}", "compute", str(total), first.refs),
    )
    return steps, str(total), distractors(total, total + 1, abs(low - date), rest)


def _marked(latent: Latent, key: str) -> tuple[Step, int]:
    color = latent["ask"][key]
    date = latent["marks"][latent["colors"].index(color)]
    step = Step(f"{color} is day {date}", "perceive", str(date), (color,), _box(latent, date))
    return step, date


def _column(latent: Latent, date: int) -> int:
    return int((latent["start"] + date - 1 - latent["first"]) % 7)


def _center(latent: Latent, date: int) -> tuple[float, float]:
    week = (date - 1 + _column(latent, 1)) // 7
    return 0.5 + COLUMN * (_column(latent, date) - 3), FIRST_ROW + ROW * week


def _box(latent: Latent, date: int) -> Box:
    return around(_center(latent, date), COLUMN / 2 + 0.008, ROW / 2)


def _picture(latent: Latent, style: Style) -> Drawing:
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
