"""Which of the answers that a response states it commits to.

A commitment is what stands in the explicit answer, in its first sentence. What follows can take it
back, state another one, or give reasons, and only the last of these leaves it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from mstar.rewards.verifier.conclusion import conclusion
from mstar.rewards.verifier.forms import (
    RANK,
    THINK,
    Commitment,
    Form,
    before_another_question,
    explicit_forms,
    stripped,
    visible,
    without_courtesy,
)
from mstar.rewards.verifier.parsing.discourse import (
    goes_on_with_condition,
    is_unfinished,
    opens_with_condition,
    takes_back,
)
from mstar.rewards.verifier.parsing.prose import sentences

__all__ = [
    "WORDS",
    "Commitment",
    "Form",
    "Reader",
    "commit",
    "has_reasoning",
    "visible",
    "well_formed",
]

LONGEST = 300  # characters of an answer, or of a response that is all answer
MOST_PARTS = 8  # lines or sentences of an answer that are looked at one by one
REMARKS = 3  # sentences after an answer that could state another one
REASONING_WORDS = 3  # "Sure!" and "The correct answer:" are no reasoning

_CORRECTION = re.compile(
    r"\b(?:wait|no|actually|correction|rather|instead|sorry|oops|mistake|recheck|recount|hmm|wrong"
    r"|incorrect|misses|missed|double-check|finally|final|hold on|should be|scratch that)\b",
    re.IGNORECASE,
)
_FILLER = re.compile(r"\b(?:the|so|thus|hence|therefore|and|my|our)\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:or|also|alternative|alternatively|possible|maybe|perhaps|possibly|could|might|either)\b",
    re.IGNORECASE,
)
_RETRACTED = re.compile(
    r"^.*[.,;!?\s-](?:wait[,.!:\s-]{1,3}(?:no|actually)\b|wait[,.!:-]"
    r"|(?<!\bis )(?<!\bare )(?<!\bwas )actually\b|correction:|oops\b|(?:(?<=\.\. )|(?<=\? ))no,"
    r"|scratch that\b|sorry[,.]|i mean\b)[\s,:.]{0,3}(?:(?:no|rather|i mean)\b[\s,:]{1,3}){0,2}",
    re.IGNORECASE | re.DOTALL,
)
_ANNOUNCES = re.compile(  # "Answer: We look at each option in turn."
    r"\W{0,4}(?:we|let|let's|let us|i|first|firstly|to [a-z]+|[a-z]+ing (?:the|all|each|at|up|from"
    r"|by|to|on)|based on|step|now|next|here|consider|look|see|recall|note|given|since|using"
    r"|from the)\b",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(r"\W{0,3}(?:not .{1,30}? but|no,) (.{1,60})", re.IGNORECASE)
_LOWER_WORD = re.compile(r"\b[a-z]{2,}")
_TITLE = re.compile(
    r"[\s\d.*#_()-]{0,12}(?:step \d+[\s.:*-]{1,6})?"
    r"(?:to |(?:now,? )?(?:let's |let us |let me |we (?:can |must |need to |have to )?))?"
    r"(?:[a-z]+ing|compute|calculate|find|determine|select|choose|pick|identify|verify|check"
    r"|(?:work|figure) out|get|obtain|derive)"
    r"(?: and [a-z]+)? (?:the|our|my|your) (?:[a-z]+ ){0,2}",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\s?\$?\s?(?:,|;|\band\b|, and\b|\\text\{\s?(?:and|or)\s?\})\s?\$?\s?")
_OFFERS = re.compile(r"\d|\b(?:or|and)\b", re.IGNORECASE)
_BARE = re.compile(r"(?:[^=:?;\[\]]|(?<=\d):(?=\d)){1,60}")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]{0,40}>")
_PROGRAM = re.compile(r"^[ \t]{0,8}(?:def \w+\(|import \w|from \w+ import|print\(|return\b)", re.M)
_BULLET = re.compile(r"^(?:[-*•]|\d\.)[ \t]{1,3}(?=\D)")
_TITLE_MARK = re.compile(r"#{1,6}[ \t]{1,3}")
_ENDS = re.compile(r"[.!]{0,3}(?:\s|\Z)")
_CLOSERS = re.compile(r"[\s.,;!$*_`)\]}\\\"']*")
# All but the line or the sentence that holds the answer.
_BEFORE_ANSWER = re.compile(r".*(?:[.!?]\s|[\n。])", re.DOTALL)


class Reader(NamedTuple):
    """What the extraction needs to know of the type of an answer.

    Attributes:
        reads: whether a text is an answer of the type.
        same: whether two texts are the same answer.
        is_text: whether any words at all are an answer of the type.
        is_list: whether an answer has several parts, each of which may stand in its own box.
        own: a reference answer that looks like several sentences, such as ``Ext. Motion``; "" if it
            does not.
    """

    reads: Callable[[str], bool]
    same: Callable[[str, str], bool]
    is_text: bool
    is_list: bool = False
    own: str = ""


WORDS = Reader(reads=bool, same=lambda one, other: _spelled(one) == _spelled(other), is_text=True)
"""The reader for answers of which nothing is known."""


def commit(response: str, reader: Reader = WORDS, *, strict: bool = False) -> Commitment | str:
    """The answer that a response commits to, or the reason why there is none, in a few words.

    Args:
        response: the whole text that the policy generated.
        reader: how answers of the type are read and compared.
        strict: accept only a tag, a box, an ``Answer:`` line or a heading.
    """
    text = visible(response)
    if text is None:
        return "thinking never closed"
    if not text:
        return "empty"
    text = before_another_question(text)
    explicit = explicit_forms(text)
    if isinstance(explicit, str):
        return explicit
    if reader.is_list:
        explicit = _joined_boxes(text, explicit)
    explicit = [_first_sentence(each, reader) for each in explicit]
    stated = [each for each in explicit if not _announces(each, reader)]
    if not stated and not strict and explicit and explicit[-1].form == "heading":
        section = _whole(f"{explicit[-1].text}\n{text[explicit[-1].end :]}".strip(), reader)
        if isinstance(section, Commitment) and reader.reads(section.text):
            return replace(section, start=explicit[-1].start, end=len(text))
    explicit = stated or explicit
    explicit = [each for each in explicit if not _is_title(text, each)] or explicit
    if conditional := [each for each in explicit if _under_condition(text, each)]:
        explicit = [each for each in explicit if each not in conditional]
        if not explicit:
            return "conditional"
    ranks = [RANK[each.form] for each in explicit]
    if not explicit or (strict and max(ranks) == 0):
        return "no commitment" if strict else _unmarked(text, reader)
    chosen = [each for each in explicit if RANK[each.form] == max(ranks)][-1]
    last = explicit[-1]
    gap = text[chosen.end : last.start]
    if takes_back(gap) and not _HEDGE.search(gap):  # "Answer: 7. Correction: the answer is 8"
        chosen = last
    said = _without_retraction(chosen.text + chosen.remark)
    found, chosen = chosen, _first_sentence(replace(chosen, text=said, remark=""), reader)
    if reader.reads(chosen.text):  # "12. Wait, no: 13"
        explicit = [chosen if each is found else each for each in explicit]
    if not chosen.text:
        return "empty commitment"
    if len(chosen.text) > LONGEST:
        return "commitment too long"
    if _holds_several(chosen.text, reader):
        return "conflicting commitments"
    for rival in _rivals(text, explicit, chosen, reader):
        if rival.text not in ("", chosen.text) and not reader.same(rival.text, chosen.text):
            return "conflicting commitments"
    return _fault_after(text, explicit, chosen, reader) or chosen


def well_formed(response: str) -> bool:
    """Whether the response ends with exactly one commitment in a recognised form."""
    committed = commit(response, strict=True)
    text = visible(response)
    if isinstance(committed, str) or text is None:
        return False
    return _CLOSERS.fullmatch(text, committed.end) is not None


def has_reasoning(response: str) -> bool:
    r"""Whether lines, sentences or thinking of three words or more precede the answer.

    Only the form is checked: the reasoning may be wrong. Text after the answer did not lead to it
    and does not count, nor does the rest of the answer's own sentence.

    >>> has_reasoning("red is 8\nAnswer: 8"), has_reasoning("Answer: 8")
    (True, False)
    >>> has_reasoning("Answer: 8\nThat is what the picture shows.")
    False
    """
    text, committed = visible(response), commit(response)
    if text is None or not isinstance(committed, Commitment):
        return False
    before = _BEFORE_ANSWER.match(text[: committed.start])
    thinking = THINK.split(response)[:-1:2]
    words = re.findall(r"\w+", " ".join([*thinking, before[0] if before else ""]))
    return len(words) >= REASONING_WORDS


def _unmarked(text: str, reader: Reader) -> Commitment | str:
    """The commitment of a response without an explicit form: as a whole, or its conclusion."""
    text = without_courtesy(text)
    whole = _whole(text, reader)
    if isinstance(whole, Commitment) and (reader.is_text or reader.reads(whole.text)):
        return "taken back" if takes_back(_later_sentences(whole.text)) else whole
    if whole == "unfinished" or _PROGRAM.search(text):
        return whole
    stated = conclusion(text, reader.reads, reader.same, is_text=reader.is_text)
    return (_fault_after(text, [stated], stated, reader) or stated) if stated else whole


def _whole(text: str, reader: Reader) -> Commitment | str:
    if len(text) > LONGEST:
        return "no commitment"
    asks = text.endswith("?") and (reader.is_text or not reader.reads(text))
    if _MARKUP.search(stripped(text)) or _PROGRAM.search(text) or asks:
        return "no commitment"
    if is_unfinished(text):
        return "unfinished"
    first, blank, rest = text.partition("\n\n")
    if blank and _is_bare(first) and not reader.is_text and reader.reads(stripped(first)):
        line = Commitment(stripped(first), "whole", 0, len(text), rest)
        ends = conclusion(rest, reader.reads, reader.same, is_text=False)
        if ends and not reader.same(ends.text, line.text):
            return "conflicting commitments"
        return _fault_after(text, [line], line, reader) or line
    answer = _without_retraction(_TITLE_MARK.sub("", stripped(text).rstrip("!"), count=1))
    if _holds_several(answer, reader):
        return "conflicting commitments"
    return Commitment(answer, "whole", 0, len(text)) if answer else "empty"


def _joined_boxes(text: str, every: list[Commitment]) -> list[Commitment]:
    """The commitments with one for each run of boxes between which only commas stand."""
    joined: list[Commitment] = []
    for each in every:
        last = joined[-1] if joined else None
        if (
            last
            and last.form == each.form == "box"
            and _COMMA.fullmatch(text[last.end : each.start])
        ):
            joined[-1] = replace(last, text=f"{last.text}, {each.text}", end=each.end)
        else:
            joined.append(each)
    return joined


def _first_sentence(each: Commitment, reader: Reader) -> Commitment:
    """A line reduced to its first sentence, if that is an answer; the rest becomes a remark."""
    if each.form in ("tag", "box"):
        return each
    first, _, rest = each.text.partition("\n")
    first, *others = _sentences(first, reader) or [first]
    if not (others or rest) or not reader.reads(first):
        return each
    return replace(each, text=first, remark=f" {' '.join(others)}\n{rest}")


def _sentences(text: str, reader: Reader) -> list[str]:
    """The sentences and lines of an answer; the items of a list, after ``;``, are one sentence."""
    behind = text[len(reader.own) :]
    if reader.own and text.startswith(reader.own) and _ENDS.match(behind):
        return [reader.own, *sentences(behind.lstrip(" .!"))]
    parts: list[str] = []
    for part in sentences(text):
        if reader.is_list and parts and parts[-1].endswith(";") and _is_bare(part, text):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return parts


def _under_condition(text: str, each: Commitment) -> bool:
    if each.form in ("line", "phrase"):
        return opens_with_condition(text[: each.start])
    return each.form in ("tag", "box") and goes_on_with_condition(text[each.end :])


def _announces(each: Commitment, reader: Reader) -> bool:
    """Whether a form only announces an answer, such as the title ``Select the answer:``."""
    if each.form in ("tag", "box"):
        return False
    count = len(each.text.split())
    prose = count > 3 or (count == 3 and not _OFFERS.search(each.text))
    if _ANNOUNCES.match(each.text) and count > 2:
        return True
    if not each.text.strip(" .,;!") or each.text[-1:] == ":":
        return True
    return prose and not reader.is_text and not reader.reads(each.text)


def _is_title(text: str, each: Commitment) -> bool:
    """Whether a line is the title of a step, such as ``Finding the answer: 2 + 3``."""
    line = text[text.rfind("\n", 0, each.start) + 1 : each.start]
    return each.form == "line" and _TITLE.fullmatch(line) is not None


def _rivals(
    text: str, every: list[Commitment], chosen: Commitment, reader: Reader
) -> Iterator[Commitment]:
    """Later commitments, and earlier ones that the text between does not move on from."""
    for each in every:
        if each.start >= chosen.end and (RANK[each.form] > 0 or reader.reads(each.text)):
            yield each
    for each in every:  # "The answer is 8." right before a box with 7
        between = text[each.end : chosen.start]
        beside = each.end <= chosen.start and not re.search(r"\w", between)
        if beside and chosen.form in ("box", "tag") and _is_bare(each.text):
            yield each
    following = chosen
    for each in reversed([e for e in every if e.form == chosen.form and e.end <= chosen.start]):
        sentence_end = re.search(r"[.!?]\s" if reader.is_list else r"[.!?;]\s", each.text)
        rest_of_line = each.text[sentence_end.start() :] if sentence_end else ""
        rest_of_line += f". {each.remark}" if each.remark else ""
        if _retracts(f"{rest_of_line} {text[each.end : following.start]}"):
            return
        yield each
        following = each


def _retracts(gap: str) -> bool:
    """Whether the text between two commitments retracts the first one."""
    if not re.search(r"[a-zA-Z]{2}", _FILLER.sub("", gap)):
        return False
    if _CORRECTION.search(gap):
        return True
    return not _HEDGE.search(gap) and (takes_back(gap) or re.search(r"[.!?;\n]", gap) is not None)


def _fault_after(
    text: str, every: list[Commitment], chosen: Commitment, reader: Reader
) -> str | None:
    """What the text after a commitment does to it, in a few words; None if it lets it stand."""
    last = [each for each in every if each.end >= chosen.end][-1]  # says the same again
    after = f"{last.remark}\n{text[last.end :]}"
    if takes_back(after) or takes_back(_later_sentences(chosen.text)):
        return "taken back"
    if chosen.form in ("line", "phrase") and is_unfinished(chosen.text):
        return "unfinished"
    beside = f"{last.remark}\n{text[last.end :].removeprefix(chr(10)).split(chr(10), 1)[0]}"
    if any(_is_other(each, chosen, reader, beside) for each in islice(sentences(after), REMARKS)):
        return "conflicting commitments"
    return None


def _later_sentences(answer: str) -> str:
    """What an answer says after its first sentence, or after its letter: ``A. Hold on, ...``."""
    return (*re.split(r"[.!?;:]\s", answer, maxsplit=1), "")[1]


def _is_other(sentence: str, chosen: Commitment, reader: Reader, beside: str) -> bool:
    """Whether a sentence is nothing but another answer; words, only on the answer's lines."""
    sentence = _BULLET.sub("", sentence, count=1)
    corrected = _NOT_BUT.fullmatch(sentence)
    sentence = corrected[1] if corrected else sentence
    bare = stripped(sentence).rstrip(".!,; ")
    if (chosen.form == "tag" and not corrected) or not _is_bare(sentence, chosen.text):
        return False
    is_name = sentence.istitle() or " " not in sentence  # and not the start of another sentence
    if reader.is_text and not corrected and not (sentence in beside and is_name):
        return False
    return reader.reads(bare) and not reader.same(bare, chosen.text)


def _holds_several(text: str, reader: Reader) -> bool:
    """Whether the lines or sentences of an answer are different answers: ``7. 8``."""
    text = text.replace("\n", "; ") if reader.is_list else text  # one item a line
    parts = [stripped(each).rstrip(".!,; ") for each in _sentences(text, reader)[:MOST_PARTS]]
    if len(parts) < 2 or (reader.is_text and not all(map(_is_bare, parts))):
        return False
    answers = [each for each in parts if _is_bare(each, text) and reader.reads(each)]
    return any(not reader.same(each, answers[0]) for each in answers)


def _is_bare(sentence: str, like: str = "") -> bool:
    """Whether a sentence may be nothing but an answer, with such signs as another one has."""
    for sign in "=[];":
        sentence = sentence.replace(sign, "") if sign in like else sentence
    count = len(sentence.split())
    return (
        (count < 3 or (count < 7 and _LOWER_WORD.search(sentence) is None))
        and bool(_BARE.fullmatch(sentence))
        and re.search(r"\w", sentence) is not None
    )


def _spelled(text: str) -> str:
    return text.casefold().strip(" .$")


def _without_retraction(text: str) -> str:
    """The answer after the last ``wait, no`` in it.

    >>> _without_retraction("12. Wait, no, 13")
    '13'
    """
    return _RETRACTED.sub("", text[-1_000:])
