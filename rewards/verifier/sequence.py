"""Lists, sets and tuples: several answers in one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.number import read_amount, same_amount
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.text import read_text, same_text

LONGEST, ITEMS = 2_000, 200
_OPENING, _CLOSING = "([{", ")]}"
_NAME = re.compile(r"\s*([a-zA-Z](?:_\{?\w{1,3}\}?)?)\s*=\s*(?!=)")
_HEDGE = re.compile(r"[?]|\b(?:or|maybe|perhaps|either|not|any)\b", re.IGNORECASE)
_SOLUTIONS = re.compile(
    r"([a-zA-Z]) ?= ?[^=,]{1,40}(?: or (?:\1 ?= ?)?(?:(?! or )[^=,]){1,40}){1,7}"
)
_LABEL = re.compile(
    r"^[A-Z](?=\()|^[a-zA-Z][a-zA-Z ]{0,40}[:=]\s*(?=[(\[{])|^(?:they|these|the [a-z]+) are:? "
    r"|^[a-zA-Z]\s?∈\s?(?=[(\[{])|^\([a-zA-Z](?:, ?[a-zA-Z]){1,3}\)\s?=\s?|^the list is:? "
    r"|^(?:[a-zA-Z]{2,20} ){1,6}(?=\([^a-zA-Z])",
    re.I,
)
_JOINING_WORD = re.compile(r"\s*\{\s*(and|or|,|;)\s*\}\s*")
_NO_ITEMS = frozenset(("{}", "[]", "()", "\\{\\}", "\\emptyset", "\\varnothing", "∅", "emptyset"))


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items in brackets, or without.

    Attributes:
        brackets: the pair around them, such as ``()``; "" where there is none.
        splits: ways to tell the items apart, the likeliest first: ``1,234`` may be two or one.
    """

    brackets: str
    splits: tuple[tuple[str, ...], ...]


def read_sequence(text: str, answer: Answer) -> Sequence | None:
    """The items of a list, set or tuple; None where it hedges or is too long."""
    if len(text) > LONGEST or BIDI.search(text):
        return None
    if text.replace(" ", "").strip("$.") in _NO_ITEMS:
        return Sequence("", ())
    said = _JOINING_WORD.sub(_spaced, plain(text).rstrip(" .")).replace("&", "and")
    said = _LABEL.sub("", said).strip()
    if answer.type == "set" and _SOLUTIONS.fullmatch(said):
        said = said.replace(" or ", ", ")
    if not said or _HEDGE.search(said):
        return None
    brackets = ""
    if said[0] == "{" and answer.type != "set" and _is_wrapped(said[1:-1].strip()):
        said = said[1:-1].strip()
    if _is_wrapped(said):
        brackets, said = said[0] + said[-1], said[1:-1].strip()
    if answer.type == "set" and said.count("±") == 1:
        said = f"{said.replace('±', '-')}, {said.replace('±', '')}"
    splits = dict.fromkeys(
        tuple(_named_in_order(_top_level(said, marks)))
        for marks in (
            (",", ";"),
            (",", ";", " and "),
            (", ", ";", " and "),
            ("->", "→", ">"),
            ("<",),
            ("\n",),
            (" ",),
        )
        if marks != (" ",) or re.fullmatch(r"[-+\d./\s]+|(?:[a-zA-Z] +)+[a-zA-Z]", said)
    )
    readable = tuple(split for split in splits if all(split) and len(split) <= ITEMS)
    return Sequence(brackets, readable) if readable or not said else None


def _spaced(found: re.Match[str]) -> str:
    return f"{found[1]} " if found[1] in ",;" else f" {found[1]} "


def same_sequence(gold: Sequence, said: Sequence, answer: Answer) -> MatchResult:
    """Item by item; in any order, and each once, for a set."""
    if answer.type == "tuple" and said.brackets == "{}":
        return MatchResult(False, "a set is no tuple")
    if not gold.splits or not said.splits:
        return MatchResult(gold.splits == said.splits, "empty")
    items = gold.splits[0]
    for split in said.splits:
        if answer.type == "set":
            same = _covers(items, split, answer) and _covers(split, items, answer)
        else:
            same = len(items) == len(split) and all(
                same_item(one, other, answer) for one, other in zip(items, split, strict=True)
            )
        if same:
            return MatchResult(True, "same items")
    return MatchResult(False, "other items")


def same_item(gold: str, said: str, answer: Answer) -> bool:
    """Whether two items are the same amount, the same items again, or the same words."""
    if gold[:1] in _OPENING and _is_wrapped(gold) and "," in gold:
        inner = replace(answer, type="list")
        here, there = read_sequence(gold, inner), read_sequence(said, inner)
        return bool(here and there and same_sequence(here, there, inner).same)
    number = Answer("number", gold, unit=answer.unit, tolerance=answer.tolerance)
    one, other = read_amount(gold, number), read_amount(said, number)
    if one is not None:
        return other is not None and bool(same_amount(one, other, number).same)
    words, others = read_text(gold, answer), read_text(said, answer)
    return bool(words and others and same_text(words, others, answer).same)


def _covers(items: tuple[str, ...], others: tuple[str, ...], answer: Answer) -> bool:
    return all(any(same_item(item, other, answer) for other in others) for item in items)


def _is_wrapped(said: str) -> bool:
    """Whether one pair of brackets is around it all."""
    if len(said) < 2 or said[0] not in _OPENING or said[-1] not in _CLOSING:
        return False
    depth = 0
    for place, sign in enumerate(said):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            return place == len(said) - 1
    return False


def _top_level(said: str, marks: tuple[str, ...]) -> list[str]:
    """The parts between marks that no bracket encloses."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(said):
        depth += (said[place] in _OPENING) - (said[place] in _CLOSING)
        mark = next((m for m in marks if depth == 0 and said.startswith(m, place)), None)
        if mark is not None and (mark not in (",", ";") or said[start:place].strip()):
            parts.append(said[start:place])
            place += len(mark)
            start = place
        else:
            place += 1
    parts.append(said[start:])
    items = [part.strip().removeprefix("and ").strip(" \"'") for part in parts]
    return items[:-1] if len(items) > 1 and not items[-1] else [item for item in items if item]


def _named_in_order(items: list[str]) -> list[str]:
    """Named coordinates in the order of their names, without them."""
    named = [_NAME.match(item) for item in items]
    if not items or not all(named):
        return items
    pairs = [
        (found[1], item[found.end() :]) for found, item in zip(named, items, strict=True) if found
    ]
    if len({name for name, _ in pairs}) > 1:
        pairs.sort(key=lambda pair: pair[0])
    return [value.strip() for _, value in pairs]
