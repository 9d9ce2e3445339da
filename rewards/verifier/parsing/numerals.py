"""Numbers in digits with separators, and in English words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

DIGITS = 1_000  # length of the longest number that is read


class Numeral(NamedTuple):
    """A number in digits: its value and how many decimals it shows."""

    value: Fraction
    decimals: int


_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen"""
_UNITS = {word: i for i, word in enumerate(_SMALL.split())}
_LARGE = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * i for i, word in enumerate(_LARGE.split(), 2)}
_TENS["fourty"] = 40
SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12, "tens": 10, "hundreds": 10**2, "thousands": 10**3, "millions": 10**6,
    "billions": 10**9, "dozens": 12, "mn": 10**6, "bn": 10**9, "mln": 10**6, "bln": 10**9,
}  # fmt: skip
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4,
          "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6,
          "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9,
          "tenth": 10, "tenths": 10, "twelfth": 12, "twelfths": 12,
          "hundredth": 100, "hundredths": 100, "thousandth": 1000, "thousandths": 1000}  # fmt: skip
_COINS = ("half", "quarter", "quarters")  # 3 quarters may be coins
DIGIT_PARTS = {word: size for word, size in _PARTS.items() if word not in _COINS}
"""The parts that make a fraction of a number in digits before them: ``7 hundredths``."""
LONE_PARTS = frozenset(_PARTS)
NUMBER_WORDS = frozenset((*_UNITS, *_TENS, "hundred", "thousand", "million", "billion", "trillion",
                          "dozen", *_PARTS))  # fmt: skip


_AFTER_SCALE = re.compile(r"(?:(?<=thousand)|(?<=million)|(?<=billion)),(?=\s)")
COUNTING = NUMBER_WORDS - frozenset(_PARTS)


def numeral(text: str) -> Numeral | None:
    """A run of digits, commas and dots, with an exponent after ``e`` if it has one.

    Commas group thousands, and only in threes. Another comma is a decimal comma:
    ``3,5`` is 3.5, but ``1,234`` is 1234 and ``12,34,567`` is not a number.

    >>> numeral("1,234.50")
    Numeral(value=Fraction(2469, 2), decimals=2)
    >>> numeral("3,5").value
    Fraction(7, 2)
    """
    if len(text) > DIGITS:
        return None
    body, _, power = text.lower().partition("e")
    digits = _point(body)
    if digits is None:
        return None
    whole, _, decimals = digits.partition(".")
    value = Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
    if power:
        exponent = int(power)
        if abs(exponent) > 400:
            return None
        return Numeral(value * Fraction(10) ** exponent, max(0, len(decimals) - exponent))
    return Numeral(value, len(decimals))


def _point(body: str) -> str | None:
    """The number with a decimal point and no other separator, or None."""
    if not re.fullmatch(r"[0-9.,]*[0-9]", body):
        return None
    commas, dots = body.count(","), body.count(".")
    if not commas:
        return body if dots <= 1 else _ungrouped(body, ".")
    if not dots:
        whole = _ungrouped(body, ",")
        if whole is None and commas == 1:
            before, after = body.split(",")
            plausible = before and (len(after) != 3 or before == "0" or len(before) > 3)
            return f"{before}.{after}" if plausible else None
        return whole
    if dots == 1 and body.rindex(",") < body.index("."):
        whole, decimals = body.split(".")
        grouped = _ungrouped(whole, ",")
        return None if grouped is None else f"{grouped}.{decimals}"
    if commas == 1 and body.rindex(".") < body.index(","):
        whole, decimals = body.split(",")
        grouped = _ungrouped(whole, ".")
        return None if grouped is None else f"{grouped}.{decimals}"
    return None


def _ungrouped(body: str, mark: str) -> str | None:
    first, *groups = body.split(mark)
    fits = 1 <= len(first) <= 3 and first != "0" and all(len(group) == 3 for group in groups)
    return first + "".join(groups) if fits and groups else None


def number_words(text: str) -> Fraction | None:
    """The number that English words stand for, or None.

    >>> number_words("two hundred and twenty-one")
    Fraction(221, 1)
    >>> number_words("three and a half")
    Fraction(7, 2)
    """
    spoken = _AFTER_SCALE.sub(" ", text.casefold().strip())
    words = [word for word in re.split(r"[\s-]+", spoken) if word]
    if not words or len(words) > 24:
        return None
    if words[0] == "half" and words[1:] in (["a", "dozen"], ["dozen"]):
        return Fraction(6)
    if words[0] in ("a", "an"):
        words[0] = "one"
    if words[0] in ("half", "quarter") or words[0] in SCALES.keys() & NUMBER_WORDS:
        words.insert(0, "one")
    part = Fraction(0)
    if words[-1] in _PARTS:
        split = len(words) - 1 - words[::-1].index("and") if "and" in words else -1
        top = _cardinal(["one" if w in ("a", "an") else w for w in words[split + 1 : -1]])
        if top is None or (top == 1) == words[-1].endswith("s"):  # twenty-fifth is no fraction
            return None
        part, words = Fraction(top, _PARTS[words[-1]]), words[: max(split, 0)]
        if not words:
            return part
    elif words[-1] == "dozen" and len(words) > 1:
        count = _cardinal(words[:-1])
        return None if count is None else Fraction(12 * count)
    whole = _cardinal(words)
    return None if whole is None else whole + part


def _cardinal(words: list[str]) -> int | None:
    """A whole number in words; each word must fit into the place value before it."""
    total, group, room, last = 0, 0, 1000, 10**15
    for index, word in enumerate(words):
        if word == "and" and 0 < index < len(words) - 1 and words[index - 1] in SCALES:
            continue
        value = _UNITS.get(word, _TENS.get(word))
        if value is not None and value < room and (value or len(words) == 1):
            group, room = group + value, 10 if word in _TENS else 0
        elif word == "hundred" and 0 < group < 100 and room != 100:
            group, room = group * 100, 100
        elif word in ("thousand", "million", "billion", "trillion") and group > 0:
            if SCALES[word] >= last:
                return None
            total, last = total + group * SCALES[word], SCALES[word]
            group, room = 0, 1000
        else:
            return None
    return total + group if words else None
