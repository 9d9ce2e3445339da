"""The statement that a response without an explicit form ends in, or opens with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mstar.rewards.verifier.forms import Commitment, stripped
from mstar.rewards.verifier.parsing.discourse import is_unfinished, takes_back
from mstar.rewards.verifier.parsing.prose import sentences

Reads = Callable[[str], bool]
Same = Callable[[str, str], bool]

SHORT = 300  # characters of a response whose first sentence may be the answer
LONGEST = 400  # characters of a sentence that is read
REASONS = 20  # sentences after a first one that are looked at

_THEREFORE = re.compile(
    r"(?:so|thus|hence|therefore|consequently|overall|as a result|this means(?: that)?"
    r"|in (?:conclusion|total|summary|short|all)"
    r"|(?:(?:substituting|plugging|solving|simplifying)\b[^.=\n]{1,100}, )?we (?:get|have|find))"
    r"\b,? (?:that )?|(?:因此|所以|综上|故),?\s?",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"\b(?:a total of|in total|altogether)\b", re.IGNORECASE)
_IS = r"(?:is|are|was|were|equals|would be)"
_STATEMENT = re.compile(
    r"(?:(?!if\b)[a-z][^.?\n]{1,150}, (?=the ))?"
    rf"(?:the|this|our|final) [^:=?\n]{{1,200}}?(?: {_IS}:?|:) (.{{1,100}})",
    re.IGNORECASE,
)
_PREDICATE = re.compile(rf"\b{_IS}:? (?!.*\b{_IS}\b)")
_AMOUNT = re.compile(r"[\dπ√]")
_LETTER_BEFORE = re.compile(r"(?:\bis|:|=)\s\W{0,3}([A-H])\W{0,4}$", re.IGNORECASE)
_COPULA = re.compile(rf"\b{_IS}\b")
_DENIES = re.compile(r"(?:not|wrong|incorrect|false|right|correct|true)\b", re.IGNORECASE)
_IS_RIGHT = re.compile(r"(?:the )?(?:correct|right|best|only)\b", re.IGNORECASE)
_THERE = re.compile(rf"there {_IS} \d[^=]*", re.IGNORECASE)
_CALCULATES = re.compile(r"\s[-+*/×÷x]\s?[\d$(]|\*|^\W*[a-zA-Z]\w{0,5}\W*$")
_CHINESE_PREDICATE = re.compile(
    r"(?:值|长度?|面积|度数|结果|大小|周长|体积|数量|总数)(?:是|为|等于)[ \t]*"
)
_TWO_STATEMENTS = re.compile(rf"\b{_IS}\b.*(?:;|\band) the\b.*\b{_IS}\b", re.IGNORECASE)
_NAME = re.compile(r"\W{0,3}(?<!\()[A-Za-z](?!\))\W{0,3}")  # of a bar as well as of an option
_OPTION = re.compile(r"\b(?:option|choice|answer|letter)\b", re.IGNORECASE)
_BOLD = re.compile(r"\*\*[^*\n]{1,40}\*\*")
_YES_OR_NO = re.compile(
    r"(yes|no)[,.] (?!(?:yes|no|wait|maybe|or|and|but|though|as)\b)(?=(?:[^\s,.;]+ ){3})", re.I
)
_SO_YES = re.compile(r"(yes|no), (?=(?:it|they|he|she|the|this|that|there|both|all)\b)", re.I)
_GREETING = re.compile(
    r"\s*(?:(?:sure|okay|ok|certainly|of course|i (?:see|understand|can))\b[^.!,\n]{0,80}"
    r"[.!,]\s+)*",
    re.IGNORECASE,
)
_WORKS = re.compile(  # the text goes on to work something out
    r"=|\b(?:need|find|calculate|compute|next|then|now|let|step|first|so|thus|therefore)\b", re.I
)
_OPTION_LINE = re.compile(
    r"^[ \t*_]{0,4}(?:option )?(?:\(([A-H])\)|([A-H])(?:[.):]|(?= \(|[ \t*_]*$)))[^\n]{0,300}$",
    re.IGNORECASE | re.MULTILINE,
)


def conclusion(text: str, reads: Reads, same: Same, *, is_text: bool) -> Commitment | None:
    """What a response without an explicit form states as its answer; None if it states none.

    That is a line with nothing but an option, if it is the first or the last line and no other
    option has a line of its own; else ``Yes`` or ``No`` before a sentence; else the last sentence,
    if it begins with ``So``, ``Therefore`` and the like or says what something is; else the first
    sentence, if it says so, or names one of several options, and only explanations follow.

    Args:
        text: the response.
        reads: whether a text is an answer of the type.
        same: whether two texts are the same answer.
        is_text: whether any words are one; then only a last sentence with ``So`` is looked at.

    >>> from operator import eq
    >>> conclusion("4 + 3 make 7. So the number of pens is 7", str.isdigit, eq, is_text=False).text
    '7'
    """
    stated = _option(text, reads, same) or _verdict(text, reads)
    if not stated and len(sentences(text)) < 2 and reads("(A)") and reads("(B)"):
        return None  # one sentence that names several options
    stated = stated or _last_sentence(text, reads, is_text)
    return stated if stated or is_text else _first_sentence(text, reads, same)


def _option(text: str, reads: Reads, same: Same) -> Commitment | None:
    lines = [*_OPTION_LINE.finditer(text)]
    if len({(line[1] or line[2]).upper() for line in lines}) != 1:
        return None
    for line in lines[-1], lines[0]:
        at_an_end = not text[: line.start()].strip() or not text[line.end() :].strip()
        said = stripped(line[0])
        if at_an_end and reads(said) and not takes_back(said):
            before = text[: line.start()].rstrip()
            other = _last_sentence(before, reads, is_text=False)
            letter = _LETTER_BEFORE.search(before)
            contradicts = (other is not None and not same(other.text, said)) or (
                letter is not None and not same(letter[1], said)
            )
            return None if contradicts else Commitment(said, "conclusion", line.start(), line.end())
    return None


def _verdict(text: str, reads: Reads) -> Commitment | None:
    verdict = _YES_OR_NO.match(text)
    if verdict is None or not reads(verdict[1]):
        return None
    return Commitment(verdict[1], "conclusion", 0, len(sentences(text)[0]))


def _last_sentence(text: str, reads: Reads, is_text: bool) -> Commitment | None:
    before, last = ["", "", *sentences(text)][-2:]
    if len(last) > LONGEST or last.endswith("?") or is_unfinished(last.rstrip(" .*")):
        return None
    if takes_back(stripped(last)):
        return None
    announced = [stripped(last)] if before.endswith(":") and not is_text else []
    for said in (*announced, *_statements(stripped(last), is_text)):
        if reads(said):
            return Commitment(said, "conclusion", len(text) - len(last), len(text))
    return None


def _first_sentence(text: str, reads: Reads, same: Same) -> Commitment | None:
    """A first sentence that states an answer in bold, names an option, or is soon explained."""
    greeting = _GREETING.match(text)
    first, *rest = sentences(text[greeting.end() :] if greeting else text) or [""]
    said = _said(stripped(first))
    others = [_said(stripped(each)) or stripped(each) for each in rest[:REASONS]]
    explains = len(text) <= SHORT and not any(map(_WORKS.search, rest))
    start = text.find(first)
    if takes_back(stripped(first)):
        return None
    if said and reads(said) and not any(map(reads, others)) and (_BOLD.search(first) or explains):
        return Commitment(said, "conclusion", start, start + len(first))
    named = _STATEMENT.fullmatch(stripped(first)[:LONGEST])
    if "=" in first or (named and not reads(stripped(named[1]).rstrip("."))):
        return None
    first = stripped(first)
    if not (reads("(A)") and reads("(B)") and reads(first)):
        return None
    later = map(stripped, rest[:REASONS])
    if any(reads(each) and not same(each, first) for each in later):
        return None
    return Commitment(first, "conclusion", start, start + len(first))


def _said(sentence: str) -> str | None:
    """What a sentence says that something is; None if a letter, the name of another thing."""
    found = _STATEMENT.fullmatch(sentence) if len(sentence) <= LONGEST else None
    if found is None or (_NAME.fullmatch(found[1]) and not _OPTION.search(sentence)):
        return None
    return stripped(found[1])


def _statements(sentence: str, is_text: bool) -> Iterator[str]:
    """The texts in which a last sentence may state an answer, the most explicit one first."""
    opening = _THEREFORE.match(sentence)
    rest = sentence[opening.end() :] if opening else sentence
    if _TWO_STATEMENTS.search(rest):
        return
    if opening and (verdict := _SO_YES.match(rest)):
        yield verdict[1]
    said = _said(rest)
    if said and (opening or not is_text):
        yield said
    if is_text or not (opening or _TOTAL.search(sentence)):
        return
    ends = [
        stripped(parts[-1])
        for predicate in (_PREDICATE, _CHINESE_PREDICATE)
        if (parts := predicate.split(rest)[1:])
    ]
    several = len(_COPULA.findall(rest)) > 1
    denied = several and any(map(_DENIES.match, ends[:1]))
    if (said is None or several) and not denied:
        yield from ends
    if said is None and (not ends or _IS_RIGHT.match(ends[0]) or _THERE.fullmatch(rest)):
        yield rest
    left, equals, right = rest.rpartition("=")
    if equals and _AMOUNT.search(right) and _CALCULATES.search(_PREDICATE.split(left)[-1]):
        yield stripped(right)
