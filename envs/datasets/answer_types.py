"""The type, value and unit of a gold that no column tells."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mstar.envs.datasets.options import as_text
from mstar.rewards.base import ANSWER_TYPES, Answer, AnswerType

# What published sets call them; other words, such as "free_form", leave it to the gold.
ALIASES: Mapping[str, AnswerType] = {
    "integer": "number",
    "int": "number",
    "float": "number",
    "numeric": "number",
    "numerical": "number",
    "boolean": "yes_no",
    "bool": "yes_no",
    "yes/no": "yes_no",
    "multi_choice": "choice",
    "multiple_choice": "choice",
    "mcq": "choice",
    "formula": "expression",
}
UNITS = re.compile(  # that a number is written with; longer words are text
    r"(?:[mck]?m|in|ft|yd|mi|inch|inches|feet)(?:\^[23]|[²³])?|[mk]?g|lb|oz|m?l|cl|s|sec|min|h|hr"
    r"|minutes|hours|seconds|days|degrees?|°[CF]?|K|N|J|k?W|Hz|V|A|Ω|Pa|mol|km/h|m/s|mph|dollars"
    r"|cents|USD|EUR"
)
WITH_TOLERANCE = frozenset(("number", "percent", "chart_number", "fraction"))

NUMBER = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
UNIT_BEHIND = re.compile(r"([-+\u2212]?[\d,.]+)\s*([A-Za-z°Ω][\w°Ω²³/^]{0,9}|°)")
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
SHAPES: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (  # the first that fits
    ("yes_no", re.compile(r"yes|no|true|false", re.I)),
    ("percent", re.compile(r"[-+\u2212]?\d[\d,]*(?:\.\d+)?\s*\\?%")),
    ("fraction", re.compile(r"[-+\u2212]?(?:\d{1,9}\s+)?\d{1,9}\s*/\s*\d{1,9}")),
    ("time", re.compile(r"\d{1,2}:\d{2}(?::\d{2})?\s*(?:[ap]\.?m\.?)?", re.I)),
    ("date", re.compile(r"\d{4}-\d{1,2}-\d{1,2}|" + WEEKDAYS, re.I)),
    (
        "interval",
        re.compile(r"\[[^\[\]()]{1,40},[^\[\]()]{1,40}\)|\([^\[\]()]{1,40},[^\[\]()]{1,40}\]"),
    ),
    ("list", re.compile(r"\[[^\[\]]{0,500}\]")),
    ("list", re.compile(r"[-+\u2212]?\d+(?:\.\d+)?(?:,\s+[-+\u2212]?\d+(?:\.\d+)?){1,20}")),
    ("set", re.compile(r"[A-H](?:,\s*[A-H]){1,7}")),  # of options that stand in the picture
    ("tuple", re.compile(r"\([^()]{1,100},[^()]{1,100}\)")),
    ("set", re.compile(r"\\?\{[^{}]{1,200},[^{}]{1,200}\}")),
    ("equation", re.compile(r"[^=<>]{0,60}[a-z][^=<>]{0,60}=[^=<>]{1,120}", re.I)),
    ("expression", re.compile(r"[^\"']{0,200}\\(?:frac|sqrt|pi|cdot|times)[^\"']{0,200}")),
    ("expression", re.compile(r"[\w\s.()+*/^√π\u2212-]{0,60}[\^√π][\w\s.()+*/^√π\u2212-]{0,60}")),
)


def named_type(word: object) -> AnswerType | None:
    """The answer type that a cell names, in its words or ours; None where it names none."""
    text = as_text(word).strip().lower().replace("-", "_").replace(" ", "_")
    if text in ANSWER_TYPES:
        return text
    return ALIASES.get(text)


def typed(
    gold: str,
    declared: AnswerType | None = None,
    unit: str | None = None,
    tolerance: float | None = None,
    question: str = "",
) -> Answer:
    """The answer of a gold without options.

    Args:
        gold: as it was written.
        declared: its type, where that is known. ``chart_number`` means the rule of ChartQA: what
            is not a number is compared as it looks, and years are compared exactly.
        unit: where a column says it.
        tolerance: relative; kept for numbers only.
        question: tells a year from a number.

    >>> typed("$8.20")
    Answer(type='number', value='8.20', choices=None, unit='$', tolerance=None)
    """
    value, found_unit = _without_unit(gold.strip())
    if declared == "yes_no" and gold.strip() in ("0", "1"):
        return Answer("yes_no", ("no", "yes")[int(gold)])
    number = bool(NUMBER.fullmatch(value)) and any(c.isdigit() for c in value)
    if declared is None or (declared == "chart_number" and not number):
        kind = _inferred(gold.strip(), number, question)
    elif declared == "chart_number" and _is_year(value, question):
        kind = "year"
    else:
        kind = declared
    if kind in WITH_TOLERANCE - {"percent"} and number:
        unit = unit or found_unit
    else:
        value = gold.strip()
    return Answer(
        type=kind,
        value=value,
        unit=unit,
        tolerance=tolerance if kind in WITH_TOLERANCE else None,
    )


def _inferred(gold: str, number: bool, question: str) -> AnswerType:
    if number:
        return "year" if _is_year(gold, question) else "number"
    return next((kind for kind, shape in SHAPES if shape.fullmatch(gold)), "text")


def _is_year(value: str, question: str) -> bool:
    in_range = value.isascii() and value.isdigit() and 1000 <= int(value[:5]) <= 2100
    return in_range and re.search(r"\byear\b", question, re.I) is not None


def _without_unit(gold: str) -> tuple[str, str | None]:
    """A number and the unit that it was written with; the gold itself where it is no such thing."""
    if gold.startswith(("$", "€", "£")):
        return gold[1:].strip(), gold[0]
    behind = UNIT_BEHIND.fullmatch(gold)
    if behind and UNITS.fullmatch(behind[2]):
        return behind[1], behind[2]
    return gold, None
