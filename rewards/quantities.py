"""A number with its unit, read from what somebody wrote as an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from mstar.rewards.arithmetic import Value, close, decimal, evaluate
from mstar.rewards.characters import BIDI
from mstar.rewards.formula import UnreadableError, parse
from mstar.rewards.latex import plain
from mstar.rewards.numerals import NUMBER_WORDS, SCALES, number_words
from mstar.rewards.units import CURRENCIES, Unit, convert, parse_unit
from mstar.rewards.vocabulary import REFUSED
from mstar.rewards.writing import Writing, how_written

LONGEST = 400  # characters
_APPROXIMATELY = re.compile(
    r"^(?:[=≈:~\s]|(?:approximately|approx\.?|about|roughly|around|exactly)\b)+", re.I
)
_LABEL = re.compile(r"[a-zA-Z\\∠△θ][a-zA-Z0-9_{}()\\ '∠△θ°-]{0,60}")
_TAIL = re.compile(r"\\[a-zA-Z]+|\d[eE][-+]?\d+|sqrt|pi(?![a-zA-Z])|([a-zA-Z°$€£¥₹¢µΩ\"'])")
_NOUN = re.compile(r"[a-zA-Z][a-zA-Z'-]+(?:[ /][a-zA-Z][a-zA-Z'-]*){0,6}(?:\^\d)?")
_TIMES_TEN = re.compile(r"(?<=\d)\s?[xX]\s?(?=10\s?\^)")
_APOSTROPHE = re.compile(r"(?<=\d)'(?=\d{3}(?!\d))")
_AND_PART = re.compile(r"(?<=\d) and (a half|a quarter|three quarters)\b")
_PART_AFTER = re.compile(r"\b([a-zA-Z]+) and (a half|a quarter|three quarters)$")
_AND_FRACTION = re.compile(r"(?<=\d) and (?=\d{1,3}/\d|\\frac)")
_MINUS_WORD = re.compile(r"(?:minus|negative) ", re.IGNORECASE)
_NEXT_PART = re.compile(
    r"(?<=[a-zA-Z'\"°])(?:,? and |, ?| |)(?=\d)|(?<=[a-z])(?:,? and |, )(?=[a-z])"
)
_SUFFIXES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was written.

    Attributes:
        value: without its unit; a percentage is left in per cent.
        writing: how it was written; ``unevaluated`` is a calculation with a rational result.
        decimals: how many decimals the digits show; None where they aren't plain digits.
        unit: the unit, if it is a known one.
        noun: the words after the number, its unit among them.
        percent: whether it is in per cent.
    """

    value: Value
    writing: Writing
    decimals: int | None = None
    unit: Unit | None = None
    noun: str = ""
    percent: bool = False


def read_quantity(text: str) -> Quantity | None:
    """The one number that a text states, with its unit; None if it states none or several."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    said = plain(text)
    return _labelled(said) if said and not said.endswith("?") else None


def _labelled(said: str) -> Quantity | None:
    """After ``x =`` or ``total:``; what stands before an equals sign must not contradict."""
    said = _APPROXIMATELY.sub("", said.strip()).rstrip(" .,;:")
    *before, last = said.split("=")
    if not before and ":" in said:
        label, _, value = said.partition(":")
        if _LABEL.fullmatch(label) and not REFUSED & set(label.casefold().split()):
            return _labelled(value)
    quantity = _annotated(_APPROXIMATELY.sub("", last.strip()))
    if quantity is None:
        return None
    for each in map(str.strip, before):
        if _LABEL.fullmatch(each) and not REFUSED & set(each.casefold().split()):
            continue
        other = _annotated(each)
        if other is None or not close(other.value, quantity.value):
            return None
    return quantity


def _annotated(said: str) -> Quantity | None:
    """A quantity, perhaps said again in parentheses after it."""
    said = _unwrapped(said)
    quantity = _single(said) or _compound(said)
    if quantity is not None or not said.endswith(")") or " (" not in said:
        return quantity
    main, _, note = said[:-1].rpartition(" (")
    quantity, again = _single(main.strip()), _single(note.strip())
    if quantity is None:
        return None
    if again is not None:
        return quantity if close(quantity.value, again.value) else None
    return quantity if _NOUN.fullmatch(note) and not REFUSED & set(note.split()) else None


def _unwrapped(said: str) -> str:
    while len(said) > 1 and said[0] + said[-1] in ("{}", '""', "''", "``"):
        inner = said[1:-1]
        if said[0] == "{" and (
            inner.count("{") != inner.count("}") or inner.find("}") < inner.find("{")
        ):
            break
        said = inner.strip()
    return said


def _single(said: str) -> Quantity | None:
    """One number and what follows it."""
    sign = ""
    if spoken := _MINUS_WORD.match(said):
        said = "-" + said[spoken.end() :]
    if said[:1] in "-+" and said[1:].lstrip()[:1] in CURRENCIES and len(said) > 1:
        sign, said = said[0], said[1:].lstrip()
    money = re.match(r"(?:US)?([$€£¥₹])\s?|(USD|EUR|GBP|Rs\.?)\s", said)
    currency = ""
    if money:
        currency = money[1] or {"USD": "$", "EUR": "€", "GBP": "£"}.get(money[2], "₹")
        said = said[money.end() :]
    said = _AND_PART.sub(
        lambda found: {"a half": " 1/2", "a quarter": " 1/4"}.get(found[1], " 3/4"), said
    )
    said = _AND_FRACTION.sub(" ", _TIMES_TEN.sub("*", said))
    said = _APOSTROPHE.sub(",", said)
    head, tail = _split(said)
    quantity = _in_digits(sign + head) if head.strip("-") else _in_words(said.removeprefix("-"))
    if quantity is not None and head == "-":
        quantity = replace(quantity, value=-quantity.value)
    if quantity is None:
        return None
    if head.strip("-"):
        quantity = _with_tail(quantity, tail)
    if quantity is not None and currency:
        if quantity.unit is not None or quantity.percent:
            return None
        return replace(quantity, unit=parse_unit(currency))
    return quantity


def _split(said: str) -> tuple[str, str]:
    """The formula at the start, and the words after it."""
    for found in _TAIL.finditer(said):
        if found.group(1):
            return said[: found.start()].rstrip(" {(*"), said[found.start() :]
    return said, ""


def _in_digits(head: str) -> Quantity | None:
    try:
        tree = parse(head)
        value = evaluate(tree)
    except UnreadableError:
        return None
    percent = tree[0] == "percent" or (tree[0] == "negative" and tree[1][0] == "percent")
    return Quantity(value * 100 if percent else value, *how_written(tree, value), percent=percent)


def _in_words(said: str) -> Quantity | None:
    found = _PART_AFTER.search(said)
    if found and found[1].casefold() not in NUMBER_WORDS:  # an hour and a half
        said = f"{said[: found.start()]}and {found[2]} {found[1]}"
    words = said.split()
    for count in range(min(len(words), 12), 0, -1):
        value = number_words(" ".join(words[:count]))
        if value is not None:
            tail = re.sub(r"^(?:of )?an? ", "", " ".join(words[count:]))
            return _with_tail(
                Quantity(value, "digits", 0 if value.denominator == 1 else None), tail
            )
    return None


def _with_tail(quantity: Quantity, tail: str) -> Quantity | None:
    """The quantity with the scale, the unit or the noun that stands after its number."""
    tail = tail.replace("{", "").replace("}", "").replace(")", "").strip(" .*-")
    first, _, rest = tail.partition(" ")
    scale = SCALES.get(first.lower()) or _SUFFIXES.get(first)
    if scale and not (first == "K" and rest):
        quantity = replace(quantity, value=quantity.value * scale, decimals=None)
        tail = rest.removeprefix("of ").strip()
    if not tail:
        return quantity
    if tail.casefold() in ("percent", "per cent", "pct", "percentage"):
        return None if quantity.percent else replace(quantity, percent=True)
    unit = parse_unit(tail)
    if unit is None:
        if not _NOUN.fullmatch(tail) or REFUSED & set(tail.casefold().split()):
            return None
        unit = _leading_unit(tail)
    if unit is not None and quantity.percent:
        return None
    return replace(quantity, unit=unit, noun=tail)


def _leading_unit(tail: str) -> Unit | None:
    """The unit of ``years old``; not the preposition of ``in total``."""
    words = tail.split()
    for count in range(len(words) - 1, 0, -1):
        head = " ".join(words[:count])
        if len(head) > 1 and head != "in" and (unit := parse_unit(head)):
            return unit
    return None


def _compound(said: str) -> Quantity | None:
    """``1 hour 40 minutes``: parts in ever smaller units of one kind, added up."""
    parts = _NEXT_PART.split(said)
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
