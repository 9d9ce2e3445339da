"""Sentences: the one number that a short statement makes."""

from __future__ import annotations

import re

from mstar.rewards.arithmetic import close
from mstar.rewards.latex import plain
from mstar.rewards.numerals import NUMBER_WORDS, SCALES
from mstar.rewards.quantities import Quantity, read_quantity
from mstar.rewards.vocabulary import BOUNDS, HARMLESS, NUMBERED, REFUSED

WORDS = 60  # of the longest sentence that is read
_SENTENCE_END = re.compile(r"(?<=[a-zA-Z]{2}[.!?;])\s+|(?<=[0-9)\]}%$*][.!?;])\s+|\n+")
_REASON = re.compile(
    r"[,;.]?\s+(?:because|since|so that|due to|given that|which (?:is|means|gives)"
    r"|as (?:the|there|it|we))\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|isn't) [^,;.]{1,40}(?:[,;] ?(?:but |it is |it's |rather |instead )?"
    r"|\.\s(?:it is |it's )| but (?:it is |it's |rather )?)",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\bat (?:least|most)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d.:/]*")
_PLAIN_WORD = re.compile(r"[\"']?[a-zA-Z][a-zA-Z'-]*[\"']?[.,;:!]?")
_STARTS_NUMBER = re.compile(r"[-+]?[$€£¥₹]?[-+]?(?:\.?\d|\\(?:frac|sqrt))")


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without white space at their ends.

    >>> sentences("There are 6 red. So 6.")
    ['There are 6 red.', 'So 6.']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def without_reason(text: str) -> str:
    """What a statement claims, without the ``because ...`` after it."""
    found = _REASON.search(text)
    return text[: found.start()] if found and found.start() else text


def without_denial(text: str) -> str:
    """What is left after ``not B, it is``.

    >>> without_denial("not 12, it is 13")
    '13'
    """
    return _DENIED.sub("", text)


def is_spray(text: str) -> bool:
    """Whether a text rattles off a list instead of making a statement.

    >>> is_spray("1, 2, 3, 4, yes")
    True
    """
    return text.count(",") > 3 or len(_NUMBER.findall(text)) > 3


def stated_quantity(text: str) -> Quantity | None:
    """The number that an answer gives, bare or in a sentence; None if none or several.

    A sentence that is nothing but a number counts before one that mentions a number. A sentence
    that negates, compares, hedges or mentions two numbers states none.

    >>> stated_quantity("He will spend $8.20.").value
    Fraction(41, 5)
    >>> stated_quantity("It is 7 or 8.") is None
    True
    """
    bare = read_quantity(text)
    if bare is not None:
        return bare
    parts = [without_reason(part) for part in sentences(without_denial(text))[-8:]]
    stated = [each for each in map(read_quantity, parts) if each is not None]
    if stated:
        return stated[0] if all(close(stated[0].value, s.value) for s in stated) else None
    return _mentioned(parts[-1]) if parts else None


def _mentioned(sentence: str) -> Quantity | None:
    said = plain(sentence)
    words = (said if "\\" in said else said.replace("{", "").replace("}", "")).split()
    if len(words) > WORDS or sentence.rstrip().endswith("?"):
        return None
    numeric = [_is_number(word) for word in words]
    for index, word in enumerate(words):
        scale = word.strip(".,!").lower() in SCALES and index > 0 and numeric[index - 1]
        joined = word == "and" and 0 < index < len(words) - 1
        numeric[index] |= scale or (
            joined
            and numeric[index - 1]
            and not words[index - 1][-1:].isdigit()
            and numeric[index + 1]
        )
    if True not in numeric:
        return None
    start = numeric.index(True)
    end = next((i for i in range(start, len(words)) if not numeric[i]), len(words))
    if start and words[start - 1].casefold() in ("minus", "negative"):
        start -= 1
    others = words[:start] + words[end:]
    if any(numeric[end:]) or not all(_PLAIN_WORD.fullmatch(word) for word in others):
        return None
    lowered = {word.strip(".,;:!\"'").casefold() for word in others}
    before = [word.casefold() for word in words[max(0, start - 2) : start]]
    if lowered & (REFUSED - HARMLESS) or _BOUND.search(said):
        return None
    if BOUNDS & set(before) or NUMBERED & set(before[-1:]):
        return None
    return _with_unit(words[start:end], words[end:])


def _with_unit(number: list[str], after: list[str]) -> Quantity | None:
    if not number[-1].endswith((",", ".", "!", ";")) and after:
        for count in (3, 2, 1):
            if len(after) >= count and (after[0] != "in" or len(after) == 1):
                quantity = read_quantity(" ".join(number + after[:count]).rstrip("!"))
                if quantity is not None and (quantity.unit or quantity.percent):
                    return quantity
    return read_quantity(" ".join(number))


def _is_number(word: str) -> bool:
    if _STARTS_NUMBER.match(word):
        return True
    parts = word.strip(".,;:!").lower().split("-")
    return all(part in NUMBER_WORDS for part in parts)
