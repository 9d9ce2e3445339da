"""The one amount that an answer states: bare, after a label, or as the end of an equation."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from mstar.rewards.verifier.parsing.arithmetic import Value, close, decimal
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.measures import NOUN, Quantity, read_measure
from mstar.rewards.verifier.parsing.units import convert
from mstar.rewards.verifier.parsing.vocabulary import REFUSED

LONGEST = 400  # characters
_LEAD = re.compile(  # what may stand before the number without changing it
    r"^(?:[=-]>|[=≈:~\s∴⇒→✓✔✅]|(?:approximately|approx\.?|about|roughly|around|exactly)\b"
    r"|(?:so|thus|hence|therefore|then)\b,?(?: we (?:get|have|find|obtain))?)+",
    re.I,
)
_LABEL = re.compile(r"[a-zA-Z\\∠△α-ωµ{][a-zA-Z0-9_{}()\\ '∠△α-ωµ°-]{0,60}")
_ASKED = re.compile(r"[a-zA-Zα-ω](?:\s?[-+*/]\s?[a-zA-Zα-ω]){1,5}|\|[A-Z]{2}\|")
_WORD_GROUP = re.compile(r"\{\s*([a-zA-Z%°&][a-zA-Z%°&. ]*)\s*\}")
_UNIT_FRACTION = re.compile(
    r"\\frac ?\{+([a-zA-Z]+(?:\^\{?\d\}?)?)\}+ ?\{+([a-zA-Z]+\}?(?:\^\{?\d\}?)?)\}+"
)
_TIMES = re.compile(r"(?<=\d)\s?[xX]\s?(?=\d)")
_UNIT_BESIDE = re.compile(r"[$€£¥₹]|(?<=\d)\s?[a-zA-Z°]+(?:\^\{?\d\}?)?")


def read_quantity(text: str) -> Quantity | None:
    """The one number that a text states, with its unit; None if it states none or several."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    said = plain(text)
    if not said or said.endswith("?"):
        return None
    if "\\frac" in said:
        said = _UNIT_FRACTION.sub(lambda found: f"{found[1]}/{found[2].replace('}', '')}", said)
    if "{" in said:
        said = " ".join(_WORD_GROUP.sub(r" \1 ", _unwrapped(said)).split())
    exact, *rounded = said.rsplit("≈", 1)
    if not rounded or not _LEAD.sub("", exact):
        return _labelled(said)
    unrounded = _labelled(exact)
    if unrounded is None:  # x ≈ 12
        return _labelled(f"{exact}={rounded[0]}")
    return _rounded(unrounded, _labelled(rounded[0]))


def _rounded(exact: Quantity, rounded: Quantity | None) -> Quantity | None:
    """Both sides of ``5π ≈ 15.7``, where the second is the first one with fewer digits."""
    if rounded is None or rounded.decimals is None:
        return None
    distance = abs(decimal(exact.value) - decimal(rounded.value))
    near = distance <= Decimal(6).scaleb(-rounded.decimals - 1)
    return replace(exact, nearly=rounded) if near and exact.percent == rounded.percent else None


def _labelled(said: str) -> Quantity | None:
    """After ``x =`` or ``total:``; what stands before an equals sign must not contradict."""
    said = _LEAD.sub("", said.strip()).rstrip(" .,;:")
    *before, last = said.replace(":=", "=").split("=")
    if not before and ":" in said:
        label, _, value = said.partition(":")
        if _LABEL.fullmatch(label) and not REFUSED & set(label.casefold().split()):
            return _labelled(value)
    quantity = _annotated(_LEAD.sub("", last.strip()))
    if quantity is None:
        return None
    for each in map(str.strip, before):
        if _LABEL.fullmatch(each) and not REFUSED & set(each.casefold().split()):
            continue
        if _ASKED.fullmatch(each):
            continue
        other = _annotated(each) or _annotated(_UNIT_BESIDE.sub("", each))
        if other is None or not close(other.value, quantity.value):
            return None
        if quantity.writing == "unevaluated" != other.writing:  # 8 = 2^3
            quantity = other
    return quantity


def _annotated(said: str) -> Quantity | None:
    """A quantity, perhaps said again in parentheses after it."""
    said = _unwrapped(said)
    quantity = read_measure(said)
    if quantity is not None or not said.endswith(")") or " (" not in said:
        return quantity
    main, _, note = said[:-1].rpartition(" (")
    quantity, again = map(read_measure, (main.strip(), _TIMES.sub("*", note.strip())))
    if quantity is None:
        return None
    if again is not None:
        value: Value | None = again.value
        if quantity.unit is not None and again.unit is not None:
            value = convert(again.value, again.unit, quantity.unit)
        return quantity if value is not None and close(quantity.value, value) else None
    return quantity if NOUN.fullmatch(note) and not REFUSED & set(note.split()) else None


def _unwrapped(said: str) -> str:
    while len(said) > 1 and said[0] + said[-1] in ("{}", '""', "''", "``"):
        inner = said[1:-1]
        if said[0] == "{" and (
            inner.count("{") != inner.count("}") or inner.find("}") < inner.find("{")
        ):
            break
        said = inner.strip()
    return said
