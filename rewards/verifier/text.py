"""The answer types ``text`` and ``yes_no``."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.discourse import without_relative_clause
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import NUMBER_WORDS, number_words
from mstar.rewards.verifier.parsing.prose import is_spray, sentences, without_denial, without_reason
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.parsing.vocabulary import (
    ALIASES,
    KIND_NAMES,
    NEGATIONS,
    NO,
    UNDECIDED,
    YES,
    listed,
)

Words = tuple[str, ...]

_LONGEST = 2_000  # characters of a text that are read
_DOTTED = re.compile(r"\b[a-zA-Z]\.(?:\s?[a-zA-Z]\.)+")
_RATIO = re.compile(r"(?<=\d)\s*:\s*(?=\d)")
_RANGE = re.compile(r"(?<=\d)(?:-| - | to )(?=\d)")
_FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}")
_PREPOSITION = re.compile(r"^(?:in|on|at|by)\s+(?=\S)", re.IGNORECASE)
_TOKEN = re.compile(
    r"\d+(?:st|nd|rd|th)\b|-?\d[\d.,:]*\d|-?\d|[^\W\d_]+|[%$€£+*/=<>≠°^√π∞±]"
    r"|(?<![\w)-])-(?=[√π∞(\\]|[^\W\d_]\b)"  # a sign: "-x", not a dash: "x-axis"
)
_ARTICLE = re.compile(r"^\"?(?:a|an|the)\s+(?=[^\s(\[=≠<>+*/^-])")
_IS = re.compile(r"(?:^|\s)(?:is|was|are|were|equals)(?: called| named)?\s|:\s")

_IT_IS = re.compile(r"^(?:it|that|this|he|she)'s\s", re.IGNORECASE)
_OPTION = re.compile(r"(?:\([a-z]\)|\b[a-z][).:]) ?(yes|no|true|false)\b", re.IGNORECASE)
_STEP = re.compile(r"\bright(?= \d)", re.IGNORECASE)  # "right 1, down 2" is a path, not a verdict

_NO_NOUN = re.compile(  # "No image was given" refuses, "No, it is red" and "No it is not" answer
    r"\W*no (?!(?:it|they|he|she|the|this|that|there|because|since|as|i|we|you|these|those|not|its"
    r"|their|his|her|a|an|way(?! to\b))\b)[a-z]|\W*no\.? (?:\d+\W*$|of\b)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\W*(?:true|correct|right|false|wrong|incorrect)[,.;:!]", re.I)
_CHINESE = {"是": "yes", "是的": "yes", "对": "yes", "正确": "yes", "能": "yes", "有": "yes",
            "否": "no", "不是": "no", "不对": "no", "错误": "no", "错": "no", "不能": "no",
            "没有": "no"}  # fmt: skip
_COPULAS = listed(
    """is are was were be been it's that's isn't aren't wasn't remains seems sounds looks holds
    stays answer statement claim"""
)
_BEFORE_VERDICT = listed(
    "not never n't cannot hardly indeed definitely clearly really also entirely fully always"
)
_ASKING = listed("which whether what who how why where when is are does do")
_PREDICATIVE = listed(", and but because since that as for in if when here or about to so by")

_SECOND_VERDICT = re.compile(r",\s*(?:yes|no|true|false|maybe)\s*(?:,|$)", re.IGNORECASE)
_SECOND_YES = re.compile(r"\byes\b", re.IGNORECASE)
_SECOND_NO = re.compile(  # the verdict, not the "no" of "no bars"
    r"\bno\b(?=\W*$|\W*[,;.:()]| (?:is|are|too|than|over|at|if|when|while|with|without|otherwise"
    r"|today|tomorrow|also|either|in|on|for|to|and|or|but)\b)",
    re.IGNORECASE,
)
_LETTERS = {"y": True, "t": True, "n": False, "f": False}


@lru_cache(maxsize=256)  # the options of a problem are compared with every part of a response
def words(text: str) -> Words:
    """The words of a text in one spelling: lower case, no leading article, numbers in digits.

    >>> words("The Reardon Corporation.")
    ('reardon', 'corporation')
    >>> words("twenty-one"), words("20-30")
    (('21',), ('20', 'to', '30'))
    """
    bare = plain(_without_accents(_FRACTION.sub(r" \1/\2", text[:_LONGEST])))
    bare = bare.replace("{", "").replace("}", "").replace("'", "").replace("&", " and ")
    bare = _DOTTED.sub(lambda letters: re.sub(r"[.\s]", "", letters[0]), bare)
    bare = _RANGE.sub(" to ", _RATIO.sub(":", bare.strip(" *.").casefold()))
    bare = _ARTICLE.sub("", bare)
    tokens = [ALIASES.get(token, token) for token in _TOKEN.findall(bare)]
    spoken = (
        number_words(" ".join(tokens)) if tokens and set(tokens) <= NUMBER_WORDS | {"and"} else None
    )
    return (str(spoken),) if spoken is not None else tuple(tokens)


def _without_accents(text: str) -> str:
    """Letters without accents; a sign such as ``≠`` stays what it is."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(unicodedata.normalize("NFD", c)[0] if c.isalpha() else c for c in composed)


def essence(tokens: Words) -> Words:
    """The words without generic nouns: ``red`` for ``the color red``."""
    return tuple(word for word in tokens if word not in KIND_NAMES)


def read_text(text: str, answer: Answer) -> tuple[Words, ...] | None:
    """The possible readings of a text: as it is, and what follows ``... is``; None if empty."""
    whole = words(text)
    if not whole or BIDI.search(text):
        return None
    readings = [whole]
    last = _IT_IS.sub("is ", without_reason(without_denial(text)))
    last = without_relative_clause((sentences(last) or [last])[-1])
    readings.append(words(last))
    parts = _IS.split(plain(last))
    if len(parts) > 1 and not NEGATIONS & set(words(last)):
        readings.append(words(parts[-1]))
    readings.append(words(_PREPOSITION.sub("", last)))
    readings += [essence(reading) for reading in readings]
    readings += [reading[:-1] for reading in readings if len(reading) > 1 and reading[-1] == "one"]
    return tuple(dict.fromkeys(reading for reading in readings if reading))


def same_text(
    reference: tuple[Words, ...], predicted: tuple[Words, ...], answer: Answer
) -> MatchResult:
    """Whether the words are equal, or the amounts in value and unit."""
    if (
        reference[0] in predicted
        or predicted[0] in reference
        or _joined(reference[0]) in map(_joined, predicted)
    ):
        return MatchResult(True, "same words")
    left, right = _amount(reference[0]), _amount(predicted[0])
    if left is None or right is None or "unevaluated" in (left.writing, right.writing):
        return MatchResult(False, "other words")
    alike = left.noun == right.noun or (left.unit is not None and right.unit is not None)
    if alike and same_amount(left, right, answer).same:
        return MatchResult(True, "same amount")
    return MatchResult(False, "other words")


@lru_cache(maxsize=256)  # an option is compared with many others, both ways
def _amount(tokens: Words) -> Quantity | None:
    return read_quantity(" ".join(tokens))


def _joined(tokens: Words) -> str:
    """The words without spaces, since ``north-west`` is ``northwest``; not letters or numbers."""
    apart = any(len(word) < 3 or not word.isalpha() for word in tokens)
    return (" " if apart else "").join(tokens)


def read_truth(text: str, answer: Answer) -> bool | None:
    """Whether a text says yes or no; None if it says neither, both or perhaps.

    >>> read_truth("The statement is not true.", Answer("yes_no", "no"))
    False
    """
    offered = {found.casefold() for found in _OPTION.findall(text)}
    if BIDI.search(text) or len(offered) > 1:  # "(A) no (B) yes" only repeats the question
        return None
    text = _STEP.sub("to the side", _CHINESE.get(text.strip(" .,!"), text))
    parts = [re.findall(r"[a-z']+", plain(part).casefold()) for part in sentences(text)]
    parts = [part for part in parts if part]
    if not parts:
        return None
    first = parts[0][0]
    if first in _ASKING:
        return None
    if parts[0][-1] == "not" and 1 < len(parts[0]) < 5 and not (UNDECIDED | YES) & set(parts[0]):
        return False  # "It is not."
    if is_spray(without_reason(text)) and not (first in YES | NO and _goes_on(text)):
        return None
    if len(parts) == 1 and len(parts[0]) == 1 and first in _LETTERS:
        return _LETTERS[first]
    is_described = _is_attributive(parts[0], 0) and first not in ("yes", "no")
    if _NO_NOUN.match(text) or (is_described and not _FIRST.match(text)):
        return None
    if first not in YES | NO:
        claim = plain(without_reason(text)).casefold()
        return _verdict(re.findall(r"[a-z']+|,", (sentences(claim) or [claim])[-1]))
    verdict = first in YES
    if (_SECOND_NO if first == "yes" else _SECOND_YES).search(without_reason(text), len(first) + 1):
        return None
    opposite = NO if verdict else YES
    rest = parts[0][1:4]
    if any(part[0] in opposite for part in parts[1:]) or rest[:1] == ["answer"]:
        return None
    if set(rest[:1]) & (opposite | UNDECIDED | NEGATIONS):
        return None
    if any(
        _verdict(part) is not verdict
        for part in (parts[0][1:], *parts[1:])
        if _ends_in_verdict(part)
    ):
        return None
    if rest and rest[0] in ("and", "but") and set(rest) & opposite:
        return None
    return verdict


def _goes_on(text: str) -> bool:
    """Whether a sentence of three words or more follows the first word, not a list of values."""
    _, _, rest = text.partition(",")
    return len(rest.split(",")[0].split()) > 2 and not _SECOND_VERDICT.search(rest)


def _is_attributive(tokens: list[str], index: int) -> bool:
    """Whether a verdict only describes the noun after it, as in ``the correct option``."""
    after = tokens[index + 1 : index + 2]
    return tokens[index] in YES | NO and bool(after) and after[0] not in _PREDICATIVE


def _is_predicate(tokens: list[str], index: int) -> bool:
    """Whether a verdict is said of something, as in ``it is not true``; not a side or a noun."""
    before = index - 1
    while before >= 0 and tokens[before] in _BEFORE_VERDICT:
        before -= 1
    said = before < 0 or tokens[before] in _COPULAS | {","}
    return said and not _is_attributive(tokens, index)


def _ends_in_verdict(tokens: list[str]) -> bool:
    """Whether the last word of a sentence is a verdict."""
    return tokens[-1:] != [] and tokens[-1] in YES | NO


def _verdict(tokens: list[str]) -> bool | None:
    """The verdict of a sentence such as ``the statement is not true``."""
    if UNDECIDED & set(tokens):
        return None
    for index in range(len(tokens) - 3):  # it is not the case that ...
        if tokens[index : index + 3] == ["not", "the", "case"]:
            inner = _verdict(tokens[index + 3 :])
            return None if inner is None else not inner
    if {"yes", "no"} <= set(tokens):  # "rather no than yes"
        return None
    verdicts = set()
    for index, word in enumerate(tokens):
        bare_no = word == "no" and tokens[index + 1 : index + 2] not in ([], [","])
        if (
            word in YES | NO
            and not bare_no
            and (word in ("yes", "no") or _is_predicate(tokens, index))
        ):
            before = tokens[max(0, index - 3) : index]
            clause = before[len(before) - before[::-1].index(",") :] if "," in before else before
            negated = bool(NEGATIONS & set(clause))
            verdicts.add((word in YES) ^ negated)
    return verdicts.pop() if len(verdicts) == 1 else None


def same_truth(reference: bool, predicted: bool, answer: Answer) -> MatchResult:
    """Whether the verdicts are equal."""
    return MatchResult(
        reference == predicted, "same verdict" if reference == predicted else "other verdict"
    )
