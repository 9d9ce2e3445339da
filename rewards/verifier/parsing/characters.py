"""Normalisation of characters that look alike or are invisible."""

from __future__ import annotations

import re

BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufe0e\ufe0f\ufeff"
_SPACES = "".join(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿˣ", "0123456789+-()nx", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_RUN = re.compile(
    f"([{''.join(_SUPERSCRIPTS)}]+)[⁄/]([{''.join(_SUBSCRIPTS)}]+)"
    f"|([{''.join(_SUPERSCRIPTS)}]+)|([{''.join(_SUBSCRIPTS)}]+)"
)
_ONE_SIGN = {  # single characters for whole units, and signs that look like letters
    "㎜": "mm", "㎝": "cm", "㎞": "km", "㎟": "mm^2", "㎠": "cm^2", "㎡": "m^2", "㎢": "km^2",
    "㎣": "mm^3", "㎤": "cm^3", "㎥": "m^3", "㎎": "mg", "㎏": "kg", "㎖": "mL", "ℓ": "L",
    "℃": "°C", "℉": "°F", "\u2126": "Ω", "\u212a": "K", "\u03bc": "µ", "ℝ": "R",
}  # fmt: skip
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5",
    "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8",
    "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip


def _table() -> dict[int, str]:
    table = {ord(c): "" for c in _INVISIBLE} | {ord(c): " " for c in _SPACES}
    controls = (*range(9), 11, 12, *range(14, 32), *range(127, 160))
    table |= dict.fromkeys(controls, " ")
    table |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width ASCII
    table |= {0x1D7CE + i: str(i % 10) for i in range(50)}  # mathematical digits
    table |= {0x1D400 + i: chr((65, 71)[i % 52 > 25] + i % 52) for i in range(676)}  # and letters
    table |= {ord(c): text for c, text in _ONE_SIGN.items()}
    table |= {ord(c): f" {text} " for c, text in _VULGAR.items()}
    table |= {ord("。"): ". ", ord("।"): ". ", ord("、"): ", ", ord("∴"): " "}
    table |= {ord(c): '"' for c in "«»„「」"}
    table |= {ord(c): "-" for c in "‐‑‒–−﹣"}
    table |= {ord(c): text for c, text in zip("×⋅·∙÷⁄∕º˚≤≥⩽⩾≦≧π𝜋∼≃≅“”‘’′", [
        "*", "*", "*", "*", "/", "/", "/", "°", "°", "<=", ">=", "<=", ">=", "<=", ">=",
        "π", "π", "≈", "≈", "≈", '"', '"', "'", "'", "'"], strict=True)}  # fmt: skip
    return table


_TABLE = _table()


def normalise(text: str) -> str:
    """Bring each character of a text to one form; unlike NFKC, this keeps the meaning.

    Superscripts, subscripts and vulgar fractions are mapped by meaning first (``10²`` is
    ``10^{2}``, ``3½`` is ``3 1/2``); full-width and mathematical characters become ASCII; dashes,
    multiplication signs, quotes and spaces become one each; zero-width characters are removed and
    control characters become spaces.

    >>> normalise("１０² − 3½")
    '10^{2} - 3 1/2 '
    """
    return _RUN.sub(_shifted, text).translate(_TABLE)


def _shifted(run: re.Match[str]) -> str:
    top, bottom, raised, lowered = run.groups()
    if top:
        return f" {_digits(top, _SUPERSCRIPTS)}/{_digits(bottom, _SUBSCRIPTS)} "
    if raised:
        return f"^{{{_digits(raised, _SUPERSCRIPTS)}}}"
    return f"_{{{_digits(lowered, _SUBSCRIPTS)}}}"


def _digits(run: str, meaning: dict[str, str]) -> str:
    return "".join(meaning[sign] for sign in run)
