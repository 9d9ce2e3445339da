"""The type, value and unit of a reference answer, inferred where no column gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mstar.envs.datasets.options import as_text
from mstar.envs.datasets.written_answers import (
    coordinates,
    is_constant,
    is_number,
    items_of,
    plain_math,
    value_and_unit,
)
from mstar.rewards.base import ANSWER_TYPES, Answer, AnswerType
from mstar.rewards.verifier.answer_types import COMPARATORS
from mstar.rewards.verifier.parsing.units import parse_unit

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
PLAIN_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")  # readable without a test
WITH_TOLERANCE = frozenset(("number", "percent", "chart_number", "fraction"))

IN_ORDER = re.compile(r"order|sequence|respectively|sort|ascend|descend|rank|pattern|next", re.I)
VARIABLES = re.compile(r"(?<![A-Za-z\\])[a-zA-Z]{1,2}(?![A-Za-z])")
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
HOUR = r"(?:\d{1,2}|[a-z]{3,6})"
HOURS = r"\d{1,2}(?::[0-5]\d)?\s*(?:[ap]\.?m\.?)?"
HALF_OR_QUARTER = r"half past|quarter (?:past|to|after|before)"
AMOUNT_OF_TIME = r"\d+(?:\.\d+)?\s*(?:d(?:ays?)?|h(?:ours?|rs?)?|min(?:ute)?s?|s(?:ec(?:ond)?s?)?)"
LENGTH = r"\d+(?:\.\d+)?\s*(?:ft|feet|foot|'|in|inch|inches|\")"
POINT = r"[A-Za-z]?\([^()]{1,60},[^()]{1,60}\)"
FUNCTION = r"(?:sin|cos|tan|log|ln|exp)"
PATTERNS: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (  # the first that matches counts
    ("yes_no", re.compile(r"(?:yes|no|true|false)\.?", re.I)),
    ("number", re.compile(r"[-+\u2212]?\d[\d,.]*\s(?:thousand|million|billion|trillion)", re.I)),
    ("number", re.compile(r"[-+\u2212]?\d[\d,.]*\s?(?:[MB]|bn|mn)")),
    ("percent", re.compile(r"[-+\u2212]?\d[\d,]*(?:\.\d+)?\s*(?:%|percent|per cent)", re.I)),
    ("text", re.compile(r"(?:19|20)\d\d/\d\d")),  # a season
    ("fraction", re.compile(r"[-+\u2212]?(?:\d{1,9}\s+)?\d{1,9}\s*/\s*\d{1,9}")),
    ("time", re.compile(r"\d{1,2}:[0-5]\d(?::[0-5]\d)?\s*(?:[ap]\.?m\.?)?", re.I)),
    ("time", re.compile(r"\d{1,2}\s*[ap]\.?m\.?|noon|midnight", re.I)),
    ("time", re.compile(rf"(?:{HALF_OR_QUARTER}) {HOUR}|{HOUR} o'clock", re.I)),
    ("text", re.compile(rf"(?=.*(?:m|:)){HOURS}\s*(?:-|\u2013|to)\s*{HOURS}", re.I)),  # from, to
    ("duration", re.compile(rf"{AMOUNT_OF_TIME}(?:,? (?:and )?{AMOUNT_OF_TIME}){{1,3}}", re.I)),
    ("number", re.compile(rf"{LENGTH}(?:,? (?:and )?|){LENGTH}", re.I)),
    ("date", re.compile(r"\d{4}-\d{1,2}-\d{1,2}|" + WEEKDAYS, re.I)),
    ("date", re.compile(rf"{MONTH}\s*\d{{1,2}}(?:,?\s*\d{{4}})?|{MONTH}\s*\d{{4}}", re.I)),
    ("date", re.compile(rf"\d{{1,2}}\s*{MONTH}(?:,?\s*\d{{4}})?", re.I)),
    ("list", re.compile(r"\[[^\[\]]{0,500}\]")),
    ("set", re.compile(r"[A-Ha-h](?:(?:,| and)\s*[A-Ha-h]){1,7}")),  # options in the image
    ("tuple", re.compile(r"[A-Z]?\([^()]{1,100},[^()]{1,100}\)")),
    ("set", re.compile(rf"{POINT}(?:\s*(?:[,;]|and|or)\s*{POINT}){{1,9}}")),
    ("set", re.compile(r"\\?\{[^{}]{1,200},[^{}]{1,200}\}|∅|\\emptyset|\\varnothing")),
    ("equation", re.compile(r"[^=<>]{0,60}[a-z][^=<>]{0,60}=[^=<>]{1,120}", re.I)),
    ("expression", re.compile(r"[^\"']{0,200}\\(?:[dt]?frac|sqrt|pi|cdot|times)[^\"']{0,200}")),
    ("expression", re.compile(rf"[^\"'=]{{0,80}}\\{FUNCTION}(?![a-z])[^\"'=]{{0,80}}")),
    ("expression", re.compile(rf"[\d.]{{0,20}}{FUNCTION}[ (][a-z\d.+*/^()\u2212-]{{1,40}}")),
    (
        "expression",
        re.compile(r"[\w\s.{}()+*/^√π\u2212-]{0,60}[\^√π][\w\s.{}()+*/^√π\u2212-]{0,60}"),
    ),
)
ON_NUMBER_LINE = re.compile(  # signs that an interval or an inequality has, and a point has not
    r"∞|\\infty|\binf\b|[∪<>≤≥≠]|\\(?:cup|[lg](?:t|e|eq|eqslant)|neq?|setminus)(?![a-z])"
    r"|\A\[[^\[\]]*\)\Z|\A\([^()]*\]\Z|\A[a-z]\s*(?:\\in\b|∈)"
)
ABOUT_INTERVALS = re.compile(r"\b(?:domain|range|intervals?|inequalit\w+)\b", re.I)
ABOUT_YEARS = re.compile(r"\b(?:years?|when)\b", re.I)
WHICH = re.compile(r"\b(?:which|who|whose)\b", re.I)  # asks for things, not for a list of values
ASKS_PERCENT = re.compile(  # of 50, it is 50 %
    r"\b(?:(?:what|which|how many)|(?:find|calculate|determine|compute|estimate) the"
    r"|what(?:'s| is| was| are| were| will be)(?: the)?(?: \w+){0,2})"
    r" (?:percent(?:age)?|per cent)\b(?! points?\b)",
    re.I,
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
    r"""The typed answer to a question without options.

    Math delimiters, the name before an equals sign and the unit are taken off a number.

    Args:
        text: the reference answer as written.
        declared: its type, if known; another is inferred if the answer can't be read as this one.
            It stays if that one would be text. ``chart_number`` follows ChartQA: the type of an
            answer that is not a number is inferred, and years are compared exactly.
        unit: the unit, if a column gives it.
        tolerance: relative; kept for numbers only.
        question: distinguishes years and percentages from other numbers, equations from their
            right sides, intervals from points, and lists, whose order counts, from sets.

    >>> infer_answer("$8.20")
    Answer(type='number', value='8.20', choices=None, unit='$', tolerance=None)
    >>> infer_answer(r"Area $=9.4 \mathrm{~cm}^{2}$")
    Answer(type='number', value='9.4', choices=None, unit='cm^2', tolerance=None)
    """
    if declared == "yes_no" and text.strip() in ("0", "1"):
        return Answer("yes_no", ("no", "yes")[int(text)])
    if declared == "text":
        return Answer("text", text.strip())
    value, written_unit = value_and_unit(plain_math(text), question)
    if declared is None or (declared == "chart_number" and not is_number(value)):
        answer_type = _infer_type(value, written_unit, question)
        tolerance = None if declared and answer_type == "fraction" else tolerance
        declared = None
    elif declared == "chart_number" and _is_year(value, question):
        answer_type = "year"
    else:
        answer_type = declared
        if declared not in WITH_TOLERANCE:
            value = text.strip()
    if declared is None:
        value = _in_plain_form(value, answer_type, question)
    tolerance = tolerance if answer_type in WITH_TOLERANCE else None
    if answer_type in WITH_TOLERANCE - {"percent"}:
        unit = unit or written_unit
    if answer_type == "number" and unit is None and _asks_percent(question, value):
        unit = "%"
    answer = Answer(answer_type, value, unit=unit, tolerance=tolerance)
    if answer_type in ("number", "chart_number", "year") and PLAIN_NUMBER.fullmatch(value):
        return answer
    if COMPARATORS[answer_type].read(value, answer) is not None:
        return answer
    inferred = answer
    if declared is not None:
        inferred = infer_answer(text, None, unit, tolerance, question)
    elif answer_type != "equation" or re.search(r"[A-Za-z]{3}", value):
        inferred = Answer("text", text.strip(), unit=unit)
    return answer if declared and inferred.type == "text" else inferred


def _infer_type(value: str, unit: str | None, question: str) -> AnswerType:
    if is_number(value):
        return "year" if unit is None and _is_year(value, question) else "number"
    if unit is not None and is_constant(value):
        return "number"
    if coordinates(value, question):
        return "tuple"
    items = items_of(value, question)
    if len(items) > 1 and all(is_constant(item) for item in items):
        is_set = len(set(items)) == len(items) and not IN_ORDER.search(question)
        return "set" if is_set else "list"
    if ON_NUMBER_LINE.search(value) or (len(items) == 1 and ABOUT_INTERVALS.search(question)):
        interval = Answer("interval", value)
        if COMPARATORS["interval"].read(value, interval) is not None:
            return "interval"
    named = next((name for name, pattern in PATTERNS if pattern.fullmatch(value)), None)
    if named == "fraction" and re.search(r"\byears?\b", question, re.I):  # a season
        return "text"
    if named == "list" and WHICH.search(question) and not IN_ORDER.search(question):
        inside = items_of(value[1:-1], question)
        return "set" if len(set(inside)) == len(inside) > 1 else "list"
    if named == "time" and re.search(r"\bratio\b|:", question, re.I):
        return "time" if "ratio" not in question.lower() else "text"
    return named or ("expression" if _is_polynomial(value) else "text")


def _in_plain_form(value: str, answer_type: AnswerType, question: str) -> str:
    """A set as its items between commas, and an expression without its unit."""
    if answer_type == "set" and not value.startswith(("{", "\\{")):
        return ", ".join(items_of(value, question))
    return _without_unit(value) if answer_type == "expression" else value


def _without_unit(expression: str) -> str:
    """An expression without the unit behind it, which is a word of two or more letters."""
    value, _, last = expression.rpartition(" ")
    value = value.removesuffix(" square").removesuffix(" cubic")
    is_unit = value and re.match(r"[a-z]{2,}|m\^", last) and parse_unit(last) is not None
    return value if is_unit else expression


def _is_polynomial(value: str) -> bool:
    """Whether a text is an expression in variables of one letter, such as 2n-2."""
    plain = re.fullmatch(r"[\da-zA-Z\s.+*/^()\u2212·-]{3,80}", value)
    variables = VARIABLES.findall(value)
    if not plain or not variables or re.search(r"[A-Za-z]{3}", value):
        return False
    return (
        all(name.islower() for name in variables)
        and re.search(r"[\w)]\s*[+*/^\u2212-]\s*[\w(]", value) is not None
        and any(c.isdigit() or c in "+^" for c in value)
    )


def _asks_percent(question: str, value: str) -> bool:
    """Whether a number answers a question for a percentage; below 1 it may be a fraction."""
    number = value.replace(",", "")
    return (
        PLAIN_NUMBER.fullmatch(number) is not None
        and abs(float(number)) > 1
        and ASKS_PERCENT.search(question) is not None
    )


def _is_year(value: str, question: str) -> bool:
    in_range = value.isascii() and value.isdigit() and 1000 <= int(value[:5]) <= 2100
    return in_range and ABOUT_YEARS.search(question) is not None
