"""Amounts: a number with its sign, currency, scale, unit or noun, label and equation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from mstar.rewards.verifier.parsing.arithmetic import Value, close, decimal, evaluate
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.formula import Tree, UnreadableError, parse
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import (
    COUNTING,
    DIGIT_PARTS,
    NUMBER_WORDS,
    SCALES,
    number_words,
)
from mstar.rewards.verifier.parsing.units import CURRENCIES, Unit, convert, from_chinese, parse_unit
from mstar.rewards.verifier.parsing.vocabulary import NO_UNIT, REFUSED, listed

Writing = Literal["digits", "fraction", "closed form", "unevaluated"]
"""How a number is written; ``closed form``: such as 5 sqrt(3), ``unevaluated``: such as 3 + 4."""

LONGEST = 400  # characters
_LEAD = re.compile(  # prefixes that don't change the number
    r"^(?:[=-]>|[=≈:~\s∴⇒→✓✔✅]|(?:approximately|approx\.?|about|roughly|around|exactly)\b"
    r"|(?:so|thus|hence|therefore|then)\b,?(?: we (?:get|have|find|obtain))?)+",
    re.I,
)
_LABEL = re.compile(r"[a-zA-Z\\∠△α-ωµ{][a-zA-Z0-9_{}()\\ '∠△α-ωµ°-]{0,60}")
_ASKED = re.compile(
    r"(?:[A-Z]{2}|[a-zA-Zα-ω])(?:\s?[-+*/]\s?(?:[A-Z]{2}|[a-zA-Zα-ω])){1,5}|\|[A-Z]{2}\|"
)
_WORD_GROUP = re.compile(r"\{\s*([a-zA-Z%°&][a-zA-Z%°&. ]*)\s*\}")
_UNIT_FRACTION = re.compile(
    r"\\frac ?\{+([a-zA-Z]+(?:\^\{?\d\}?)?)\}+ ?\{+([a-zA-Z]+\}?(?:\^\{?\d\}?)?)\}+"
)
_TIMES = re.compile(r"(?<=\d)\s?[xX]\s?(?=\d)")
_UNIT_BESIDE = re.compile(r"[$€£¥₹]|(?<=\d)\s?/?\s?[a-zA-Z°]+(?:\^\{?\d\}?)?")
_TWO_SIGNS = re.compile(r"[-+]\s*\(?\s*[-+]")
_TAIL = re.compile(
    r"\\[a-zA-Z]+|\d[eE][-+]?\d+|_e(?![a-zA-Z])"
    r"|(?:(?:arc)?(?:sin|cos|tan)|ln|log|exp|sqrt|pi)(?![a-zA-Z])|([a-zA-Z°$€£¥₹¢µΩ\"'])"
)
NOUN = re.compile(r"[a-zA-Z][a-zA-Z'-]+(?:[ /][a-zA-Z][a-zA-Z'-]*){0,6}(?:\^\d)?")
_TIMES_TEN = re.compile(r"(?<=\d)\s?[xX]\s?(?=10\s?\^)")
_APOSTROPHE = re.compile(r"(?<=\d)'(?=\d{3}(?!\d))")
_AND_PART = re.compile(r"(?<=\d) and (a half|a quarter|three quarters)\b")
_PART_AFTER = re.compile(r"\b([a-zA-Z]+) and (a half|a quarter|three quarters)$")
_AND_FRACTION = re.compile(r"(?<=\d) and (?=\d{1,3}/\d|\\frac)")
_MINUS_WORD = re.compile(r"(?:minus|negative) ", re.IGNORECASE)
_NEXT_PART = re.compile(
    r"(?<=[a-zA-Z'\"°])(?:,? (?:and|&) |, ?| {1,3}|)(?=\d)|(?<=[a-z])(?:,? and |, )(?=[a-z])"
    r"|(?:(?<=hour)|(?<=hours)|(?<=minutes)|(?<=dollars)|(?<=feet)|(?<=days)) (?=[a-z])"
)
_VERBS = listed(
    """is are was were would because since equals should must can could will may might has have do
    does"""
)
_EACH = re.compile(r"per\b|an?\b|each\b|/")
_RANKS = listed("st nd rd th")  # 9th is no 9
_GOES_ON = listed("and or but past o'clock")  # 7 and counting; a quarter past
_SUFFIXES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit.

    Attributes:
        value: the number in its own unit; a percentage in per cent.
        writing: how it is written; ``unevaluated`` is a calculation with a rational result.
        decimals: number of decimals; None if it is not written in plain digits.
        unit: the unit, if it is a known one.
        noun: the words after the number, including its unit.
        percent: whether it is in per cent.
        nearly: the rounded number after ``≈``.
    """

    value: Value
    writing: Writing
    decimals: int | None = None
    unit: Unit | None = None
    noun: str = ""
    percent: bool = False
    nearly: Quantity | None = None


def read_quantity(text: str) -> Quantity | None:
    """The one number in a text, with its unit; None if there is none or several."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    plain_text = plain(text)
    if not plain_text or plain_text.endswith("?"):
        return None
    if not plain_text.isascii():
        plain_text = from_chinese(plain_text)
    if "\\frac" in plain_text:
        plain_text = _UNIT_FRACTION.sub(
            lambda found: f"{found[1]}/{found[2].replace('}', '')}", plain_text
        )
    if "{" in plain_text:
        plain_text = " ".join(_WORD_GROUP.sub(r" \1 ", _unwrapped(plain_text)).split())
    exact, *rounded = plain_text.rsplit("≈", 1)
    if not rounded or not _LEAD.sub("", exact):
        return _labelled(plain_text)
    unrounded = _labelled(exact)
    if unrounded is None:  # x ≈ 12
        return _labelled(f"{exact}={rounded[0]}")
    return _rounded(unrounded, _labelled(rounded[0]))


def _rounded(exact: Quantity, rounded: Quantity | None) -> Quantity | None:
    """Both sides of ``5π ≈ 15.7``, where the second is the first one rounded."""
    if rounded is None or rounded.decimals is None:
        return None
    distance = abs(decimal(exact.value) - decimal(rounded.value))
    near = distance <= Decimal(6).scaleb(-rounded.decimals - 1)
    return replace(exact, nearly=rounded) if near and exact.percent == rounded.percent else None


def _labelled(text: str) -> Quantity | None:
    """The quantity after ``x =`` or ``total:``; the left side must not contradict it."""
    text = _LEAD.sub("", text.strip()).rstrip(" .,;:")
    *before, last = text.replace(":=", "=").split("=")
    if not before and ":" in text:
        label, _, value = text.partition(":")
        if _LABEL.fullmatch(label) and not REFUSED & set(label.casefold().split()):
            return _labelled(value)
    last = _LEAD.sub("", last.strip())
    quantity = _annotated(_TIMES.sub("*", last) if before else last)
    if quantity is None:
        return None
    for each in map(str.strip, before):
        if _LABEL.fullmatch(each) and not REFUSED & set(each.casefold().split()):
            continue
        if _ASKED.fullmatch(each):
            continue
        each = _TIMES.sub("*", each)
        other = _annotated(each) or _annotated(_UNIT_BESIDE.sub("", each))
        if other is None or not close(other.value, quantity.value):
            return None
        if quantity.writing == "unevaluated" != other.writing:  # 8 = 2^3
            quantity = other
    return quantity


def _annotated(text: str) -> Quantity | None:
    """A quantity, possibly repeated in parentheses after it."""
    text = _unwrapped(text)
    quantity = read_measure(text)
    if quantity is not None or not text.endswith(")") or " (" not in text:
        return quantity
    main, _, note = text[:-1].rpartition(" (")
    quantity, repeated = map(read_measure, (main.strip(), _TIMES.sub("*", note.strip())))
    if quantity is None:
        return None
    if repeated is not None:
        value: Value | None = repeated.value
        if quantity.unit is not None and repeated.unit is not None:
            value = convert(repeated.value, repeated.unit, quantity.unit)
        return quantity if value is not None and close(quantity.value, value) else None
    return quantity if NOUN.fullmatch(note) and not REFUSED & set(note.split()) else None


def _unwrapped(text: str) -> str:
    while len(text) > 1 and text[0] + text[-1] in ("{}", "()", '""', "''", "``"):
        inner, opening, closing = text[1:-1], text[0], text[-1]
        if opening in "{(" and (
            inner.count(opening) != inner.count(closing)
            or inner.find(closing) < inner.find(opening)
        ):
            break
        text = inner.strip()
    return text


def read_measure(text: str) -> Quantity | None:
    """A number with its unit or noun, or a sum of parts such as ``1 hour 40 minutes``."""
    return _single(text) or _compound(text)


def _single(text: str) -> Quantity | None:
    """A single number with its unit or noun."""
    sign = ""
    if spoken := _MINUS_WORD.match(text):
        text = "-" + text[spoken.end() :]
    if text[:1] in "-+" and text[1:].lstrip()[:1] in CURRENCIES and len(text) > 1:
        sign, text = text[0], text[1:].lstrip()
    money = re.match(r"(?:US)?([$€£¥₹])\s?|(USD|EUR|GBP|Rs\.?)\s", text)
    currency = ""
    if money:
        currency = money[1] or {"USD": "$", "EUR": "€", "GBP": "£"}.get(money[2], "₹")
        text = text[money.end() :]
    text = _AND_PART.sub(
        lambda found: {"a half": " 1/2", "a quarter": " 1/4"}.get(found[1], " 3/4"), text
    )
    text = _AND_FRACTION.sub(" ", _TIMES_TEN.sub("*", text))
    text = _APOSTROPHE.sub(",", text)
    head, tail = _split(text)
    quantity = _in_digits(sign + head) if head.strip("-") else _in_words(text.removeprefix("-"))
    if quantity is not None and head == "-":
        quantity = replace(quantity, value=-quantity.value)
    if quantity is None:
        return None
    if head.strip("-"):
        quantity = _with_tail(quantity, tail)
    if quantity is not None and currency:
        if quantity.unit is not None and _EACH.match(tail.strip()):  # $8 per pound
            return replace(quantity, unit=parse_unit(f"{currency} {tail.strip()}"))
        if quantity.unit is not None or quantity.percent:
            return None
        return replace(quantity, unit=parse_unit(currency))
    return quantity


def _split(text: str) -> tuple[str, str]:
    """Split a text into the formula at its start and the words after it."""
    for match in _TAIL.finditer(text):
        if match.group(1):
            return text[: match.start()].rstrip(" {(*"), text[match.start() :]
    return text, ""


def _in_digits(head: str) -> Quantity | None:
    percent = head.endswith("%")
    if _TWO_SIGNS.match(head):
        return None
    try:
        tree = parse(head.removesuffix("%"))
        value = evaluate(tree)
    except UnreadableError:
        return None
    return Quantity(value, *how_written(tree, value), percent=percent)


def _in_words(text: str) -> Quantity | None:
    match = _PART_AFTER.search(text)
    if match and match[1].casefold() not in NUMBER_WORDS:  # an hour and a half
        text = f"{text[: match.start()]}and {match[2]} {match[1]}"
    words = text.split()
    if [word.casefold() for word in words[:2]] == ["one", "of"]:  # "one of them" counts nothing
        return None
    for count in range(min(len(words), 12), 0, -1):
        value = number_words(" ".join(words[:count]))
        if value is not None and text.casefold() not in ("a", "an"):
            tail = re.sub(r"^(?:of )?an? ", "", " ".join(words[count:]))
            return _with_tail(
                Quantity(value, "digits", 0 if value.denominator == 1 else None), tail
            )
    return None


def _with_tail(quantity: Quantity, tail: str) -> Quantity | None:
    """The quantity with the scale, unit or noun after its number; None if that is not one."""
    tail = tail.replace("{", "").replace("}", "").replace(")", "").strip(" .*-")
    first, _, rest = tail.partition(" ")
    scale = SCALES.get(first.lower()) or _SUFFIXES.get(first)
    if scale and not (first == "K" and rest):
        quantity = replace(quantity, value=quantity.value * scale, decimals=None)
        tail = rest.removeprefix("of ").strip()
    if not tail:
        return quantity
    if first.casefold() in DIGIT_PARTS:  # 7 hundredths
        if quantity.writing != "digits" or NUMBER_WORDS & set(rest.casefold().split()):
            return None
        part = quantity.value / DIGIT_PARTS[first.casefold()]
        quantity, tail = replace(quantity, value=part, decimals=None), rest.removeprefix("of ")
        return _with_tail(replace(quantity, writing="fraction"), tail)
    if "percentage point" in tail or first in _RANKS | _GOES_ON:
        return None
    if tail.casefold() in ("percent", "per cent", "pct", "percentage"):
        return None if quantity.percent else replace(quantity, percent=True)
    unit = parse_unit(tail)
    if unit is None:
        if first.casefold() in _VERBS or COUNTING & set(
            re.split(r"[\s-]", tail.casefold())
        ):  # a second number
            return None
        if not NOUN.fullmatch(tail) or REFUSED & set(tail.casefold().split()):
            return None
        unit = _leading_unit(tail)
    if unit is not None and quantity.percent:
        return None
    return replace(quantity, unit=unit, noun=tail)


def _leading_unit(tail: str) -> Unit | None:
    """The unit at the start, as in ``years old``; not the preposition of ``in total``."""
    words = tail.split()
    stop = next((i for i, word in enumerate(words) if i and word in NO_UNIT), len(words) - 1)
    for count in range(stop, 0, -1):
        head = " ".join(words[:count])
        if len(head) > 1 and head != "in" and (unit := parse_unit(head)):
            return unit
    return None


def _compound(text: str) -> Quantity | None:
    """``1 hour 40 minutes``: the sum of parts in decreasing units of one dimension."""
    parts = _NEXT_PART.split(text)
    if not 2 <= len(parts) <= 4:
        return None
    total: Quantity | None = None
    smallest: Value | None = None
    for part in parts:
        each = _single(part.strip())
        if each is None or each.unit is None or each.writing == "unevaluated":
            return None
        if total is None or total.unit is None or smallest is None:
            total, smallest = each, each.unit.factor
            continue
        added = convert(each.value, each.unit, total.unit)
        if added is None or decimal(each.unit.factor) >= decimal(smallest):
            return None
        if not isinstance(added, Fraction) or not isinstance(total.value, Fraction):
            return None
        total, smallest = replace(total, value=total.value + added, decimals=None), each.unit.factor
    return total


def how_written(tree: Tree, value: Value) -> tuple[Writing, int | None]:
    """How a formula is written, and its number of decimals; None if it is not a decimal."""
    while tree[0] in ("negative", "percent"):
        tree = tree[1]
    if tree[0] == "number":
        return ("digits", tree[1].decimals) if tree[2] == "digits" else ("fraction", None)
    if isinstance(value, Decimal):
        return "closed form", None
    if _is_scientific(tree):
        return "digits", None
    if tree[0] == "divide" and all(_is_integer(part) for part in tree[1:]):
        return "fraction", None
    return "unevaluated", None


def _is_integer(tree: Tree) -> bool:
    tree = tree[1] if tree[0] == "negative" else tree
    return bool(tree[0] == "number" and tree[1].value.denominator == 1 and tree[2] == "digits")


def _is_scientific(tree: Tree) -> bool:
    """A power of ten, or a number times one."""
    if tree[0] == "multiply":
        first = tree[1][1] if tree[1][0] == "negative" else tree[1]
        if first[0] != "number":
            return False
        tree = tree[2]
    is_power = tree[0] == "power" and tree[1][0] == "number" and _is_integer(tree[2])
    return bool(is_power and tree[1][1].value == 10)
