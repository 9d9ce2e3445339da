"""The answer types ``list``, ``set`` and ``tuple``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.number import read_amount, same_amount
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.prose import sentences
from mstar.rewards.verifier.text import read_text, same_text

LONGEST, ITEMS = 2_000, 200  # characters; items
_OPENING, _CLOSING = "([{", ")]}"
_NAME = re.compile(r"\s*(∠?[a-zA-Z]{1,3}(?:_\{?\w{1,3}\}?)?)\s*=\s*(?!=)")
_HEDGE = re.compile(r"[?]|\b(?:or|maybe|perhaps|either|not|any)\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|maybe|perhaps|possibly|probably|could|might|opposite|nearly|almost)\b", re.I
)
_SOLUTIONS = re.compile(
    r"([a-zA-Z]) ?= ?[^=,]{1,40}(?: or (?:\1 ?= ?)?(?:(?! or )[^=,]){1,40}){1,7}"
)
_SIGN = re.compile(r"\s*±\s*")
_NUMBERS = re.compile(r"-?[\d./]{1,20}(?:(?:,|,? or) -?[\d./]{1,20}){1,7}")
_LABEL = re.compile(
    r"^[A-Z](?=\([^()]*,)|^[a-zA-Z][a-zA-Z ]{0,40}[:=]\s*(?=[(\[{])"
    r"|^(?:they|these|the [a-z]+) are:? "
    r"|^[a-zA-Z]\s?∈\s?(?=[(\[{])|^\([a-zA-Z](?:, ?[a-zA-Z]){1,3}\)\s?=\s?|^the list is:? "
    r"|^(?:[a-zA-Z]{2,20} ){1,6}(?=\([^a-zA-Z])"
    r"|^(?:the )?(?:correct )?(?:options|choices|statements|answers)(?: are)?:? (?=\(?[A-H]\b)",
    re.I,
)
_OPTIONS = re.compile(r"[A-H]{2,8}")  # AC
_JOINING_WORD = re.compile(r"\s*\{\s*(and|or|,|;)\s*\}\s*")
_NO_ITEMS = frozenset(
    ("{}", "[]", "()", "\\{\\}", "\\emptyset", "\\varnothing", "∅", "emptyset", "nosolution")
)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items, with or without brackets.

    Attributes:
        brackets: the pair around the items, such as ``()``; "" if there is none.
        splits: possible ways to split the text into items, the likeliest first: ``1,234`` may be
            two items or one.
    """

    brackets: str
    splits: tuple[tuple[str, ...], ...]


def read_sequence(text: str, answer: Answer) -> Sequence | None:
    """The items of a list, set or tuple; None if the text hedges or is too long."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    if text.replace(" ", "").strip("$.").casefold().removesuffix("s") in _NO_ITEMS:
        return Sequence("", ())
    plain_text = _JOINING_WORD.sub(_spaced, plain(text).rstrip(" .")).replace("&", "and")
    if _DENIED.search(plain_text):
        return None
    plain_text = _LABEL.sub("", plain_text).strip()
    if answer.type == "set" and (
        _SOLUTIONS.fullmatch(plain_text) or _NUMBERS.fullmatch(plain_text)
    ):
        plain_text = plain_text.replace(" or ", ", ")
    if not plain_text or _HEDGE.search(plain_text):
        return None
    brackets = ""
    if plain_text[0] == "{" and answer.type != "set" and _is_wrapped(plain_text[1:-1].strip()):
        plain_text = plain_text[1:-1].strip()
    if _is_interval(plain_text):
        return None
    if _is_wrapped(plain_text):
        brackets, plain_text = plain_text[0] + plain_text[-1], plain_text[1:-1].strip()
    splits = dict.fromkeys(
        tuple(_named_in_order(_top_level(plain_text, marks)))
        for marks in (
            (",", ";"),
            (",", ";", " and "),
            (", ", ";", " and "),
            ("->", "→", ">"),
            ("<",),
            ("\n",),
            (" ",),
        )
        if marks != (" ",) or re.fullmatch(r"[-+\d./\s]+|(?:[a-zA-Z] +)+[a-zA-Z]", plain_text)
    )
    if _OPTIONS.fullmatch(plain_text):
        splits[tuple(plain_text)] = None
    readable = tuple(split for split in splits if all(split) and len(split) <= ITEMS)
    return Sequence(brackets, readable) if readable or not plain_text else None


def _spaced(match: re.Match[str]) -> str:
    return f"{match[1]} " if match[1] in ",;" else f" {match[1]} "


def same_sequence(reference: Sequence, predicted: Sequence, answer: Answer) -> MatchResult:
    """Compare item by item; for a set in any order, without counting duplicates."""
    if answer.type == "tuple" and predicted.brackets == "{}":
        return MatchResult(False, "a set is no tuple")
    if not reference.splits or not predicted.splits:
        return MatchResult(reference.splits == predicted.splits, "empty")
    items = _both_signs(reference.splits[0])
    in_any_order = answer.type == "set" or items != reference.splits[0]
    for split in map(_both_signs, predicted.splits):
        if in_any_order:
            same = _covers(items, split, answer) and _covers(split, items, answer)
        else:
            same = len(items) == len(split) and all(
                same_item(one, other, answer) for one, other in zip(items, split, strict=True)
            )
        if same:
            return MatchResult(True, "same items")
    return MatchResult(False, "other items")


def same_item(reference: str, predicted: str, answer: Answer) -> bool:
    """Whether two items are the same amount, the same nested list, or the same words."""
    if reference[:1] in _OPENING and _is_wrapped(reference) and "," in reference:
        inner = replace(answer, type="list")
        reference_items, predicted_items = (
            read_sequence(reference, inner),
            read_sequence(predicted, inner),
        )
        return bool(
            reference_items
            and predicted_items
            and same_sequence(reference_items, predicted_items, inner).same
        )
    number = Answer("number", reference, unit=answer.unit, tolerance=answer.tolerance)
    one, other = read_amount(reference, number), read_amount(predicted, number)
    if one is not None:
        return other is not None and bool(same_amount(one, other, number).same)
    if len(sentences(predicted)) != len(sentences(reference)):  # "blue. green" is no item
        return False
    words, others = read_text(reference, answer), read_text(predicted, answer)
    return bool(words and others and same_text(words, others, answer).same)


def _both_signs(items: tuple[str, ...]) -> tuple[str, ...]:
    """The items with two in the place of each that has a ``±``."""
    if not any(item.count("±") == 1 for item in items):
        return items
    signed = [tuple(_SIGN.sub(sign, item) for sign in "+-") for item in items]
    return tuple(dict.fromkeys(each.removeprefix("+").strip() for pair in signed for each in pair))


def _covers(items: tuple[str, ...], others: tuple[str, ...], answer: Answer) -> bool:
    return all(any(same_item(item, other, answer) for other in others) for item in items)


def _is_wrapped(text: str) -> bool:
    """Whether one pair of brackets encloses the whole text."""
    if len(text) < 2 or text[0] not in _OPENING or text[-1] not in _CLOSING:
        return False
    depth = 0
    for index, sign in enumerate(text):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            return index == len(text) - 1
    return False


def _is_interval(text: str) -> bool:
    """Whether a text has the brackets of a half-open interval: ``[0, 9)``."""
    return text[:1] + text[-1:] in ("[)", "(]") and not any(b in text[1:-1] for b in "[]()")


def _top_level(text: str, marks: tuple[str, ...]) -> list[str]:
    """The parts between separators that are outside of all brackets."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        depth += (text[position] in _OPENING) - (text[position] in _CLOSING)
        mark = next((m for m in marks if depth == 0 and text.startswith(m, position)), None)
        if mark is not None and (mark not in (",", ";") or text[start:position].strip()):
            parts.append(text[start:position])
            position += len(mark)
            start = position
        else:
            position += 1
    parts.append(text[start:])
    items = [part.strip().removeprefix("and ").strip(" \"'") for part in parts]
    return items[:-1] if len(items) > 1 and not items[-1] else [item for item in items if item]


def _named_in_order(items: list[str]) -> list[str]:
    """The values of named coordinates, in the order of the names; other items as they are."""
    named = [_NAME.match(item) for item in items]
    if not items or not all(named):
        return items
    pairs = [
        (found[1], item[found.end() :]) for found, item in zip(named, items, strict=True) if found
    ]
    if len({name for name, _ in pairs}) > 1:
        pairs.sort(key=lambda pair: pair[0])
    return [value.strip() for _, value in pairs]
