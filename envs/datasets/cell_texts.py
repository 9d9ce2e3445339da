"""The question and the reference answer in a cell, without the markup of published sets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mstar.envs.datasets.field_map import fields_example
from mstar.envs.datasets.options import as_text, parse_options
from mstar.rewards.verifier.verify import extract

LONGEST_ANSWER_TEXT = 2_000  # characters
PLACEHOLDER = re.compile(r"<\|?(?:image|img|imagehere)[\s_-]?(\d{0,3})\|?>", re.I)
HINT = re.compile(r"Hint: Please answer[^\n]{0,200}\nQuestion:\s*")  # from MathVista
LEAD_IN = re.compile(r"\A(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is\b\s*:?|\s*:)\s*", re.I)
WRAPPED = re.compile(r"\$\$?([^$]+)\$\$?|\\boxed\{(.+)\}|<answer>(.*)</answer>", re.S)
QUOTED = re.compile(r"\[\s*(['\"]).{0,2000}\1\s*,?\s*\]", re.S)  # a list of texts written as text
USER_ROLES, ASSISTANT_ROLES = ("user", "human"), ("assistant", "gpt")


def question_text(value: Any) -> str:
    """The question in a cell: its text, or the user's first message if it holds a conversation.

    >>> question_text([{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3"}])
    'How many?'
    """
    return as_text(_message_of(value, USER_ROLES)).strip()


def answer_text(value: Any, list_is_one_answer: bool = False) -> str:
    r"""The reference answer in a cell; "" if it holds none.

    Of several alternative answers it is the most frequent one, of a worked solution the final
    answer.

    >>> answer_text(["dog", "Dog", "cat"]), answer_text("2 + 1 = 3, so\nAnswer: 3")
    ('dog', '3')

    Args:
        value: of the cell.
        list_is_one_answer: whether a list is one answer rather than alternatives.

    Raises:
        ValueError: alternatives of which none is most frequent, an object, an infinite number, a
            text that is too long, or a worked solution without a final answer.
    """
    value = _message_of(value, ASSISTANT_ROLES)
    if isinstance(value, str) and not list_is_one_answer and QUOTED.fullmatch(value.strip()):
        value = list(parse_options(value))
    if isinstance(value, list):
        if list_is_one_answer:
            return str(value)
        return _most_frequent([answer_text(_annotation(item)) for item in value])
    if isinstance(value, dict):
        raise ValueError(
            f"the answer is an object with {sorted(value)!r:.120}; map what is inside, such as "
            + fields_example(answer="answer." + str(next(iter(value), "text")))
        )
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(f"the answer {value} is not a finite number")
    text = as_text(value).strip()
    if "\n" in text or "<answer>" in text or "\\boxed" in text:
        committed = extract(text, strict=True)
        if committed is None:
            raise ValueError(
                f"the answer {text[:60]!r}... has several lines and no <answer>, \\boxed{{}} or "
                "'Answer:' line; map the column with the final answer"
            )
        text = committed
    if len(text) > LONGEST_ANSWER_TEXT:
        raise ValueError(
            f"the answer has {len(text)} characters; the limit is {LONGEST_ANSWER_TEXT}"
        )
    text = LEAD_IN.sub("", text).strip()
    wrapped = WRAPPED.fullmatch(text)
    return next(part for part in wrapped.groups() if part).strip() if wrapped else text


def clean_question(text: str, images: int, numbers: Iterator[int]) -> str:
    """A question without placeholders at its start and end; others become names of images.

    Args:
        text: as written.
        images: how many the problem has.
        numbers: given to unnumbered placeholders in reading order.
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
    kept = name_placeholders(text[:last], images, numbers)
    for place in PLACEHOLDER.finditer(text[last:]):
        _number(place, numbers)
    return HINT.sub("", kept).strip()


def name_placeholders(text: str, images: int, numbers: Iterator[int]) -> str:
    """A question or an option with placeholders replaced by names of images.

    >>> name_placeholders("Is <image> like <image 3>?", 3, iter([1, 2, 3]))
    'Is picture 1 like picture 3?'
    """
    numbered = any(place[1] not in ("", "1") for place in PLACEHOLDER.finditer(text))
    several = images > 1 or numbered  # one image may show several

    def name(place: re.Match[str]) -> str:
        number = _number(place, numbers)
        return f"picture {number}" if several else "the picture"

    return PLACEHOLDER.sub(name, text).strip()


def _number(place: re.Match[str], numbers: Iterator[int]) -> str:
    return place[1] or str(next(numbers))


def _message_of(value: Any, roles: Sequence[str]) -> Any:
    """The first message of a role if the value is a conversation; else the value."""
    if not (isinstance(value, list) and value and all(isinstance(t, dict) for t in value)):
        return value
    messages = [pair for item in value for pair in _roles_and_contents(item)]
    if all(role is None for role, _ in messages):
        return value
    content = next((content for role, content in messages if role in roles), None)
    if isinstance(content, list):  # parts, of which some are images
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content


def _roles_and_contents(item: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Roles and contents of an item of a conversation, in any of its three formats."""
    if "user" in item and "assistant" in item:
        return [("user", item["user"]), ("assistant", item["assistant"])]
    return [(item.get("role", item.get("from")), item.get("content", item.get("value")))]


def _annotation(item: Any) -> Any:
    """The answer of one annotator in the format of VQAv2."""
    return item["answer"] if isinstance(item, dict) and "answer" in item else item


def _most_frequent(texts: Sequence[str]) -> str:
    """The most frequent text, ignoring case, as in VQAv2 with its ten annotators."""
    given = [text for text in texts if text]
    if not given:
        return ""
    counts = Counter(" ".join(text.casefold().split()) for text in given)
    common, count = counts.most_common(1)[0]
    tied = [text for text, often in counts.items() if often == count]
    if len(tied) > 1:
        raise ValueError(
            f"several answers, {sorted(set(given))!r:.120}, and none is given most often; map the "
            f"one that counts, such as {fields_example(answer='answers.0')}; or say "
            "type=list if they are one answer together"
        )
    return next(text for text in given if " ".join(text.casefold().split()) == common)
