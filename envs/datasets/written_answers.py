"""A reference answer as written in a set: its value, its unit, and its items."""

from __future__ import annotations

import re

from mstar.rewards.verifier.parsing.units import from_chinese, parse_unit

UNITS = re.compile(  # after a number; with any other word the answer is text
    r"(?:[mck]?m|in|ft|yd|mi|inch|inches|feet)(?:\^[23]|[²³])?|[mk]?g|lb|oz|m?l|cl|s|sec|min|h|hr"
    r"|minutes|hours|seconds|days|degrees?|°[CF]?|K|N|J|C|k?W|Hz|V|A|[kM]?Ω|μ[mgsCFAV]|Pa|mol|km/h|m/s|mph|dollars"
    r"|cents|USD|EUR|[¢€£]"
)
NO_UNITS = {  # after a number, these words change it
    "am", "pm", "and", "or", "to", "of", "by", "x", "out", "tenths", "hundredths", "dozen", "half",
    "hundred", "thousand", "million", "billion", "trillion", "percent",
}  # fmt: skip
NUMBER = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d{1,3})?")
# A number or an exact constant, such as 9.4 or \frac{25 \pi}{4}, and the text after it.
CONSTANT = (  # no digit is left for a second try, which would take for ever in a long list
    r"[-+\u2212]?(?:\d[\d,]*+(?:\.\d*+)?(?:[eE][-+]?\d{1,3}(?!\w))?|\.\d++"
    r"|\\[dt]?frac\{[^{}a-zA-Z]*(?:\\(?:pi|sqrt)[^a-zA-Z]*)?\}\{[^{}a-zA-Z]*\}"
    r"|\\(?:times|cdot|pi)(?![a-zA-Z])|×|\\?sqrt\{[^{}a-zA-Z]*\}|√\d++|π|[-+*/(){}^ ])+"
)
CONSTANT_AND_UNIT = re.compile(
    rf"({CONSTANT}?)[ ~]*([A-Za-zμ°Ω¢€£\u4e00-\u9fff][^=<>,;]{{0,30}}|°.?|)"
)
LATEX_TEXT = re.compile(r"\\(?:mathrm|text|rm|mathbf|operatorname)\s*\{\s*([^{}]*?)\s*\}")
NAME_AND_EQUALS = re.compile(
    r"\s*((?:\\angle|∠|△)?\s*[A-Za-z][\w.'\s]{0,60}?(?:_\{[^{}]{1,12}\})?|\(\w, ?\w\)|)"
    r"\s*=\s*([^=]+)"
)
IN_BRACKETS = re.compile(r"([-+.,\d]*\d)\s*\(\s*([^()\s]{1,12})\s*\)")  # 12 (cm)
SENTENCE = re.compile(  # The length of AB is 12 cm.
    r"(?:(There) (?:is|are|were)|[A-Z][A-Za-z' ]{1,60}? (?:is|are|was|were|equals))"
    r" (?:about |approximately |exactly )?([^.]*(?:\.\d[^.]*)?)\.?"
)
WORD = re.compile(r"[A-Za-z]{3,}|[A-Za-z]\.[A-Za-z]\.|[A-Z]{2,}")
ABOUT_EQUATIONS = re.compile(r"\b(?:equations?|asymptotes?|lines?|rule|function)\b", re.I)
SEPARATOR_OR_BRACKET = re.compile(r"\s*(?:[,;，；、]|\bor\b|\band\b)\s*|[(\[{]|[)\]}]")
PLUS_MINUS = re.compile(r"([^±,;]*?)\s*(?:\\pm(?![a-z])|±)\s*([^±,;+-]+)")
EITHER_SIGN = re.compile(r"\\pm(?![a-z])|±")
NAMED = re.compile(r"\s*((?:\\angle|∠)?\s*[a-zA-Z]{1,3})\s*=\s*([^=]+)")
ABOUT_COORDINATES = re.compile(r"\b(?:coordinates?|ordered pairs?|vectors?)\b", re.I)
ABOUT = re.compile(  # before a number, which is then not exact
    r"\A(?:≈|\\approx|~|\b(?:about|approximately|approx\.?|roughly|around)\b)\s*(?=[-+$€£.\d])",
    re.I,
)
DECADE = re.compile(r"\d{3}0s")


def plain_math(text: str) -> str:
    r"""A text without math delimiters and LaTeX around words, units and degrees.

    >>> plain_math(r"Area $=9.4 \mathrm{~cm}^{2}$")
    'Area =9.4 cm^2'
    """
    text = text.strip()
    if text.isascii() and text.isalnum():
        return text
    if text.count("$") % 2 == 0:
        text = text.replace("$", "")
    text = re.sub(r"^\\\[|\\\]\.?$|\\[()](?![a-z])", "", text)
    text = LATEX_TEXT.sub(lambda found: " " + found[1].strip("~ ") + " ", text)
    text = re.sub(r"\s*\^\s*\{?\s*\\circ\s*\}?|\s*\\circ\b|掳", "°", text).replace("\\%", "%")
    text = re.sub(r"\A([-+.,\d]*\d)\s*\\Omega(?![a-z])", r"\1 Ω", text)
    text = re.sub(r"\A([-+.,\d]*\d)\s*(?:\\mu\s?|µ)(?=[A-Za-z])", r"\1 μ", text)
    text = re.sub(r"√\{([^{}]*)\}", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<=[A-Za-z])\s*\^\s*(?:\{([23])\}|([23])(?!\d))", r"^\1\2", text)
    text = re.sub(r"\{,\}|,\\! ?|(?<=\d)\\,(?=\d{3}(?!\d))", ",", text).replace("\\$", "$")
    text = re.sub(r"\\[,;:!](?!\w)|\\q?quad(?![a-z])", " ", text)
    return " ".join(text.replace("\\left", "").replace("\\right", "").split()).rstrip("。")


def value_and_unit(text: str, question: str) -> tuple[str, str | None]:
    """The value and the unit in a text such as ``x = 12 cm``; the text and None for others."""
    if text.startswith(("$", "€", "£")) and is_number(text[1:].strip()):
        return text[1:].strip(), text[0]
    if DECADE.fullmatch(text):
        return text, None
    text = _said(ABOUT.sub("", text))
    if (bracketed := IN_BRACKETS.fullmatch(text)) and parse_unit(bracketed[2]) is not None:
        text = f"{bracketed[1]} {bracketed[2]}"
    value = _without_name(text, question)
    constant, unit = _split_unit(value)
    if constant.endswith(".") and is_number(constant):
        constant = constant[:-1]
    return (constant, unit or None) if unit is not None else (value, None)


def items_of(value: str, question: str) -> list[str]:
    """The parts of a text between commas outside of brackets, without names as in ``x = 3``."""
    if NUMBER.fullmatch(value):
        return [value]
    if both := PLUS_MINUS.fullmatch(value):
        first, second = both.groups()
        return [f"{first}+{second}" if first else second, f"{first}-{second}"]
    parts, start, depth = [], 0, 0
    for found in SEPARATOR_OR_BRACKET.finditer(value):
        if found[0] in ")]}":
            depth -= 1
        elif found[0] in "([{":
            depth += 1
        elif depth == 0:
            parts.append(value[start : found.start()])
            start = found.end()
    return [_without_name(part.strip(), question) for part in (*parts, value[start:])]


def coordinates(value: str, question: str) -> bool:
    """Whether the parts of a text each have a place: ``x = 2, y = 3``, or those of a point."""
    parts = re.split(r",|;|\band\b", value)
    names = {found[1] for part in parts if (found := NAMED.fullmatch(part))}
    if len(parts) > 1 and len(names) == len(parts):
        return True
    about = ABOUT_COORDINATES.search(question) is not None
    return about and 1 < len(parts) < 4 and all(is_constant(part.strip()) for part in parts)


def is_number(value: str) -> bool:
    """Whether a text is a number in digits."""
    return bool(NUMBER.fullmatch(value)) and any(c.isdigit() for c in value)


def is_constant(value: str) -> bool:
    r"""Whether a text is a number or an exact constant, such as \frac{25 \pi}{4}."""
    return re.fullmatch(CONSTANT, value) is not None and any(c.isdigit() or c in "π" for c in value)


def _said(text: str) -> str:
    """The amount that a sentence states, such as ``The length is 12 cm.``; else the text."""
    found = SENTENCE.fullmatch(text)
    if not found:
        return text
    constant, unit = _split_unit(found[2])
    if not is_constant(constant):
        return text
    has_noun = len(found[2].split()) > 1 and not unit
    return text if has_noun and not found[1] else found[2]


def _without_name(text: str, question: str) -> str:
    """The right side of ``Area = 9.4`` or ``x = 5``; an equation of a curve stays as it is."""
    found = NAME_AND_EQUALS.fullmatch(text)
    if not found:
        reverse = re.fullmatch(rf"({CONSTANT})\s*=\s*[A-Za-z]", text)
        return reverse[1].strip() if reverse else text
    name, value = found[1].strip(), found[2].strip()
    about_words = name[:1] in ("", "(") or WORD.search(name) is not None
    constant, unit = _split_unit(EITHER_SIGN.sub("+", value))
    is_known = is_constant(constant) and (not unit or parse_unit(unit) is not None)
    is_curve = name in ("x", "y") and ABOUT_EQUATIONS.search(question) is not None
    return value if about_words or (is_known and not is_curve) else text


def _split_unit(text: str) -> tuple[str, str | None]:
    """A constant and the unit after it, "" if words follow that are no unit; else text and None."""
    found = CONSTANT_AND_UNIT.fullmatch(text)
    if not found or not any(c.isdigit() or c == "π" for c in found[1]):
        return text, None
    constant, unit = found[1].strip(), " ".join(found[2].split()).rstrip(".")
    if not unit:
        return constant, "" if is_number(constant) else None
    unit = from_chinese(unit).strip()
    if not unit:  # a measure word, as in 5个
        return constant, "" if is_number(constant) else None
    unit = "°" if unit == "°T" or unit == "° T" else unit
    blank = text[len(found[1].rstrip()) :][:1] in " ~"
    if UNITS.fullmatch(unit) or (
        len(unit) > 1 and parse_unit(unit) is not None and not unit.isupper()
    ):
        return constant, unit
    words = unit.split()
    is_words = blank and is_number(constant) and len(words) < 3 and all(w.isalpha() for w in words)
    if is_words and unit.islower() and not NO_UNITS & set(words):
        return constant, ""
    return text, None
