"""The type, value and unit of a reference answer, inferred where no column gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mstar.envs.datasets.options import as_text
from mstar.rewards.base import ANSWER_TYPES, Answer, AnswerType

# Names of types in published sets; for others, such as "free_form", the type is inferred.
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
UNITS = re.compile(  # after a number; with any other word the answer is text
    r"(?:[mck]?m|in|ft|yd|mi|inch|inches|feet)(?:\^[23]|[²³])?|[mk]?g|lb|oz|m?l|cl|s|sec|min|h|hr"
    r"|minutes|hours|seconds|days|degrees?|°[CF]?|K|N|J|k?W|Hz|V|A|Ω|Pa|mol|km/h|m/s|mph|dollars"
    r"|cents|USD|EUR"
)
WITH_TOLERANCE = frozenset(("number", "percent", "chart_number", "fraction"))

NUMBER = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
NUMBER_AND_UNIT = re.compile(r"([-+\u2212]?[\d,.]+)\s*([A-Za-z°Ω][\w°Ω²³/^]{0,9}|°)")
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
PATTERNS: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (  # the first that matches counts
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
    ("set", re.compile(r"[A-H](?:,\s*[A-H]){1,7}")),  # letters of options that the image shows
    ("tuple", re.compile(r"\([^()]{1,100},[^()]{1,100}\)")),
    ("set", re.compile(r"\\?\{[^{}]{1,200},[^{}]{1,200}\}")),
    ("equation", re.compile(r"[^=<>]{0,60}[a-z][^=<>]{0,60}=[^=<>]{1,120}", re.I)),
    ("expression", re.compile(r"[^\"']{0,200}\\(?:frac|sqrt|pi|cdot|times)[^\"']{0,200}")),
    ("expression", re.compile(r"[\w\s.()+*/^√π\u2212-]{0,60}[\^√π][\w\s.()+*/^√π\u2212-]{0,60}")),
)


def type_named(cell: object) -> AnswerType | None:
    """The answer type that a cell names, by our name or an alias; None if it names none."""
    text = as_text(cell).strip().lower().replace("-", "_").replace(" ", "_")
    if text in ANSWER_TYPES:
        return text
    return ALIASES.get(text)


def infer_answer(
    text: str,
    declared: AnswerType | None = None,
    unit: str | None = None,
    tolerance: float | None = None,
    question: str = "",
) -> Answer:
    """The typed answer to a question without options.

    Args:
        text: the reference answer as written.
        declared: its type, if known. ``chart_number`` follows ChartQA: the type of an answer that
            is not a number is inferred, and years are compared exactly.
        unit: the unit, if a column gives it.
        tolerance: relative; kept for numbers only.
        question: distinguishes years from other numbers.

    >>> infer_answer("$8.20")
    Answer(type='number', value='8.20', choices=None, unit='$', tolerance=None)
    """
    text = text.strip()
    value, written_unit = _split_unit(text)
    if declared == "yes_no" and text in ("0", "1"):
        return Answer("yes_no", ("no", "yes")[int(text)])
    is_number = bool(NUMBER.fullmatch(value)) and any(c.isdigit() for c in value)
    if declared is None or (declared == "chart_number" and not is_number):
        answer_type = _infer_type(text, is_number, question)
    elif declared == "chart_number" and _is_year(value, question):
        answer_type = "year"
    else:
        answer_type = declared
    if answer_type in WITH_TOLERANCE - {"percent"} and is_number:
        unit = unit or written_unit
    else:
        value = text
    return Answer(
        type=answer_type,
        value=value,
        unit=unit,
        tolerance=tolerance if answer_type in WITH_TOLERANCE else None,
    )


def _infer_type(text: str, is_number: bool, question: str) -> AnswerType:
    if is_number:
        return "year" if _is_year(text, question) else "number"
    return next((name for name, pattern in PATTERNS if pattern.fullmatch(text)), "text")


def _is_year(value: str, question: str) -> bool:
    in_range = value.isascii() and value.isdigit() and 1000 <= int(value[:5]) <= 2100
    return in_range and re.search(r"\byear\b", question, re.I) is not None


def _split_unit(text: str) -> tuple[str, str | None]:
    """The number and the unit in a text such as ``12 cm``; the text and None for any other."""
    if text.startswith(("$", "€", "£")):
        return text[1:].strip(), text[0]
    match = NUMBER_AND_UNIT.fullmatch(text)
    if match and UNITS.fullmatch(match[2]):
        return match[1], match[2]
    return text, None
