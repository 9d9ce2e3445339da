"""The structure of a response: its thinking, its reasoning, and the answer it commits to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mstar.rewards.verifier.parsing.characters import normalise

Form = Literal["tag", "box", "heading", "line", "phrase", "whole"]
Same = Callable[[str, str], bool]

SEARCHED = 32_768  # characters at the end of a response
MARKS = 64  # commitments of one form that are considered, from the end
LONGEST = 300  # characters of an answer, or of a response that is all answer
_RANK: dict[Form, int] = {"tag": 3, "box": 2, "heading": 1, "line": 1, "phrase": 0, "whole": 0}

THINK = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(?:final[_ -]?)?answer>", re.IGNORECASE)
_HEADING = re.compile(  # every repetition is bounded, to limit backtracking
    r"^[ \t]{0,4}(?:#{1,6}[ \t]{0,3})?[*_]{0,3}(?:the )?(?:final )?answer[*_]{0,3}:?[*_]{0,3}"
    r"[ \t]{0,4}$"
    r"|^[ \t]{0,4}#{4}(?!#)(?=[ \t]{0,4}[^#\s])"
    r"|^[ \t]{0,4}#{1,6}[ \t]{0,3}(?:final )?answer\b[ \t]{0,3}[:.]?",
    re.IGNORECASE | re.MULTILINE,
)
_LINE = re.compile(
    r"\banswer[ \t]{0,3}[*_`\"']{0,4}[ \t]{0,3}[:=][ \t]{0,3}[*_`]{0,4}"
    r"|^[ \t*_]{0,4}(?:the )?(?:final )?answer[ \t]{0,3}(?:->|[-→⇒])[ \t]{1,3}"
    r"|答案[是为]?[ \t]{0,3}:?[ \t]{0,3}",
    re.IGNORECASE | re.MULTILINE,
)
_PHRASE = re.compile(
    r"\b(?:answer|(?:correct|right|best) (?:option|choice))\b[^.:;=?!\n]{0,60}?"
    r" (?:is|are|was|would be|should be|must be|equals)\b[ \t]*:?",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\b(?:wait|no|actually|correction|rather|instead|sorry|oops|mistake|recheck|recount|hmm|wrong"
    r"|incorrect|misses|missed|double-check|finally|final)\b",
    re.IGNORECASE,
)
_FILLER = re.compile(r"\b(?:the|so|thus|hence|therefore|and|my|our)\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:or|also|alternatively|maybe|perhaps|possibly|could|might|either)\b", re.IGNORECASE
)
_END_TOKEN = re.compile(
    r"(?:<\|[^<>|\s]{1,30}\|>|</s>|<eos>|<pad>|<end_of_turn>|\[/INST\])\s*$", re.IGNORECASE
)
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>([^<>]{0,300})<\|end_of_box\|>")

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)[ \t]*\{")
_EMPHASIS = re.compile(r"(?<![\w)\]])\*\*|\*\*(?![\w(\[\\])")  # bold, not a power
_RETRACTED = re.compile(
    r"^.*[.,;!?\s-](?:wait[,.!:\s-]{1,3}(?:no|actually)\b|wait[,.!:-]|actually\b|correction:|oops\b"
    r"|scratch that\b|sorry[,.]|i mean\b)[\s,:.]{0,3}(?:(?:no|rather|i mean)\b[\s,:]{1,3}){0,2}",
    re.IGNORECASE | re.DOTALL,
)
_HOPE = re.compile(r"\s*I hope (?:it|this|that) is correct\.?$", re.IGNORECASE)
_MARKS = " \t\n*_`✓✔✅☑"
_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]{0,40}>")
_CLOSERS = re.compile(r"[\s.,;!$*_`)\]}\\\"']*")

REASONING_WORDS = 3  # "Sure!" and "The correct answer:" are no reasoning
# All but the line or the sentence that holds the answer.
_BEFORE_ANSWER = re.compile(r".*(?:[.!?]\s|[\n。])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Commitment:
    """An answer that a response commits to.

    Attributes:
        text: the text inside the tag or box, or after the colon, stripped.
        form: the form of the commitment; ``whole`` is a short response that is all answer.
        start: index of the start of the form, in the visible text.
        end: index of its end.
    """

    text: str
    form: Form
    start: int
    end: int


def commit(response: str, same: Same | None = None, *, strict: bool = False) -> Commitment | str:
    """The answer that a response commits to, or the reason why there is none, in a few words.

    Args:
        response: the whole text that the policy generated.
        same: whether two answers are the same; if None, their texts are compared.
        strict: accept only a tag, a box, an ``Answer:`` line or a heading.
    """
    text = visible(response)
    if text is None:
        return "thinking never closed"
    if not text:
        return "empty"
    explicit = _explicit(text)
    if isinstance(explicit, str):
        return explicit
    ranks = [_RANK[each.form] for each in explicit]
    if not explicit or (strict and max(ranks) == 0):
        return "no commitment" if strict else _whole(text)
    chosen = [each for each in explicit if _RANK[each.form] == max(ranks)][-1]
    chosen = replace(chosen, text=_without_retraction(chosen.text))
    if not chosen.text:
        return "empty commitment"
    if len(chosen.text) > LONGEST:
        return "commitment too long"
    same = same or _same_text
    for rival in _rivals(text, explicit, chosen):
        if rival.text not in ("", chosen.text) and not same(rival.text, chosen.text):
            return "conflicting commitments"
    return chosen


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


def visible(response: str) -> str | None:
    """The end of the response after its thinking block; None if that block never closes."""
    last = next(iter([*THINK.finditer(response)][-1:]), None)
    if last is not None and not last.group(1):
        return None
    text = response[last.end() if last else 0 :]
    text = _BOX_TOKENS.sub(r"\\boxed{\1}", normalise(text[-SEARCHED:])).strip()
    while ending := _END_TOKEN.search(text[-80:]):
        text = text[: len(text) - len(text[-80:]) + ending.start()].rstrip()
    return text


def _explicit(text: str) -> list[Commitment] | str:
    """All commitments in the order of the text, or the reason why there is none."""
    tags, open_tag = _tags(text)
    boxes, open_box = _boxes(text)
    if open_tag:
        return "answer tag never closed"
    if open_box and not tags:
        return "box never closed"
    return sorted([*tags, *boxes, *_lines(text)], key=lambda each: (each.start, each.end))


def _tags(text: str) -> tuple[list[Commitment], bool]:
    tags: list[Commitment] = []
    opened: re.Match[str] | None = None
    for mark in _TAG.finditer(text):
        if not mark.group(1):
            opened = mark
        elif opened is not None:
            inside = _stripped(text[opened.end() : mark.start()])
            tags.append(Commitment(inside, "tag", opened.start(), mark.end()))
            opened = None
    return tags[-MARKS:], opened is not None


def _boxes(text: str) -> tuple[list[Commitment], bool]:
    """The outermost boxes, and whether the last one never closes."""
    closing = _matching_braces(text)
    boxes: list[Commitment] = []
    covered, is_cut = 0, False
    for mark in _BOX.finditer(text):
        if mark.start() < covered:
            continue
        end = closing.get(mark.end() - 1)
        is_cut = end is None
        if end is not None:
            covered = end + 1
            boxes.append(
                Commitment(_stripped(text[mark.end() : end]), "box", mark.start(), covered)
            )
    return boxes[-MARKS:], is_cut


def _lines(text: str) -> Iterator[Commitment]:
    """Commitments by ``Answer: X``, by a heading and by a phrase."""
    patterns: tuple[tuple[Form, re.Pattern[str]], ...] = (
        ("heading", _HEADING),
        ("line", _LINE),
        ("phrase", _PHRASE),
    )
    for form, pattern in patterns:
        marks = [*pattern.finditer(text)][-MARKS:]
        limits = [*(mark.start() for mark in marks), len(text)][1:]
        for mark, limit in zip(marks, limits, strict=bool(marks)):
            rest = text[mark.end() : limit]
            body = rest.lstrip()  # if the line is empty, the answer is on the next line
            line, start = body.split("\n", 1)[0], mark.end() + len(rest) - len(body)
            phrase = None if form == "phrase" else _PHRASE.search(line[:120])
            answer = line[phrase.end() :] if phrase and phrase.start() < 24 else line
            yield Commitment(_stripped(answer).rstrip("!"), form, mark.start(), start + len(line))


def _whole(text: str) -> Commitment | str:
    if len(text) > LONGEST:
        return "no commitment"
    if _MARKUP.search(text) or text.endswith("?"):
        return "no commitment"
    answer = _without_retraction(_stripped(text).rstrip("!"))
    return Commitment(answer, "whole", 0, len(text)) if answer else "empty"


def _rivals(text: str, every: list[Commitment], chosen: Commitment) -> Iterator[Commitment]:
    """Later commitments, and earlier ones of the same form that the text does not retract."""
    for each in every:
        if each.start >= chosen.end and _RANK[each.form] > 0:
            yield each
    following = chosen
    for each in reversed([e for e in every if e.form == chosen.form and e.end <= chosen.start]):
        sentence_end = re.search(r"[.!?;]\s", each.text)
        rest_of_line = each.text[sentence_end.start() :] if sentence_end else ""
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
    return not _HEDGE.search(gap) and re.search(r"[.!?;\n]", gap) is not None


def _same_text(one: str, other: str) -> bool:
    return one.casefold().strip(" .$") == other.casefold().strip(" .$")


def _stripped(text: str) -> str:
    """The answer without the white space, emphasis and boxes around it."""
    text = _HOPE.sub("", _EMPHASIS.sub("", _BOX.sub("{", text)).strip(_MARKS))
    if text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1].rstrip()
    if not text.startswith("{"):
        return text
    matching = _matching_braces(text)
    start, end = 0, len(text)
    while start < end and text[start] == "{" and matching.get(start) == end - 1:
        start, end = start + 1, end - 1
    return text[start:end].strip()


def _without_retraction(text: str) -> str:
    """The answer after the last ``wait, no`` in it.

    >>> _without_retraction("12. Wait, no, 13")
    '13'
    """
    return _RETRACTED.sub("", text[-1_000:])


def _matching_braces(text: str) -> dict[int, int]:
    """The index of the closing brace by the index of its opening brace."""
    matching: dict[int, int] = {}
    opened: list[int] = []
    for brace in re.finditer(r"\\[\\{}]|[{}]", text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif brace.group() == "}" and opened:
            matching[opened.pop()] = brace.start()
    return matching
