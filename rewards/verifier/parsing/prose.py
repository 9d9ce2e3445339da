"""Sentences: the one number that a short statement asserts."""

from __future__ import annotations

import re

from mstar.rewards.verifier.parsing.arithmetic import close
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import NUMBER_WORDS, SCALES
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.parsing.vocabulary import BOUNDS, HARMLESS, NUMBERED, REFUSED

WORDS = 60  # in the longest sentence that is read
_SENTENCE_END = re.compile(r"(?<=[a-zA-Z]{2}[.!?;])\s+|(?<=[0-9)\]}%$*][.!?;])\s+|\n+")
_REASON = re.compile(
    r"[,;.]?\s+(?:because|since|so that|due to|given that|which (?:is|means|gives)"
    r"|as (?:the|there|it|we))\b|,\s+(?:not|rather than|instead of)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|isn't) [^,;.]{1,40}(?:[,;] ?(?:but |it is |it's |rather |instead )?"
    r"|\.\s(?:it is |it's )| but (?:it is |it's |rather )?)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"[,;] ?(?:and )?(?:so|thus|hence|therefore|which makes|making|giving|for a total of)\b,? ?"
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
    """A statement without the ``because ...`` after it."""
    match = _REASON.search(text)
    return text[: match.start()] if match and match.start() else text


def without_denial(text: str) -> str:
    """A statement without ``not B, it is``.

    >>> without_denial("not 12, it is 13")
    '13'
    """
    return _DENIED.sub("", text)


def is_spray(text: str) -> bool:
    """Whether a text enumerates values instead of making a statement.

    >>> is_spray("1, 2, 3, 4, yes")
    True
    """
    return text.count(",") > 3 or len(_NUMBER.findall(text)) > 3


def stated_quantity(text: str) -> Quantity | None:
    """The number that an answer states, bare or in a sentence; None if none or several.

    A sentence that is only a number takes precedence over one that mentions a number. A sentence
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
    read = [_stated(part) for part in parts]
    stated = [each for each in read if each is not None]
    after = parts[read.index(stated[0]) :] if stated else []
    if any("=" in part and _stated(part) is None for part in after):  # x = 12. Then x + 1 = 13
        return None
    if stated:
        return stated[0] if all(close(stated[0].value, s.value) for s in stated) else None
    return _mentioned(_CONCLUDES.split(parts[-1])[-1]) if parts else None


def _stated(sentence: str) -> Quantity | None:
    """The number that a sentence consists of, or the one at the end of its equation."""
    quantity = read_quantity(sentence)
    if quantity is not None or "=" not in sentence:
        return quantity
    words = sentence.split()[:WORDS]
    for count, word in enumerate(words[:12], 1):
        if not _PLAIN_WORD.fullmatch(word) or word.strip(".,;:!\"'").casefold() in REFUSED:
            return None
        quantity = read_quantity(" ".join(words[count:]))
        if quantity is not None:
            return quantity
    return None


def _mentioned(sentence: str) -> Quantity | None:
    plain_text = plain(sentence)
    plain_text = plain_text if "\\" in plain_text else plain_text.replace("{", "").replace("}", "")
    words = plain_text.removesuffix(" .").split()
    if len(words) > WORDS or sentence.rstrip().endswith("?"):
        return None
    numeric = [_is_number(word) for word in words]
    if sum(numeric) > 1:  # the missing one is 3
        numeric = [yes and word != "one" for yes, word in zip(numeric, words, strict=True)]
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
    parts = _in_parts(words, start, numeric)
    end = end if parts is None else parts[1]
    others = words[:start] + words[end:]
    if any(numeric[end:]) or not all(_PLAIN_WORD.fullmatch(word) for word in others):
        return None
    lowered = {word.strip(".,;:!\"'").casefold() for word in others}
    before = [word.casefold() for word in words[max(0, start - 2) : start]]
    if lowered & (REFUSED - HARMLESS) or _BOUND.search(plain_text):
        return None
    if BOUNDS & set(before) or NUMBERED & set(before[-1:]):
        return None
    return _with_unit(words[start:end], words[end:]) if parts is None else parts[0]


def _in_parts(words: list[str], start: int, numeric: list[bool]) -> tuple[Quantity, int] | None:
    """An amount such as ``8 dollars and 20 cents`` in a sentence, and the index after it."""
    end = len(numeric) - numeric[::-1].index(True) + 1
    quantity = read_quantity(" ".join(words[start:end])) if start + 3 < end <= start + 8 else None
    return (quantity, end) if quantity is not None and quantity.unit is not None else None


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
