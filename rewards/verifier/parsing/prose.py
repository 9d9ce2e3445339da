"""Sentences: the one number that a short statement asserts."""

from __future__ import annotations

import re
from functools import lru_cache

from mstar.rewards.verifier.parsing.arithmetic import close
from mstar.rewards.verifier.parsing.latex import REMEMBERED, plain
from mstar.rewards.verifier.parsing.numerals import LONE_PARTS, NUMBER_WORDS, SCALES
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.parsing.units import CURRENCIES, parse_unit
from mstar.rewards.verifier.parsing.vocabulary import (
    BOUNDS,
    DENYING,
    DETERMINERS,
    HARMLESS,
    MEASURES,
    NUMBERED,
    REFUSED,
    STATING,
)

WORDS = 60  # in the longest sentence that is read
_SENTENCE_END = re.compile(
    r"(?<=[a-zA-Z]{2}[.!?;])\s+|(?<=\d[a-z][.!?;])\s+|(?<=[.!?;])\s+(?=(?:So|Thus|Hence|Therefore)\b)|(?<=\w[.!?][\"'])\s+|(?<=[^\sa-zA-Z.,;:!?\\][.!?;])\s+|\n+"
)
_FIRST_STEP = re.compile(r"^[ \t]{0,4}1\. [A-Z][a-z]", re.MULTILINE)
_SECOND_STEP = re.compile(r"^[ \t]{0,4}2\. [A-Z][a-z]", re.MULTILINE)
_STEP = re.compile(r"^[ \t]{0,4}\d{1,2}\. (?=[A-Z][a-z])", re.MULTILINE)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|mt|ft|jr|sr|gov|sen|rep|gen|capt|col|lt|sgt|rev|hon|pres"
    r"|vs|fig|eq|approx|sq|cu"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|tues?|thurs?|fri)\.$",
    re.IGNORECASE,
)
_NUMBER_FIVE = re.compile(r"(?:.*\s)?No\. \d+\W{0,3}")
_REASON = re.compile(
    r"[,;.]?\s+(?!(?-i:Since|As|Because) [^.\n]{1,150}, )(?:because|since|so that|(?:due|thanks) to"
    r"|given that|as (?:the|there|they|it|we)"
    r"|(?:(?<=, )which|which(?! [^.;]*\b(?:is|are|was)\b[^.;]*\b(?:is|are|was)\b))"
    r" (?:is|means|gives))\b"
    r"|(?:,|\band)\s+(?:not|rather than|instead of)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|[a-z]+n't) (?:[^;.]{1,60}[,;] ?(?:but |it is |it's |rather |instead )"
    r"|[^,;.]{1,40}[,;] ?"
    r"|[^,;.]{1,40}(?:\.\s(?:it is |it's )| but (?:it is |it's |rather )?))",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"[,;] ?(?:and )?(?:so|thus|hence|therefore|which makes|making|giving|for a total of)\b,? ?"
)
_BOUND = re.compile(
    r"\bat (?:the )?(?:very )?(?:least|most)\b|\bpercentage points?\b|\bmay (?:also |well )?be\b"
    r"|\bto the (?:power|second|third|fourth|fifth)\b|\band counting\b|\b(?:quarter|half) past\b"
    r"|\bo'clock\b",
    re.IGNORECASE,
)
_NOT_ANOTHER = re.compile(r"\s\((?:and |but )?not [^()]{1,30}\)(?=\W*$)", re.IGNORECASE)
_WORKING = re.compile(r"\d[^=]{0,40}[-+*/x×][^=]{0,40}=|^[A-Za-z][^=\d]{2,60}= ?[$\d]")
_THEREFORE = re.compile(r"(?:so|thus|hence|therefore)\b", re.IGNORECASE)
_PREDICATE = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(the [^.;:?!,=]{1,200})"
    r" (?:is|are|was|were|equals) (.{1,60}?)(?:, (?:with|while|which|as|since)\b.{1,200})?",
    re.I,
)
_COPULA = re.compile(r"\b(?:is|are|was|were|equals)\b", re.IGNORECASE)
_RESULT = re.compile(  # "So they are 11"   "Together that makes 11 pens"   "The total is 11"
    r"(?:(?:so|thus|hence|therefore|together|altogether|in total)\b[^\d.;=]{0,60}?"
    r"|(?:[^.;]{1,100}, which"
    r"|that|this|it|they|these|both|we|the (?:sum|total|answer|result))\b[^\d.;=]{0,30}?)"
    r"(?<! than)(?<! of)(?<! least)(?<! most) (\$?\d[\d.,]*(?: [a-z]+)?)",
    re.IGNORECASE,
)
_WHICH_IS = re.compile(  # "8 + 6, which is 14" says "8 + 6 = 14"
    r"([-+*/x] ?\$?\d[\d.,]{0,12}(?: [a-z]{1,20})?), which (?:is(?: equal to)?|equals|gives|makes"
    r"|comes to|adds up to|results in) (?=\$?\d[\d.,]*\W*$)"
)
_NUMBER = re.compile(r"\d[\d.:/]*(?:,\d{3})*")
_PLAIN_WORD = re.compile(r"[\"'(]?[∠△⊙▱□]?[a-zA-Z][a-zA-Z'-]*[\"')]?[.,;:!]?")
_OPENING = re.compile(
    r"\W*(?:first|firstly|at first|initially|originally|step|to begin|to start)\b"
    r"|.*\b(?:for now|at the moment|(?:up to|until) (?:now|here|(?:this|that) point)|thus far"
    r"|so far|as yet)\b",
    re.I,
)
_GOES_ON = re.compile(  # what is said of the things that were counted
    r",? (?:with|having|have|that|which|who|whose|where|when|after|before|i\.e\.)(?=\s)"
    r"(?! \d|.*(?:, |\b(?:and|or|but)\b).*\d|.*\bwithout\b"
    r"|.*(?:\b(?:is|are|equals)|=) [^,;.]{0,20}\d)",
    re.I,
)
_OUT_OF = re.compile(  # "3 of the 8 bars are red" counts three
    r"(?<=[\da-z]) (?:out )?of (?:the|these|those) [\da-z]+ (?=[a-z-]+ (?:are|were|have|had)\b)"
)
_YEARS = re.compile(  # when it was, beside how much it was
    r",? ?\b(?:between|from|in|during|since|by|until) (?:19|20)\d\d"
    r"(?: (?:and|to) (?:19|20)\d\d)?,?",
    re.IGNORECASE,
)
_STARTS_NUMBER = re.compile(r"[-+]?[$€£¥₹]?[-+]?(?:\.?\d|\\(?:frac|sqrt))")


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without white space at their ends.

    >>> sentences("There are 6 red. So 6.")
    ['There are 6 red.', 'So 6.']
    """
    return list(_sentences(text))


@lru_cache(maxsize=64)  # the rules ask several times for those of one answer
def _sentences(text: str) -> tuple[str, ...]:
    if _FIRST_STEP.search(text) and _SECOND_STEP.search(text):  # the marks are no sentences
        text = _STEP.sub("", text)
    parts: list[str] = []
    for part in _SENTENCE_END.split(text):
        last = parts[-1] if parts else ""
        in_brackets = last.endswith(";") and last.count("(") > last.count(")")
        numbered = _NUMBER_FIVE.fullmatch(f"{last} {part}"[-40:])
        if _ABBREVIATION.search(last[-8:]) or in_brackets or numbered:
            parts[-1] += f" {part}"
        elif part.strip():
            parts.append(part)
    return tuple(part.strip() for part in parts)


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
    return _remembered(text) if len(text) <= REMEMBERED else _stated_quantity(text)


def _stated_quantity(text: str) -> Quantity | None:
    text = _WHICH_IS.sub(r"\1 = ", _NOT_ANOTHER.sub("", text))
    bare = read_quantity(text)
    if bare is not None:
        return bare
    whole = sentences(without_denial(text))[-8:]
    parts = [without_reason(part) for part in whole]
    if len(parts) > 1 and _THEREFORE.match(parts[-1]) and (said := _predicated(parts[-1])):
        return said
    read = [_stated(part) for part in parts]
    stated = [each for each in read if each is not None]
    after = parts[read.index(stated[0]) :] if stated else []
    if any("=" in part and _stated(part) is None for part in after):  # x = 12. Then x + 1 = 13
        return None
    if stated and all(close(stated[0].value, each.value) for each in stated):
        another = any(_concludes_another(part, stated[0]) for part in whole[-len(after) :])
        return None if another else stated[0]
    if stated and not all(map(_is_working, (p for p, r in zip(parts, read, strict=True) if r))):
        return None
    if stated and read[-1] is not None:  # steps, and no sentence that says which one counts
        return None
    if not parts:
        return None
    last = _OUT_OF.sub(" ", _CONCLUDES.split(parts[-1])[-1])
    return (
        _predicated(last)
        or _mentioned(last)
        or _mentioned(_GOES_ON.split(last, maxsplit=1)[0])
        or _mentioned(_YEARS.sub("", last))
    )


_remembered = lru_cache(maxsize=4096)(_stated_quantity)  # options and votes meet many others


def _concludes_another(sentence: str, stated: Quantity) -> bool:
    """Whether a sentence such as ``Together that makes 11`` ends in another amount."""
    found = _RESULT.fullmatch(sentence.rstrip(" .!"))
    other = read_quantity(found[1]) if found else None
    if other is None or other.unit != stated.unit or other.percent != stated.percent:
        return False
    return not close(other.value, stated.value)


def _is_working(sentence: str) -> bool:
    """Whether a sentence is a calculation, such as ``$9.08 * 4 = $36.32``."""
    return _WORKING.search(sentence) is not None


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


def _predicated(sentence: str) -> Quantity | None:
    """The amount that ``the ... is`` ends in, whatever numbers tell what it is the amount of."""
    found = _PREDICATE.fullmatch(sentence)
    subject = set(found[1].casefold().split()) if found else set()
    if found is None or subject & DENYING or _COPULA.search(found[1]):
        return None
    return read_quantity(found[2])


def _mentioned(sentence: str) -> Quantity | None:
    plain_text = plain(sentence)
    plain_text = plain_text if "\\" in plain_text else plain_text.replace("{", "").replace("}", "")
    words = plain_text.removesuffix(" .").split()
    if len(words) > WORDS or sentence.rstrip().endswith("?") or _OPENING.match(sentence):
        return None
    numeric = [_is_number(word) for word in words]
    if sum(numeric) > 1:  # the missing one is 3
        following = [word.strip(".,").casefold() for word in words[1:]] + [""]
        numeric = [
            yes and (word != "one" or after in LONE_PARTS)
            for yes, word, after in zip(numeric, words, following, strict=True)
        ]
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
    if before[-1:] == ["of"] and (start < 2 or before[0].strip("s") not in MEASURES):
        return None
    if BOUNDS & set(before) or (NUMBERED | DETERMINERS) & set(before[-1:]):
        return None
    if not any(map(str.isdigit, words[start])) and not _is_stated(words, start, end):
        return None
    if words[start][0] in CURRENCIES and _is_other_currency(words[start][0], words[end:]):
        return None
    return _with_unit(words[start:end], words[end:]) if parts is None else parts[0]


def _is_stated(words: list[str], start: int, end: int) -> bool:
    """Whether the words before a number in words state it; ``four sides`` states none."""
    lowered = [word.strip(".,;:!\"'").casefold() for word in words[:start]]
    while lowered and lowered[-1] in ("a", "an", "about", "exactly", "minus", "negative"):
        lowered.pop()
    if words[start].strip(".,;:!").casefold() in LONE_PARTS:  # the top left quarter
        return not lowered or lowered[-1] in STATING
    if lowered == ["only"]:
        return end == len(words)
    if "there" in lowered[:4] or not lowered:
        return bool(lowered)
    return words[start - 1].endswith(":") or lowered[-1] in STATING - {"has", "have", "only"}


def _is_other_currency(sign: str, after: list[str]) -> bool:
    """Whether the words after ``$7`` name another unit, as in ``$7 dollars euros``."""
    unit = parse_unit(" ".join(after))
    return unit is not None and unit != parse_unit(sign)


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
