"""Units: their dimensions, and their factors to base units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from mstar.rewards.verifier.parsing.arithmetic import PI, Value, decimal

Dimensions = tuple[tuple[str, int], ...]  # base unit and exponent, sorted by base unit


@dataclass(frozen=True, slots=True)
class Unit:
    """A known unit.

    Attributes:
        factor: its size in base units.
        dimensions: the base units, with their exponents.
    """

    factor: Value
    dimensions: Dimensions


_PREFIXES = {
    "k": ("kilo", 3), "c": ("centi", -2), "m": ("milli", -3), "d": ("deci", -1), "M": ("mega", 6),
    "µ": ("micro", -6), "u": ("micro", -6), "n": ("nano", -9), "G": ("giga", 9),
}  # fmt: skip
# names, symbols, factor to the base unit, dimensions; these take metric prefixes
_METRIC: tuple[tuple[str, str, int | Fraction, Dimensions], ...] = (
    ("meter metre", "m", 1, (("m", 1),)),
    ("gram gramme", "g", 1, (("g", 1),)),
    ("liter litre", "l L", Fraction(1, 1000), (("m", 3),)),
    ("second", "s", 1, (("s", 1),)),
    ("watt", "W", 1000, (("g", 1), ("m", 2), ("s", -3))),
    ("joule", "J", 1000, (("g", 1), ("m", 2), ("s", -2))),
    ("newton", "N", 1000, (("g", 1), ("m", 1), ("s", -2))),
    ("pascal", "Pa", 1000, (("g", 1), ("m", -1), ("s", -2))),
    ("hertz", "Hz", 1, (("s", -1),)),
    ("volt", "V", 1, (("V", 1),)),
    ("ampere amp", "A", 1, (("A", 1),)),
    ("ohm", "Ω", 1, (("V", 1), ("A", -1))),
    ("byte", "B", 1, (("B", 1),)),
    ("calorie", "cal", 1, (("cal", 1),)),
)
_INCH = Fraction(254, 10_000)  # metres
_GALLON = Fraction(3_785_411_784, 10**12)  # cubic metres, US
_OTHERS: tuple[tuple[str, int | Fraction | Decimal, str], ...] = (
    ("in inch inches '' \"", _INCH, "m"),
    ("ft foot feet '", 12 * _INCH, "m"),
    ("yd yds yard yards", 36 * _INCH, "m"),
    ("mi mile miles", 63_360 * _INCH, "m"),
    ("lb lbs pound pounds", Fraction(45_359_237, 100_000), "g"),
    ("oz ounce ounces", Fraction(45_359_237, 1_600_000), "g"),
    ("t ton tons tonne tonnes", 1_000_000, "g"),
    ("kilo kilos", 1_000, "g"),
    ("sec secs", 1, "s"),
    ("min mins minute minutes", 60, "s"),
    ("h hr hrs hour hours", 3_600, "s"),
    ("d day days", 86_400, "s"),
    ("wk wks week weeks", 604_800, "s"),
    ("month months", 1, "month"),
    ("yr yrs year years", 12, "month"),
    ("gal gallon gallons", _GALLON, "m3"),
    ("qt quart quarts", _GALLON / 4, "m3"),
    ("pint pints", _GALLON / 8, "m3"),
    ("cup cups", _GALLON / 16, "m3"),
    ("° deg degree degrees", 1, "°"),
    ("rad radian radians", decimal(Fraction(180)) / PI, "°"),
    ("C °C celsius", 1, "°C"),
    ("F °F fahrenheit", 1, "°F"),
    ("K kelvin kelvins", 1, "K"),
    ("unit units", 1, "unit"),
    ("$ dollar dollars usd buck bucks", 1, "$"),
    ("¢ cent cents", Fraction(1, 100), "$"),
    ("€ euro euros eur", 1, "€"),
    ("£ gbp sterling", 1, "£"),
    ("¥ yen jpy yuan cny rmb", 1, "¥"),
    ("₹ rupee rupees inr", 1, "₹"),
)  # fmt: skip
_SHORT = {
    "cc": "cm^3",
    "kWh": "kW h",
    "Wh": "W h",
    "mph": "mi/h",
    "kph": "km/h",
    "kmph": "km/h",
    "kmh": "km/h",
    "fps": "ft/s",
}
_CHINESE = {  # and degrees after an encoding error
    "毫米": "mm", "厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "m", "度": "°",
    "毫升": "mL", "升": "L", "千克": "kg", "公斤": "kg", "克": "g", "吨": "t", "秒": "s",
    "分钟": "min", "小时": "h", "天": "days", "元": "yuan", "掳": "°",
}  # fmt: skip
_CHINESE_POWERS = {"平方": "^2", "立方": "^3"}
_CHINESE_UNIT = re.compile(
    rf"({'|'.join(_CHINESE_POWERS)})?({'|'.join(_CHINESE)})(?![\u4e00-\u9fff])"
)
_CHINESE_COUNT = re.compile(r"(?<=\d)\s?[个只条张本件位颗根块人][.\s]*$")  # words that count things
CURRENCIES = "$€£¥₹"
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_SPLIT = re.compile(
    r"\s*(?:(/|\bper\b)|([*·])|\^\{?(-?\d)\}?|([^\s/*·^\d{}]+)(-?[1-4](?![\d'\"]))?)"
)
_MEASURE_WORD = re.compile(r"(?<![^\d\s])[个只本支条张块棵辆朵名位件次匹颗](?![^\s.,。，])")
_EACH = re.compile(r"(?<=[a-zA-Z])\s+(?:an?|each|every)\s+(?=[a-zA-Z])")
_JOINED = re.compile(r"(?<=[a-zA-Z]{3})-(?=[a-zA-Z]{3})|(?<=\bsq)\.|(?<=\bcu)\.")


def _named() -> Iterator[tuple[str, Unit]]:
    for names, symbols, metric, dimensions in _METRIC:
        for power, prefixed in ((0, ("", "")), *((p, (s, w)) for s, (w, p) in _PREFIXES.items())):
            unit = Unit(metric * Fraction(10) ** power, tuple(sorted(dimensions)))
            symbol, word = prefixed
            for name in names.split():
                yield word + name, unit
                yield word + name + "s", unit
            for name in symbols.split():
                yield symbol + name, unit
                if symbol and name in ("m", "g", "l"):  # kgs
                    yield f"{symbol}{name}s", unit
    for words, factor, dimension in _OTHERS:
        value = factor if isinstance(factor, Decimal) else Fraction(factor)
        dimensions = (("m", 3),) if dimension == "m3" else ((dimension, 1),)
        for word in words.split():
            yield word, Unit(value, dimensions)


_UNITS = dict(_named())


def from_chinese(text: str) -> str:
    """The text with units in Latin letters, and without the measure word after a number: ``5个``.

    >>> from_chinese("9平方厘米")
    '9 cm^2'
    """
    text = _MEASURE_WORD.sub("", text)
    return _CHINESE_UNIT.sub(
        lambda unit: f" {_CHINESE[unit[2]]}{_CHINESE_POWERS.get(unit[1], '')}",
        _CHINESE_COUNT.sub("", text),
    )


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit | None:
    """The unit that a text names; None if it is unknown.

    >>> parse_unit("km/h") == parse_unit("kilometers per hour")
    True
    >>> parse_unit("apples") is None
    True
    """
    text = (
        text.replace("°C", " celsius").replace("°F", " fahrenheit").replace("° ", "°").strip(" .")
    )
    text = _SHORT.get(text, _SHORT.get(text.lower(), text)).replace("per cent", "%")
    text = _JOINED.sub(" ", _EACH.sub(" per ", text))
    if not text or len(text) > 60:
        return None
    factor: Value = Fraction(1)
    exponents: dict[str, int] = {}
    sign, coming, last, place = 1, 1, None, 0
    while place < len(text):
        found = _SPLIT.match(text, place)
        if found is None:
            return None
        place = found.end()
        divided, _, power, word, digit = found.groups()
        if divided:
            sign, last = -1, None
        elif power or word in ("squared", "cubed"):
            if last is None:
                return None
            extra = (int(power) if power else _POWERS[word]) - 1
            factor = _times(factor, last[0], last[1] * extra, exponents)
        elif word in _POWERS:
            coming = _POWERS[word]
        elif word:
            unit = _UNITS.get(word) or _UNITS.get(word.lower() if len(word) > 1 else word)
            if unit is None:
                return None
            last = (unit, sign)
            factor = _times(factor, unit, sign * coming * int(digit or 1), exponents)
            coming = 1
    # "degrees Celsius" is one unit, not a product
    if "°C" in exponents or "°F" in exponents:
        exponents.pop("°", None)
    return Unit(factor, tuple(sorted((b, e) for b, e in exponents.items() if e))) if last else None


def _times(factor: Value, unit: Unit, exponent: int, exponents: dict[str, int]) -> Value:
    """The factor times a power of a unit; updates the exponents."""
    for base, each in unit.dimensions:
        exponents[base] = exponents.get(base, 0) + each * exponent
    power = unit.factor**exponent
    if isinstance(factor, Fraction) and isinstance(power, Fraction):
        return factor * power
    return decimal(factor) * decimal(power)


def convert(value: Value, given: Unit, wanted: Unit) -> Value | None:
    """A value in another unit; None if the two have different dimensions."""
    if given.dimensions != wanted.dimensions:
        return None
    if given.factor == wanted.factor:
        return value
    if all(isinstance(x, Fraction) for x in (value, given.factor, wanted.factor)):
        return value * given.factor / wanted.factor  # type: ignore[operator]
    return decimal(value) * decimal(given.factor) / decimal(wanted.factor)
