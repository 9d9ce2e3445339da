"""The type, value and unit of a reference answer, inferred where no column gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mstar.envs.datasets.options import as_text
from mstar.rewards.base import ANSWER_TYPES, Answer, AnswerType
from mstar.rewards.verifier.answer_types import COMPARATORS
from mstar.rewards.verifier.parsing.units import from_chinese, parse_unit

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
NO_UNITS = {  # after a number, these words change it
    "am", "pm", "and", "or", "to", "of", "by", "x", "out", "tenths", "hundredths", "dozen", "half",
    "hundred", "thousand", "million", "billion", "trillion", "percent",
}  # fmt: skip
PLAIN_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")  # readable without a test
WITH_TOLERANCE = frozenset(("number", "percent", "chart_number", "fraction"))

NUMBER = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d{1,3})?")
# A number or an exact constant, such as 9.4 or \frac{25 \pi}{4}, and the text after it.
CONSTANT = (
    r"[-+\u2212]?(?:\d[\d,]*(?:\.\d*)?|\.\d+|\\d?frac\{[^{}a-zA-Z]*(?:\\(?:pi|sqrt)[^a-zA-Z]*)?\}"
    r"\{[^{}a-zA-Z]*\}|\\?sqrt\{[^{}a-zA-Z]*\}|\\pi(?![a-zA-Z])|√\d+|π|[-+*/(){}^ ])+"
)
CONSTANT_AND_UNIT = re.compile(rf"({CONSTANT}?)[ ~]*([A-Za-z°Ω\u4e00-\u9fff][^=<>,;]{{0,30}}|°.?|)")
LATEX_TEXT = re.compile(r"\\(?:mathrm|text|rm|mathbf|operatorname)\s*\{\s*([^{}]*?)\s*\}")
NAME_AND_EQUALS = re.compile(
    r"\s*((?:\\angle|∠|△)?\s*[A-Za-z][\w.'\s]{0,60}?|\(\w, ?\w\)|)\s*=\s*([^=]+)"
)
WORD = re.compile(r"[A-Za-z]{3,}|[A-Za-z]\.[A-Za-z]\.|[A-Z]{2,}")
ABOUT_EQUATIONS = re.compile(r"\b(?:equations?|asymptotes?|lines?|rule|function)\b", re.I)
IN_ORDER = re.compile(r"order|sequence|respectively|sort|ascend|descend|rank|pattern|next", re.I)
SEPARATOR_OR_BRACKET = re.compile(r"\s*(?:[,;，；、]|\bor\b|\band\b)\s*|[(\[{]|[)\]}]")
PLUS_MINUS = re.compile(r"(?:\\pm|±)\s*([^±]+)")
VARIABLES = re.compile(r"(?<![A-Za-z\\])[a-zA-Z]{1,2}(?![A-Za-z])")
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
SIMPLE = r"[-+\u2212]?\d+(?:\.\d+)?"
BOUND = r"[-+\u2212]?\s*(?:\\infty|∞|inf(?:inity)?|[^\[\]()<>]{1,40})"
PATTERNS: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (  # the first that matches counts
    ("yes_no", re.compile(r"yes|no|true|false", re.I)),
    ("number", re.compile(r"[-+\u2212]?\d[\d,.]*\s(?:thousand|million|billion|trillion)", re.I)),
    ("percent", re.compile(r"[-+\u2212]?\d[\d,]*(?:\.\d+)?\s*\\?%")),
    ("fraction", re.compile(r"[-+\u2212]?(?:\d{1,9}\s+)?\d{1,9}\s*/\s*\d{1,9}")),
    ("time", re.compile(r"\d{1,2}:[0-5]\d(?::[0-5]\d)?\s*(?:[ap]\.?m\.?)?", re.I)),
    ("time", re.compile(r"\d{1,2}\s*[ap]\.?m\.?", re.I)),
    ("date", re.compile(r"\d{4}-\d{1,2}-\d{1,2}|" + WEEKDAYS, re.I)),
    ("date", re.compile(rf"{MONTH}\s*\d{{1,2}},?\s*\d{{4}}|\d{{1,2}}\s*{MONTH},?\s*\d{{4}}", re.I)),
    ("interval", re.compile(rf"\[{BOUND},{BOUND}\)|\({BOUND},{BOUND}\]")),
    ("interval", re.compile(rf"[\[(]{BOUND},[^\[\]()]*(?:\\infty|∞|infty)\s*[\])]")),
    ("interval", re.compile(r"[\[(]\s*[-\u2212]\s*(?:\\infty|∞|infty)[^\[\]()]*[\])]")),
    (
        "interval",
        re.compile(r"[\[(][^a-zA-Z]{1,60}[\])]\s*(?:\\cup|∪)[^a-zA-Z]{1,80}(?:\\infty\))?"),
    ),
    ("interval", re.compile(rf"[a-z]\s*(?:\\leq?|\\geq?|≤|≥|<=?|>=?)\s*{SIMPLE}", re.I)),
    ("list", re.compile(r"\[[^\[\]]{0,500}\]")),
    ("set", re.compile(r"[A-Ha-h](?:,\s*[A-Ha-h]){1,7}")),  # options that the image shows
    ("tuple", re.compile(r"\([^()]{1,100},[^()]{1,100}\)")),
    ("set", re.compile(r"\([^()]{1,60},[^()]{1,60}\)(?:\s*,\s*\([^()]{1,60},[^()]{1,60}\)){1,9}")),
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
    r"""The typed answer to a question without options.

    Math delimiters, the name before an equals sign and the unit are taken off a number.

    Args:
        text: the reference answer as written.
        declared: its type, if known; another is inferred if the answer can't be read as this one.
            It stays if that one would be text. ``chart_number`` follows ChartQA: the type of an
            answer that is not a number is inferred, and years are compared exactly.
        unit: the unit, if a column gives it.
        tolerance: relative; kept for numbers only.
        question: distinguishes years from other numbers, equations from their right sides, and
            lists, whose order counts, from sets.

    >>> infer_answer("$8.20")
    Answer(type='number', value='8.20', choices=None, unit='$', tolerance=None)
    >>> infer_answer(r"Area $=9.4 \mathrm{~cm}^{2}$")
    Answer(type='number', value='9.4', choices=None, unit='cm^2', tolerance=None)
    """
    if declared == "yes_no" and text.strip() in ("0", "1"):
        return Answer("yes_no", ("no", "yes")[int(text)])
    if declared == "text":
        return Answer("text", text.strip())
    written = _plain_math(text)
    value, written_unit = _value_and_unit(written, question)
    is_number = _is_number(value)
    if declared is None or (declared == "chart_number" and not is_number):
        answer_type = _infer_type(value, is_number, written_unit, question)
    elif declared == "chart_number" and _is_year(value, question):
        answer_type = "year"
    else:
        answer_type = declared
        if declared not in WITH_TOLERANCE:
            value = text.strip()
    if answer_type == "set" and declared is None and value[:1] not in "{\\":
        value = ", ".join(_items(value, question))
    if answer_type == "expression" and declared is None:
        value = _without_unit(value)
    tolerance = tolerance if answer_type in WITH_TOLERANCE else None
    if answer_type in WITH_TOLERANCE - {"percent"}:
        unit = unit or written_unit
    answer = Answer(answer_type, value, unit=unit, tolerance=tolerance)
    plain_number = answer_type == "number" and PLAIN_NUMBER.fullmatch(value)
    if plain_number or declared == "chart_number":
        return answer
    if COMPARATORS[answer_type].read(value, answer) is not None:
        return answer
    inferred = answer
    if declared is not None:
        inferred = infer_answer(text, None, unit, tolerance, question)
    elif answer_type != "equation" or re.search(r"[A-Za-z]{4}", value):
        inferred = Answer("text", text.strip(), unit=unit)
    return answer if declared and inferred.type == "text" else inferred


def _infer_type(value: str, is_number: bool, unit: str | None, question: str) -> AnswerType:
    if is_number:
        return "year" if unit is None and _is_year(value, question) else "number"
    if unit is not None and _is_constant(value):
        return "number"
    items = _items(value, question)
    if len(items) > 1 and all(_is_constant(item) for item in items):
        is_set = len(set(items)) == len(items) and not IN_ORDER.search(question)
        return "set" if is_set else "list"
    if value[:1] == "[" and re.search(r"\b(?:domain|range|interval)\b", question, re.I):
        return "interval" if len(items) < 3 else "list"
    named = next((name for name, pattern in PATTERNS if pattern.fullmatch(value)), None)
    if named == "time" and re.search(r"\bratio\b|:", question, re.I):
        return "time" if "ratio" not in question.lower() else "text"
    return named or ("expression" if _is_polynomial(value) else "text")


def _without_unit(expression: str) -> str:
    """An expression without the unit behind it, which is a word of two or more letters."""
    value, _, last = expression.rpartition(" ")
    value = value.removesuffix(" square").removesuffix(" cubic")
    is_unit = value and re.match(r"[a-z]{2,}|m\^", last) and parse_unit(last) is not None
    return value if is_unit else expression


def _is_number(value: str) -> bool:
    return bool(NUMBER.fullmatch(value)) and any(c.isdigit() for c in value)


def _is_constant(value: str) -> bool:
    r"""Whether a text is a number or an exact constant, such as \frac{25 \pi}{4}."""
    return re.fullmatch(CONSTANT, value) is not None and any(c.isdigit() or c in "π" for c in value)


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


def _is_year(value: str, question: str) -> bool:
    in_range = value.isascii() and value.isdigit() and 1000 <= int(value[:5]) <= 2100
    return in_range and re.search(r"\b(?:year|when)\b", question, re.I) is not None


def _items(value: str, question: str) -> list[str]:
    """The parts of a text between commas outside of brackets, without names as in ``x = 3``."""
    if NUMBER.fullmatch(value):
        return [value]
    if both := PLUS_MINUS.fullmatch(value):
        return [both[1], f"-{both[1]}"]
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


def _plain_math(text: str) -> str:
    r"""A text without math delimiters and LaTeX around words, units and degrees.

    >>> _plain_math(r"Area $=9.4 \mathrm{~cm}^{2}$")
    'Area =9.4 cm^2'
    """
    text = text.strip()
    if text.count("$") % 2 == 0:
        text = text.replace("$", "")
    text = re.sub(r"^\\\[|\\\]\.?$|\\[()](?![a-z])", "", text)
    text = LATEX_TEXT.sub(lambda found: " " + found[1].strip("~ ") + " ", text)
    text = re.sub(r"\s*\^\s*\{?\s*\\circ\s*\}?|\s*\\circ\b|掳", "°", text).replace("\\%", "%")
    text = re.sub(r"√\{([^{}]*)\}", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<=[A-Za-z])\s*\^\s*(?:\{([23])\}|([23])(?!\d))", r"^\1\2", text)
    text = text.replace("{,}", ",").replace(",\\!", ",")
    return " ".join(text.replace("\\left", "").replace("\\right", "").split()).rstrip("。")


def _without_name(text: str, question: str) -> str:
    """The right side of ``Area = 9.4`` or ``x = 5``; an equation of a curve stays as it is."""
    found = NAME_AND_EQUALS.fullmatch(text)
    if not found:
        reverse = re.fullmatch(rf"({CONSTANT})\s*=\s*[A-Za-z]", text)
        return reverse[1].strip() if reverse else text
    name, value = found[1].strip(), found[2].strip()
    about_words = name[:1] in ("", "(") or WORD.search(name) is not None
    constant, unit = _split_unit(value)
    is_known = _is_constant(constant) and (not unit or parse_unit(unit) is not None)
    is_curve = name in ("x", "y") and ABOUT_EQUATIONS.search(question) is not None
    return value if about_words or (is_known and not is_curve) else text


def _value_and_unit(text: str, question: str) -> tuple[str, str | None]:
    """The value and the unit in a text such as ``x = 12 cm``; the text and None for others."""
    if text.startswith(("$", "€", "£")) and _is_number(text[1:].strip()):
        return text[1:].strip(), text[0]
    value = _without_name(text, question)
    constant, unit = _split_unit(value)
    if constant.endswith(".") and _is_number(constant):
        constant = constant[:-1]
    return (constant, unit or None) if unit is not None else (value, None)


def _split_unit(text: str) -> tuple[str, str | None]:
    """A constant and the unit after it, "" if words follow that are no unit; else text and None."""
    found = CONSTANT_AND_UNIT.fullmatch(text)
    if not found or not any(c.isdigit() or c == "π" for c in found[1]):
        return text, None
    constant, unit = found[1].strip(), " ".join(found[2].split()).rstrip(".")
    if not unit:
        return constant, "" if _is_number(constant) else None
    unit = from_chinese(unit).strip()
    unit = "°" if unit == "°T" or unit == "° T" else unit
    blank = text[len(found[1].rstrip()) :][:1] in " ~"
    if UNITS.fullmatch(unit) or (
        len(unit) > 1 and parse_unit(unit) is not None and not unit.isupper()
    ):
        return constant, unit
    words = unit.split()
    is_words = blank and _is_number(constant) and len(words) < 3 and all(w.isalpha() for w in words)
    if is_words and unit.islower() and not NO_UNITS & set(words):
        return constant, ""
    return text, None
