"""A clock with two hands: what time does it show, what time will it be?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.drawing import INK, Drawing, Point
from mstar.envs.families.solution import Solution, compute, perceive
from mstar.envs.problem import Step
from mstar.rewards.base import Answer

HOUR, MINUTE = ("hour hand",), ("minute hand",)
Time = tuple[int, int]  # hour from 1 to 12, minute from 0 to 59


class Clock(Family):
    """An analog clock whose hour hand moves with the minutes."""

    name: ClassVar[str] = "Clock"
    topic: ClassVar[str] = "measures"
    wordings: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "read": (
            "What time is it?",
            "What time does the clock show?",
            "Read the clock.",
        ),
        "later": (
            "What time is it {minutes} minutes later?",
            "What will the clock show in {minutes} minutes?",
            "What time is {minutes} minutes after the time shown?",
        ),
        "earlier": (
            "What time was it {minutes} minutes earlier?",
            "What did the clock show {minutes} minutes ago?",
            "What time is {minutes} minutes before the time shown?",
        ),
    }

    unit = Difficulty("perception", 5, 5, 1)  # minutes; every time shown is a multiple of it
    numerals = Difficulty("perception", (12, 3, 6, 9), (12, 6), (12,))
    minutes = Difficulty(
        "reasoning", (2, 30), (11, 59), (11, 59)
    )  # fewest and most to add or subtract
    within = Difficulty("reasoning", True, False, False)  # stay in the hour, at minute 10 or after
    templates = Difficulty("reasoning", ("later", "read"), ("later", "read"), ("later", "earlier"))
    chances = Difficulty("reasoning", (0.85, 0.15), (0.75, 0.25), (0.5, 0.5))
    second_hand = Difficulty("distractor", False, False, True)

    def latent(self, rng: np.random.Generator) -> Latent:
        """The time shown and what is asked."""
        template = str(rng.choice(self.templates, p=self.chances))
        ask: Latent = {"template": template}
        if template != "read":
            low, high = self.minutes
            ask["minutes"] = int(rng.integers(low, high + 1))
        return self._at_some_time(ask, rng)

    def vary(self, latent: Latent, rng: np.random.Generator) -> Latent:
        """The same question at another time."""
        return self._at_some_time(latent["ask"], rng)

    def _at_some_time(self, ask: Latent, rng: np.random.Generator) -> Latent:
        while True:
            hour = int(rng.integers(1, 13))
            minute = int(rng.integers(0, 60 // self.unit)) * self.unit
            asked = ask.get("minutes")
            end = minute + (asked or 0)
            fits = 10 <= end < 60 if self.within else True
            if fits and asked not in (hour, minute):  # the question contains no number to be read
                second = int(rng.integers(0, 60)) if self.second_hand else 0
                return {"hour": hour, "minute": minute, "second": second, "ask": ask}

    def solve(self, latent: Latent, style: Style) -> Solution:
        """Read both hands, then work out the time asked for."""
        ask, hour, minute = latent["ask"], latent["hour"], latent["minute"]
        if ask["template"] == "read":
            end, steps = (hour, minute), _read(hour, minute)
        else:
            sign = 1 if ask["template"] == "later" else -1
            end, steps = _move(hour, minute, sign * ask["minutes"])
        return Solution(Answer("time", _written(end)), steps, _careless((hour, minute), end))

    def draw(self, latent: Latent, style: Style) -> Drawing:
        """Draw the dial, then the hands."""
        drawing = Drawing(style.background)
        x, y = center = (0.5 + 0.015 * style.shift[0], 0.5 + 0.015 * style.shift[1])
        radius = 0.435 * style.scale
        drawing.ellipse(
            center, radius, fill=(255, 255, 255), outline=style.color("gray"), width=0.02
        )
        for tick in range(0, 60, 1 if self.unit == 1 else 5):
            long = tick % 5 == 0
            if tick // 5 in (numeral % 12 for numeral in self.numerals) and long:
                continue
            inner, width = (0.87, 0.02) if long else (0.93, 0.006)
            ends = [_toward(center, tick / 60, radius * r) for r in (inner, 0.98)]
            drawing.line(ends, color=INK, width=width)
        for numeral in self.numerals:
            drawing.text(_toward(center, numeral / 12, radius * 0.83), str(numeral), height=0.12)
        hour_turn = (latent["hour"] + latent["minute"] / 60) / 12
        minute_end = _toward(center, latent["minute"] / 60, radius * 0.74)
        drawing.line([center, minute_end], color=style.color("blue"), width=0.035)
        drawing.line([center, _toward(center, hour_turn, radius * 0.46)], color=INK, width=0.06)
        if self.second_hand:
            end = _toward(center, latent["second"] / 60, radius * 0.85)
            drawing.line([center, end], color=style.color("red"), width=0.01)
        drawing.ellipse((x, y), 0.035, fill=INK)
        return drawing


def _read(hour: int, minute: int) -> tuple[Step, ...]:
    mark = minute // 5 or 12
    turn = () if minute else (compute("60 - 60", 0, MINUTE),)
    return (
        _seen("hour is", hour, HOUR),
        _seen("minute hand at", mark, MINUTE),
        compute(f"{mark} * 5", mark * 5, MINUTE),
        *turn,
    )


def _move(hour: int, minute: int, minutes: int) -> tuple[Time, tuple[Step, ...]]:
    """The time that many minutes later, or earlier if negative, and the steps to it."""
    steps = [_seen("hour is", hour, HOUR), _seen("minute is", minute, MINUTE)]
    total = minute + minutes
    if 0 <= total < 60:
        sign = "+" if minutes > 0 else "-"
        steps.append(compute(f"{minute} {sign} {abs(minutes)}", total, MINUTE))
    elif minutes > 0:
        steps.append(compute(f"{minute} + {minutes}", total, MINUTE))
        steps.append(compute(f"{total} - 60", total - 60, MINUTE))
        now, hour = hour, hour % 12 + 1
        steps.append(compute(f"{now} + 1" if now < 12 else "12 + 1 - 12", hour, HOUR))
    else:
        steps.append(compute(f"{minute} + 60", minute + 60, MINUTE))
        steps.append(compute(f"{minute + 60} - {-minutes}", total + 60, MINUTE))
        now, hour = hour, (hour - 2) % 12 + 1
        steps.append(compute(f"{now} - 1" if now > 1 else "1 - 1 + 12", hour, HOUR))
    return (hour, total % 60), tuple(steps)


def _toward(center: Point, turn: float, length: float) -> Point:
    """The point at distance `length` from the centre, `turn` full turns clockwise from noon."""
    angle = 2 * math.pi * turn
    return (center[0] + length * math.sin(angle), center[1] - length * math.cos(angle))


def _seen(words: str, value: int, hand: tuple[str, ...]) -> Step:
    return perceive(f"{words} {value}", value, hand, (0.0, 0.0, 1.0, 1.0))


def _written(time: Time) -> str:
    return f"{time[0]}:{time[1]:02d}"


def _careless(shown: Time, end: Time) -> tuple[str, ...]:
    """Wrong times: the one shown, hands swapped, hour off by one, minute off by one mark."""
    swapped = (shown[1] // 5 or 12, shown[0] % 12 * 5)
    slips = (
        shown,
        swapped,
        (end[0] % 12 + 1, end[1]),
        (end[0], (end[1] + 5) % 60),
        (end[0], (end[1] - 5) % 60),
    )
    return tuple(dict.fromkeys(_written(slip) for slip in slips if slip != end))
