"""Which answer does a response commit to?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mstar.rewards.verifier.parsing.characters import settle
from mstar.rewards.verifier.tidying import BOX, matching_braces, standing, tidy

Form = Literal["tag", "box", "heading", "line", "phrase", "whole"]
Same = Callable[[str, str], bool]

LOOKED_AT = 32_768  # characters at the end of a response
MARKS = 64  # of one form that are looked at, from the end
LONGEST = 300  # characters of an answer, or of a response that is all answer
_RANK: dict[Form, int] = {"tag": 3, "box": 2, "heading": 1, "line": 1, "phrase": 0, "whole": 0}

THINK = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(?:final[_ -]?)?answer>", re.IGNORECASE)
_HEADING = re.compile(  # every run is bounded, so that no text makes it backtrack for long
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

_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]{0,40}>")
_CLOSERS = re.compile(r"[\s.,;!$*_`)\]}\\\"']*")


@dataclass(frozen=True, slots=True)
class Commitment:
    """An answer as it stands in the response.

    Attributes:
        text: the words inside the tag or box, or after the colon, stripped.
        form: how it was committed to; ``whole`` is a short response that is all answer.
        start: where the form begins, in the text that was looked at.
        end: where it ends there.
    """

    text: str
    form: Form
    start: int
    end: int


def extract(response: str, same: Same | None = None, *, strict: bool = False) -> str | None:
    r"""The committed answer's text, or None: nothing, cut off, or two that contradict.

    The last answer tag goes before the last box, that before the last ``Answer:`` line or
    ``# Answer`` heading, that before "the answer is ...", and that before a response of at most
    300 characters as a whole. Thinking in a closed block is not looked at; a block, a tag or a
    box that never closes was cut off and is no answer.

    Args:
        response: the whole text that the policy wrote.
        same: whether two answers say the same; left out, their text is compared.
        strict: take only a tag, a box, an ``Answer:`` line or a heading.

    >>> extract(r"First \boxed{12}. Wait, one is hidden. So \boxed{13}.")
    '13'
    >>> extract("Answer: 7")
    '7'
    """
    found = commit(response, same, strict=strict)
    return found.text if isinstance(found, Commitment) else None


def commit(response: str, same: Same | None = None, *, strict: bool = False) -> Commitment | str:
    """The commitment that counts, or the reason why there is none, in a few words."""
    text = visible(response)
    if text is None:
        return "thinking never closed"
    if not text:
        return "empty"
    found = _explicit(text)
    if isinstance(found, str):
        return found
    ranks = [_RANK[each.form] for each in found]
    if not found or (strict and max(ranks) == 0):
        return "no commitment" if strict else _whole(text)
    chosen = [each for each in found if _RANK[each.form] == max(ranks)][-1]
    chosen = replace(chosen, text=standing(chosen.text))
    if not chosen.text:
        return "empty commitment"
    if len(chosen.text) > LONGEST:
        return "commitment too long"
    same = same or _same_text
    for rival in _rivals(text, found, chosen):
        if rival.text not in ("", chosen.text) and not same(rival.text, chosen.text):
            return "conflicting commitments"
    return chosen


def well_formed(response: str) -> bool:
    """Whether the response ends with exactly one commitment in a recognised form."""
    found = commit(response, strict=True)
    text = visible(response)
    if isinstance(found, str) or text is None:
        return False
    return _CLOSERS.fullmatch(text, found.end) is not None


def visible(response: str) -> str | None:
    """The end of the response that is not thinking; None where thinking never closed."""
    last = next(iter([*THINK.finditer(response)][-1:]), None)
    if last is not None and not last.group(1):
        return None
    text = response[last.end() if last else 0 :]
    text = _BOX_TOKENS.sub(r"\\boxed{\1}", settle(text[-LOOKED_AT:])).strip()
    while ending := _END_TOKEN.search(text[-80:]):
        text = text[: len(text) - len(text[-80:]) + ending.start()].rstrip()
    return text


def _explicit(text: str) -> list[Commitment] | str:
    """All commitments but the whole text, by where they end; or a reason to stop."""
    tags, open_tag = _tags(text)
    boxes, open_box = _boxes(text)
    if open_tag:
        return "answer tag never closed"
    if open_box and not tags:
        return "box never closed"
    found = [*tags, *boxes, *_lines(text)]
    return sorted(found, key=lambda each: (each.start, each.end))


def _tags(text: str) -> tuple[list[Commitment], bool]:
    found: list[Commitment] = []
    opened: re.Match[str] | None = None
    for mark in _TAG.finditer(text):
        if not mark.group(1):
            opened = mark
        elif opened is not None:
            inside = tidy(text[opened.end() : mark.start()])
            found.append(Commitment(inside, "tag", opened.start(), mark.end()))
            opened = None
    return found[-MARKS:], opened is not None


def _boxes(text: str) -> tuple[list[Commitment], bool]:
    """The outermost boxes, and whether the last one never closes; braces are matched once."""
    closing = matching_braces(text)
    found: list[Commitment] = []
    covered, cut = 0, False
    for mark in BOX.finditer(text):
        if mark.start() < covered:
            continue
        end = closing.get(mark.end() - 1)
        cut = end is None
        if end is not None:
            covered = end + 1
            found.append(Commitment(tidy(text[mark.end() : end]), "box", mark.start(), covered))
    return found[-MARKS:], cut


def _lines(text: str) -> Iterator[Commitment]:
    """``Answer: X``, headings and phrases."""
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
            body = rest.lstrip()  # where nothing follows on the line, the next line's text
            said, end = body.split("\n", 1)[0], mark.end() + len(rest) - len(body)
            again = None if form == "phrase" else _PHRASE.search(said[:120])
            answer = said[again.end() :] if again and again.start() < 24 else said
            yield Commitment(tidy(answer).rstrip("!"), form, mark.start(), end + len(said))


def _whole(text: str) -> Commitment | str:
    if len(text) > LONGEST:
        return "no commitment"
    if _MARKUP.search(text) or text.endswith("?"):
        return "no commitment"
    said = standing(tidy(text).rstrip("!"))
    return Commitment(said, "whole", 0, len(text)) if said else "empty"


def _rivals(text: str, found: list[Commitment], chosen: Commitment) -> Iterator[Commitment]:
    """Later commitments, and earlier ones of the same form that nothing takes back."""
    for each in found:
        if each.start >= chosen.end and _RANK[each.form] > 0:
            yield each
    follower = chosen
    for each in reversed([e for e in found if e.form == chosen.form and e.end <= chosen.start]):
        said = re.search(r"[.!?;]\s", each.text)  # what follows the answer in its own line
        own = each.text[said.start() :] if said else ""
        if not _stands(f"{own} {text[each.end : follower.start]}"):
            return
        yield each
        follower = each


def _stands(gap: str) -> bool:
    """Whether what lies between two commitments leaves the first one standing."""
    if not re.search(r"[a-zA-Z]{2}", _FILLER.sub("", gap)):
        return True
    if _CORRECTION.search(gap):
        return False
    return bool(_HEDGE.search(gap)) or not re.search(r"[.!?;\n]", gap)


def _same_text(one: str, other: str) -> bool:
    return one.casefold().strip(" .$") == other.casefold().strip(" .$")
