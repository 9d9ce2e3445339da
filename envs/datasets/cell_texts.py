"""The question and the gold that a cell says, out of the wrapping that published sets have."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mstar.envs.datasets.field_map import fields_example
from mstar.envs.datasets.options import as_text, options
from mstar.rewards.verifier.verify import extract

LONGEST_GOLD = 2_000  # characters
PLACEHOLDER = re.compile(r"<\|?(?:image|img|imagehere)[\s_-]?(\d{0,3})\|?>", re.I)
HINT = re.compile(r"Hint: Please answer[^\n]{0,200}\nQuestion:\s*")  # as MathVista words it
LEAD = re.compile(r"\A(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is\b\s*:?|\s*:)\s*", re.I)
WRAPPED = re.compile(r"\$\$?([^$]+)\$\$?|\\boxed\{(.+)\}|<answer>(.*)</answer>", re.S)
QUOTED = re.compile(r"\[\s*(['\"]).{0,2000}\1\s*,?\s*\]", re.S)  # a list of texts, as a text
ASKING, ANSWERING = ("user", "human"), ("assistant", "gpt")  # roles in a talk


def question_text(value: Any) -> str:
    """What a cell asks: its text, or the first turn of the user where it holds a talk.

    >>> question_text([{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3"}])
    'How many?'
    """
    return as_text(_turn(value, ASKING)).strip()


def gold_text(value: Any, together: bool = False) -> str:
    r"""The gold that a cell holds; "" where it holds none.

    Of several answers it is the one that is given most often, of a worked solution what it
    commits to.

    >>> gold_text(["dog", "Dog", "cat"]), gold_text("2 + 1 = 3, so\nAnswer: 3")
    ('dog', '3')

    Args:
        value: of the cell.
        together: whether a list is one answer, not several of which any will do.

    Raises:
        ValueError: several answers, an object, no finite number, too long a text, or a worked
            solution that commits to nothing.
    """
    value = _turn(value, ANSWERING)
    if isinstance(value, str) and not together and QUOTED.fullmatch(value.strip()):
        value = list(options(value))
    if isinstance(value, list):
        return str(value) if together else _agreed([gold_text(_said(item)) for item in value])
    if isinstance(value, dict):
        raise ValueError(
            f"the answer is an object with {sorted(value)!r:.120}; map what is inside, such as "
            + fields_example(answer="answer." + str(next(iter(value), "text")))
        )
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"the answer {value} is no finite number")
    text = as_text(value).strip()
    if "\n" in text or "<answer>" in text or "\\boxed" in text:
        committed = extract(text, strict=True)
        if committed is None:
            raise ValueError(
                f"the answer {text[:60]!r}... has several lines and no <answer>, \\boxed{{}} or "
                "'Answer:' line; map the column with the final answer"
            )
        text = committed
    if len(text) > LONGEST_GOLD:
        raise ValueError(f"the answer has {len(text)} characters; {LONGEST_GOLD} are the most")
    text = LEAD.sub("", text).strip()
    wrapped = WRAPPED.fullmatch(text)
    return next(part for part in wrapped.groups() if part).strip() if wrapped else text


def cleaned(text: str, pictures: int, numbers: Iterator[int]) -> str:
    """A question without placeholders at its ends; one inside says which picture it is.

    Args:
        text: as it was written.
        pictures: how many there are.
        numbers: of the pictures that unnumbered placeholders mean, in reading order.
    """
    text = HINT.sub("", text)
    found = list(PLACEHOLDER.finditer(text))
    while found and not text[: found[0].start()].strip():
        _number(found[0], numbers)
        text = text[found.pop(0).end() :].strip()
        found = list(PLACEHOLDER.finditer(text))
    last = len(text)
    while found and not text[found[-1].end() : last].strip():
        last = found.pop().start()
    kept = named(text[:last], pictures, numbers)
    for place in PLACEHOLDER.finditer(text[last:]):
        _number(place, numbers)
    return HINT.sub("", kept).strip()


def named(text: str, pictures: int, numbers: Iterator[int]) -> str:
    """A text with the names of pictures in place of placeholders, for questions and options.

    >>> named("Is <image> like <image 3>?", 3, iter([1, 2, 3]))
    'Is picture 1 like picture 3?'
    """
    numbered = any(place[1] not in ("", "1") for place in PLACEHOLDER.finditer(text))
    several = pictures > 1 or numbered  # one picture may show several

    def name(place: re.Match[str]) -> str:
        number = _number(place, numbers)
        return f"picture {number}" if several else "the picture"

    return PLACEHOLDER.sub(name, text).strip()


def _number(place: re.Match[str], numbers: Iterator[int]) -> str:
    return place[1] or str(next(numbers))


def _turn(value: Any, roles: Sequence[str]) -> Any:
    """What the first turn of a role says, where the value is a talk; else the value."""
    if not (isinstance(value, list) and value and all(isinstance(t, dict) for t in value)):
        return value
    turns = [pair for turn in value for pair in _said_by(turn)]
    if all(role is None for role, _ in turns):
        return value
    said = next((content for role, content in turns if role in roles), None)
    if isinstance(said, list):  # parts, of which some are pictures
        said = "\n".join(part["text"] for part in said if isinstance(part, dict) and _text(part))
    return said


def _said_by(turn: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Roles and what they say in a turn, in the three ways that talks are written."""
    if "user" in turn and "assistant" in turn:
        return [("user", turn["user"]), ("assistant", turn["assistant"])]
    return [(turn.get("role", turn.get("from")), turn.get("content", turn.get("value")))]


def _text(part: dict[str, Any]) -> bool:
    return isinstance(part.get("text"), str)


def _said(item: Any) -> Any:
    """The answer of one annotator, as VQAv2 writes it."""
    return item["answer"] if isinstance(item, dict) and "answer" in item else item


def _agreed(texts: Sequence[str]) -> str:
    given = [text for text in texts if text]
    if not given:
        return ""
    counts = Counter(" ".join(text.casefold().split()) for text in given)
    common, count = counts.most_common(1)[0]  # as the answer of VQAv2 is the commonest of ten
    tied = [text for text, often in counts.items() if often == count]
    if len(tied) > 1:
        raise ValueError(
            f"several answers, {sorted(set(given))!r:.120}, and none is given most often; map the "
            f"one that counts, such as {fields_example(answer='answers.0')}; or say "
            "type=list where they are one answer together"
        )
    return next(text for text in given if " ".join(text.casefold().split()) == common)
