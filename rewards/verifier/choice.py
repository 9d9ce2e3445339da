"""Which option does an answer pick?"""

from __future__ import annotations

import re

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.expression import read_formula, same_formula
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.mentions import denied_by, mentions
from mstar.rewards.verifier.parsing.prose import (
    is_spray,
    sentences,
    stated_quantity,
    without_denial,
    without_reason,
)
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.sequence import read_sequence, same_sequence
from mstar.rewards.verifier.text import Words, essence, read_truth, words
from mstar.rewards.verifier.time import read_clock, same_clock

_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\]]?[.:)]?")
_NAMED = re.compile(
    r"(?:option|choice|answer|letter|alternative)\s?:?\s?[(\[]?([A-Za-z])[)\]]?[.:)]?", re.I
)
_LETTER_FIRST = re.compile(
    r"(?:option |choice )?"
    r"(?:[(\[]([A-Za-z])[)\]][.:]?\s?|([A-Za-z])(?:[.:)]\s?| - | = |, | )\s?)(.+)",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[a-zA-Z]\s?[-+*/^]|[-+*/^]\s?[a-zA-Z]|\d[a-zA-Z]")
_LABELLED = re.compile(r"[(\[]?([A-Z])[)\].:]{1,2}\s[^A-Z]*")
_LISTED = re.compile(r"^[ \t*(]{0,4}([A-Za-z])[).:]", re.MULTILINE)
_LETTER_LAST = re.compile(
    r"(.*[^\s,(\[])\s?[,(\[]\s?(?:option |choice |which is )?\(?([A-Z])[)\]]{0,2}"
)


def read_choice(text: str, answer: Answer) -> int | None:
    """The place of the one option that is picked, from 0; None if none or several.

    An option's text goes before its letter, and both must agree where both stand there. A number
    picks the one option that equals it. A number is never a place, and nothing is picked because
    it looks similar.
    """
    said = plain(text).replace("{", "").replace("}", "").strip(" *'\"")
    if not said or BIDI.search(text) or said.endswith("?"):
        return None
    if len({mark.upper() for mark in _LISTED.findall(text)}) > 1:  # the options said again
        return None
    options = answer.choices or ()
    if not options:
        return _letter(
            _LETTER.fullmatch(said) or _NAMED.fullmatch(said) or _LABELLED.fullmatch(said), 26
        )
    place = _as_text(said, options)
    if place is None:
        place = _letter(_LETTER.fullmatch(said) or _NAMED.fullmatch(said), len(options))
    if place is not None:
        return place
    lettered = _lettered(said, options)
    if lettered is not None:
        return lettered if lettered >= 0 else None
    place = _as_value(said, options)
    return _mentioned(text, options) if place is None else place


def same_choice(gold: int, said: int, answer: Answer) -> MatchResult:
    """The same option."""
    return MatchResult(gold == said, "same option" if gold == said else "other option")


def _letter(found: re.Match[str] | None, count: int) -> int | None:
    if found is None:
        return None
    letter = next(group for group in found.groups() if group is not None)
    place = ord(letter.upper()) - ord("A")
    return place if place < count else None


def _as_text(said: str, options: tuple[str, ...]) -> int | None:
    bare = said.replace(" ", "")
    exact = [i for i, option in enumerate(options) if plain(option).replace(" ", "") == bare]
    if len(exact) == 1:
        return exact[0]
    for spelled in dict.fromkeys((words(said), essence(words(said)))):
        places = [i for i, option in enumerate(options) if spelled and words(option) == spelled]
        if len(places) == 1:
            return places[0]
    return None


def _as_value(said: str, options: tuple[str, ...]) -> int | None:
    """The one option that says the same as an amount, a time or a verdict."""
    quantity = stated_quantity(said)
    places: list[int] = []
    if quantity is not None and quantity.writing != "unevaluated":
        places = [i for i, o in enumerate(options) if _same_amount(read_quantity(o), quantity)]
    question = Answer("time", "")
    clock = read_clock(said, question)
    if not places and clock is not None and (quantity is None or quantity.unit is None):
        clocks = [read_clock(option, question) for option in options]
        places = [i for i, c in enumerate(clocks) if c and same_clock(c, clock, question).same]
    if not places:
        places = _as_formula(said, options)
    truths = [read_truth(option, question) for option in options]
    verdicts = truths.count(True) == truths.count(False) == 1
    if not places and verdicts and not mentions(said, options)[0]:
        verdict = read_truth(said, question)
        places = [i for i, truth in enumerate(truths) if truth is not None and truth == verdict]
    return places[0] if len(places) == 1 else None


def _as_formula(said: str, options: tuple[str, ...]) -> list[int]:
    """The options that are the same point, or the same expression with letters."""
    if "," in said or " and " in said:
        point = Answer("tuple", "")
        pair = read_sequence(said, point)
        pairs = [read_sequence(o, point) if o[:1] in "([" else None for o in map(plain, options)]
        return [i for i, o in enumerate(pairs) if o and pair and same_sequence(o, pair, point).same]
    if not _OPERATOR.search(said) or not all(map(_OPERATOR.search, map(plain, options))):
        return []
    question = Answer("expression", "")
    formula = read_formula(said, question)
    if formula is None or not formula.sides:
        return []
    formulas = [read_formula(option, question) for option in options]
    return [
        i
        for i, each in enumerate(formulas)
        if each and each.sides and same_formula(each, formula, question).same
    ]


def _same_amount(option: Quantity | None, said: Quantity) -> bool:
    if option is None or (
        option.noun and said.noun and not option.unit and option.noun != said.noun
    ):
        return False
    return bool(same_amount(option, said, Answer("text", "")).same)


def _lettered(said: str, options: tuple[str, ...]) -> int | None:
    """The option of a letter with words beside it; -1 where the two contradict."""
    first, last = _LETTER_FIRST.fullmatch(said), _LETTER_LAST.fullmatch(said)
    if first is not None:
        place, rest = _letter(first, len(options)), first[3]
        bare = first[2] is not None and said[first.end(2)] == " "
    elif last is not None:
        place, rest, bare = ord(last[2]) - ord("A"), last[1], True
        place = place if place < len(options) else None
    else:
        return None
    if place is None:
        return None
    picked = _as_text(rest.strip(" ."), options)
    picked = _as_value(rest, options) if picked is None else picked
    if picked is None:
        if bare:
            return place if rest.startswith(("because", "since")) else None
        others = mentions(without_reason(rest), options)[0] - {place}
        return -1 if read_quantity(rest) is not None or others or denied_by(rest) else place
    if bare and picked != place and said[0] in "Aa" and rest[0].isalnum():  # an article
        return None
    return place if picked == place else -1


def _mentioned(text: str, options: tuple[str, ...]) -> int | None:
    parts = sentences(without_denial(without_reason(text)))
    if not parts or is_spray(parts[-1]):
        return None
    named, firm = mentions(parts[-1], options)
    return next(iter(firm)) if len(named) == 1 and firm else None


def keys(options: tuple[str, ...]) -> list[Words]:
    """The options in one spelling, to find those that can't be told apart."""
    return [words(option) for option in options]
