"""The answer types ``time`` and ``duration``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import number_words
from mstar.rewards.verifier.parsing.prose import (
    is_spray,
    sentences,
    stated_quantity,
    without_denial,
    without_reason,
)
from mstar.rewards.verifier.parsing.quantities import Quantity
from mstar.rewards.verifier.parsing.units import parse_unit
from mstar.rewards.verifier.parsing.vocabulary import REFUSED

HALF_DAY = 720  # minutes
_CLOCK = re.compile(
    r"(?<![\d:./])(\d{1,2})(?:[:.h](\d{1,2}))?(?::(\d{2}))?(?![\d:/])\s*"
    r"(a\.?\s?m\b\.?|p\.?\s?m\b\.?|o'clock|hours\b|h\b)?"
    r"(?:\s*(in the morning|in the afternoon|in the evening|at night))?"
)
_SPACED_COLON = re.compile(r"(?<=\d)\s*:\s*(?=\d\d)")
_DIAL = re.compile(r"(\d{1,2}) ?h(?:ours?|rs?)?,?(?: and)? ?(\d{1,2}) ?m(?:in(?:ute)?s?)?")
_SIDE_OF = re.compile(r"\b(?:before|after|until|till|by|since) \d|^-")
_SPOKEN = re.compile(r"(.{1,30}?)(?: minutes?)? (past|after|to|till|before|of) (.{1,20})")
_AROUND = re.compile(
    r"^(?:(?:so|thus|it|it's|is|the|time|clock|shows|reads|says|at|about|approximately|around"
    r"|roughly|exactly|now|answer)"
    r"[ ,:]{1,3}){1,8}"
)
_ON = ("past", "after")
_HALVES = (
    (" am", "am"), (" pm", "pm"), (" a.m", "am"), (" p.m", "pm"), (" in the morning", "am"),
    (" in the afternoon", "pm"), (" in the evening", "pm"),
)  # fmt: skip
_PARTS = {"quarter": 15, "a quarter": 15, "half": 30}
_HOURS_MINUTES = re.compile(r"(\d)\s?h(?:ours?|rs?)?\s?(\d{1,2})(?:\s?(?:m|mins?|minutes?))?$")
_LEAD = re.compile(r"^(?:[a-z']{1,20} ){1,8}(?=\d)")
_COLON = re.compile(r"(\d{1,3}):(\d{2})(?::00)?(?:\s?(?:h|hours?|hrs?))?")


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day.

    Attributes:
        minutes: hour x 60 + minute, in [0, 1440).
        half: ``am`` or ``pm`` if the text says so, else "".
    """

    minutes: int
    half: str

    @property
    def of_day(self) -> int | None:
        """Minutes since midnight; None if it may be morning or afternoon."""
        if self.half:
            return self.minutes % HALF_DAY + (HALF_DAY if self.half == "pm" else 0)
        return self.minutes if not 60 <= self.minutes < 780 else None


def read_clock(text: str, answer: Answer) -> Clock | None:
    """The one time of day in a text; None if none or several."""
    if BIDI.search(text):
        return None
    plain_text = (
        plain(without_denial(without_reason(text))).replace("{", "").replace("}", "").casefold()
    )
    plain_text = _SPACED_COLON.sub(":", (sentences(plain_text) or [plain_text])[-1].strip(" .,!"))
    plain_text = _DIAL.sub(r"\1:\2", plain_text)
    if REFUSED & (set(plain_text.split()) - {"to", "past", "over"}) or plain_text.endswith("?"):
        return None
    bare = _AROUND.sub("", plain_text)
    match = _CLOCK.fullmatch(
        bare + ("." if plain_text.endswith(("a.m", "p.m")) else "")
    ) or _CLOCK.fullmatch(bare)
    if match:
        return _clock(match) if match[2] or match[4] or match[5] else None
    spoken = _spoken(bare)
    if spoken:
        return spoken
    if is_spray(plain_text) or _SIDE_OF.search(plain_text):
        return None
    clocks = {_clock(each) for each in _CLOCK.finditer(plain_text) if each[2]}
    return clocks.pop() if len(clocks) == 1 else None


def _clock(match: re.Match[str]) -> Clock | None:
    hour, minute = int(match[1]), int(match[2] or 0)
    half = (match[4] or "").replace(".", "").replace(" ", "")
    if half not in ("am", "pm"):
        half = _half_of_day(match[5] or "", hour)
    if hour > 23 or minute > 59 or int(match[3] or 0) > 0 or (half == "am" and hour > 12):
        return None if hour != 24 or minute else Clock(0, "")
    return None if half == "pm" and not hour else Clock(60 * hour + minute, half)


def _half_of_day(part: str, hour: int) -> str:
    """``am`` or ``pm`` for a part of the day, "" for none; 1 to 5 at night is ``am``."""
    if part == "at night":
        return "pm" if 6 <= hour <= 11 else "am"
    return "am" if part == "in the morning" else "pm" if part else ""


def _spoken(text: str) -> Clock | None:
    """``quarter to five``, ``half past three``, ``four forty-five``, ``noon``."""
    if text in ("noon", "12 noon", "midday", "midnight", "12 midnight"):
        return Clock(720, "am" if "midnight" in text else "pm")
    half = ""
    for ending, meaning in _HALVES:
        if text.endswith(ending):
            text, half = text.removesuffix(ending), meaning
    text = text.removesuffix(" o'clock")
    match = _SPOKEN.fullmatch(text)
    if match:
        minutes = _PARTS.get(match[1], _whole(match[1]))
        hour = _whole(match[3].removesuffix(" o'clock"))
        if match[3] in ("noon", "midnight"):
            hour, half = 12, "pm" if (match[3] == "noon") == (match[2] in _ON) else "am"
        if minutes is None or hour is None or not 1 <= hour <= 12 or minutes > 59:
            return None
        minutes = minutes if match[2] in _ON else -minutes
        total = (60 * hour + minutes) % HALF_DAY
        return Clock(total if total >= 60 else total + HALF_DAY, half)
    parts = text.replace("-", " ").replace("oh ", "").split()
    for cut in range(1, len(parts) + 1):
        hour = _whole(" ".join(parts[:cut]))
        minutes = _whole(" ".join(parts[cut:])) if cut < len(parts) else 0
        if hour is not None and minutes is not None and 1 <= hour <= 12 and minutes <= 59:
            return Clock(60 * hour + minutes, half)
    return None


def _whole(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) < 4:
        return int(text)
    value = number_words(text) if text not in ("a", "an") else None
    return int(value) if value is not None and value.denominator == 1 and value < 1000 else None


def same_clock(reference: Clock, predicted: Clock, answer: Answer) -> MatchResult:
    """Whether the clock shows the same, in the same half of the day if the reference has one."""
    if reference.of_day is not None and predicted.of_day is not None:
        same = reference.of_day == predicted.of_day
    elif reference.of_day is not None and not reference.half:
        same = False  # 14:30 is not 2:30 am
    else:
        same = (reference.minutes - predicted.minutes) % HALF_DAY == 0
    return MatchResult(same, "same time" if same else "other time")


def read_duration(text: str, answer: Answer) -> Quantity | None:
    """The amount of time in a text; ``1:40`` is hours and minutes."""
    plain_text = plain(without_denial(without_reason(text))).rstrip(" .").casefold()
    if REFUSED & set(plain_text.split()) - {"and"}:
        return None
    colon = _COLON.fullmatch(plain_text)
    if colon and int(colon[2]) < 60:
        plain_text = f"{colon[1]} hours {colon[2]} minutes"
    plain_text = _LEAD.sub("", plain_text)
    plain_text = _HOURS_MINUTES.sub(r"\1 hours \2 minutes", plain_text)
    quantity = stated_quantity(plain_text)
    if quantity is None or quantity.writing == "unevaluated" or BIDI.search(text):
        return None
    bare = answer.unit is not None and not quantity.noun
    second, month = parse_unit("s"), parse_unit("month")
    kinds = [unit.dimensions for unit in (second, month) if unit]
    return quantity if bare or (quantity.unit and quantity.unit.dimensions in kinds) else None


def same_duration(reference: Quantity, predicted: Quantity, answer: Answer) -> MatchResult:
    """Whether two lengths of time are equal, in any units of time."""
    return same_amount(reference, predicted, answer)
