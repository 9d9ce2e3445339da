"""The question and the reference answer in a cell, without the markup of published sets."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from mstar.envs.datasets.field_map import fields_example
from mstar.envs.datasets.options import as_text, options_in_question, parse_options
from mstar.envs.problem import Span
from mstar.rewards.verifier.verify import extract

LONGEST_ANSWER_TEXT = 2_000  # characters
# <image>  <|image_1|>  <img_3362>  <img>1.png</img>  <img src="1.png">  [IMG]  ![](1.png)
PLACEHOLDER = re.compile(
    r"(?:<\|?(?:begin_of_image|im_start|image_start)\|?>\s*)?(?:"
    r"<\|media_(?:start|begin)\|>image<\|media_content\|>(?:<\|media_pad\|>)*<\|media_end\|>"
    r"|<\|vision_start\|>\s*(?:<\|image_pad\|>)*\s*<\|vision_end\|>"
    r"|<img>\s*(?:<IMG_CONTEXT>\s*)*</img>|<IMG_CONTEXT>|\(?<image>\./</image>\)?"
    r"|(?:(?:picture|image) \d{1,2}: ?(?=<img>))?"
    r"<\|?(?:image|img|imagehere|image_?pad|image_?placeholder|image_?soft_?token|start_of_image"
    r"|picture)[\s_-]?"
    r"(?P<number>\d{0,6})\|?>(?:(?P<tagged>[^<>\n]{1,300})</(?:img|image)>)?"
    r"|<img\s[^<>]{0,300}?src=[\"']?(?P<source>[^<>\"'\s]{1,300})[^<>]{0,300}>"
    r"|\[(?:image|img|picture)[\s_-]?(?P<listed>\d{0,3})\]"
    r"|!\[[^\]\n]{0,200}\]\((?P<linked>[^()\s]{0,300})\)"
    r")(?:\s*<\|?(?:end_of_image|im_end|image_end)\|?>|\[IMG_(?:END|BREAK)\])*",
    re.I,
)
WRITTEN_NUMBER = re.compile(r"\d+(?=[|>\]])")  # of a placeholder
MOST_IMAGES = 99  # a larger number in a placeholder is the name of a file
OTHER_MEDIA = re.compile(r"<\|?(?:video|audio)(?:_?pad|_?placeholder)?\|?>", re.I)
ESCAPED_BREAK = re.compile(r"(?<!\\)\\n(?![a-z])")  # a line break that was escaped twice; not \nu
HINT = re.compile(r"Hint: Please answer[^\n]{0,200}\nQuestion:\s*")  # from MathVista
THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.S)
LEAD_IN = re.compile(r"\A(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is\b\s*:?|\s*:)\s*", re.I)
WRAPPED = re.compile(r"\$\$?([^$]+)\$\$?|\\boxed\{(.+)\}|<answer>(.*)</answer>", re.S)
SHORT_LINE = 12  # characters; lines up to this length are values, not a solution
IN_JSON = re.compile(r"\s*\[\s*\{\s*\"(?:role|from|content|value|user|system)\"")  # a conversation
QUOTED = re.compile(r"\[\s*(['\"]).{0,2000}\1\s*,?\s*\]", re.S)  # a list of texts written as text
USER_ROLES, ASSISTANT_ROLES = ("user", "human"), ("assistant", "gpt")


class PlacedText(NamedTuple):
    """A text with names of images in the place of placeholders.

    Attributes:
        text: such as "Is picture 1 red?".
        places: by the index of an image, the characters of the text in whose place it stands: those
            of its name, or none at either end of the text.
    """

    text: str
    places: dict[int, Span]


def question_text(value: Any) -> str:
    """The question in a cell: its text, or what comes before the last answer of a conversation.

    Images among the parts of a message become ``<image>``.

    >>> question_text([{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3"}])
    'How many?'
    """
    turns = single_turns(value)
    return _text_of(turns[-1][0]["content"] if turns else value).strip()


def single_turns(value: Any) -> list[list[dict[str, Any]]]:
    r"""One conversation of a question and its answer for each answer of a conversation.

    A question includes all that comes before it, a system prompt as well, which its message also
    has under ``system``.

    >>> more = [{"user": "Red?", "assistant": "No"}, {"user": "Blue?", "assistant": "Yes"}]
    >>> [question_text(turn) for turn in single_turns(more)]
    ['Red?', 'Red?\nNo\nBlue?']

    Returns:
        Conversations of one or two messages; [] if the value is not a conversation.
    """
    value = unpacked(value)
    if not (isinstance(value, list) and value and all(isinstance(t, dict) for t in value)):
        return []
    messages = [pair for item in value for pair in _roles_and_contents(item)]
    if all(role is None for role, _ in messages):
        return []
    role, content = messages[0]
    system = _text_of(content) if role == "system" else value[0].get("system", "")
    asked_by = {"role": "user", "system": system}
    before: list[Any] = []
    turns: list[list[dict[str, Any]]] = []
    for number, (role, content) in enumerate(messages):
        asked = number == 0 or messages[number - 1][0] in USER_ROLES
        if role in ASSISTANT_ROLES and asked:
            answer = {"role": "assistant", "content": content}
            turns.append([{**asked_by, "content": list(before)}, answer])
        before += content if isinstance(content, list) else [{"type": "text", "text": content}]
    if not turns or messages[-1][0] in USER_ROLES:
        turns.append([{**asked_by, "content": before}])
    return turns


def unpacked(value: Any) -> Any:
    """The conversation in a cell that holds it as JSON text; any other value as it is.

    >>> unpacked('[{"role": "user", "content": "Why?"}]')
    [{'role': 'user', 'content': 'Why?'}]
    """
    if isinstance(value, str) and IN_JSON.match(value):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def system_prompt(value: Any) -> str:
    """What a conversation begins with before the user speaks; "" if it has no such message.

    >>> system_prompt([{"role": "system", "content": "Hi"}, {"role": "user", "content": "Why?"}])
    'Hi'
    """
    turns = single_turns(value)
    return as_text(turns[-1][0]["system"]).strip() if turns else ""


def named_images(text: str) -> list[str]:
    """The files that placeholders in a text name, such as ``<img>1.png</img>`` or ``![](1.png)``.

    >>> named_images("Compare ![](a.png) with <img_12>.")
    ['a.png', '12']
    """
    names = []
    for place in PLACEHOLDER.finditer(text):
        name = place["tagged"] or place["source"] or place["linked"]
        is_file = (place["number"] or "").isdigit() and "_" in place[0]
        names += [name or place["number"]] if name or is_file else []
    return names


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
    if turns := single_turns([value] if isinstance(value, dict) else value):  # or one message
        value = _text_of(turns[-1][1]["content"]) if len(turns[-1]) > 1 else None
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
    text = THINKING.sub("", as_text(value)).strip()
    if "\n" in text or "<answer>" in text or "\\boxed" in text or "####" in text:
        committed = extract(text, strict=True)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if committed is None and max(map(len, lines)) <= SHORT_LINE:
            committed = ", ".join(dict.fromkeys(lines))  # one value a line
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


def counted_from_one(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts with placeholders whose numbers begin at 1, where they begin at 0.

    >>> counted_from_one(["<image_0> or <image_1>?", "<image_1>"])
    ('<image_1> or <image_2>?', '<image_2>')
    """
    marks = [mark for text in texts for mark in PLACEHOLDER.finditer(text)]
    numbers = [mark["number"] or mark["listed"] or "1" for mark in marks]
    if not any(int(number) == 0 for number in numbers):
        return tuple(texts)

    def one_more(mark: re.Match[str]) -> str:
        return WRITTEN_NUMBER.sub(lambda number: str(int(number[0]) + 1), mark[0])

    return tuple(PLACEHOLDER.sub(one_more, text) for text in texts)


def unnumbered_places(text: str) -> int:
    """How many placeholders stand for the next image, without a number of their own."""
    return sum(_written_number(mark) == 0 for mark in PLACEHOLDER.finditer(text))


def clean_question(text: str, images: int, numbers: Iterator[int]) -> PlacedText:
    """A question without placeholders before its start and after its end; others become names.

    >>> clean_question("<image>How many? <image>", 2, iter([1, 2]))
    PlacedText(text='How many?', places={0: (0, 0), 1: (9, 9)})
    >>> clean_question("<image> shows bars. What stands in <image>", 2, iter([1, 2])).text
    'picture 1 shows bars. What stands in picture 2'

    Args:
        text: as written.
        images: how many the problem has.
        numbers: given to unnumbered placeholders in reading order.
    """
    text = HINT.sub("", ESCAPED_BREAK.sub("\n", text)).strip()
    kept, position, marks = "", 0, list(PLACEHOLDER.finditer(text))
    several = _are_several(text, images)
    places: dict[int, Span] = {}
    edges = [0, *(edge for mark in marks for edge in mark.span()), len(text)]
    between = zip(edges[::2], edges[1::2], strict=True)
    last_words = max((end for start, end in between if text[start:end].strip()), default=0)
    for mark in marks:
        kept += text[position : mark.start()]
        position, start = mark.end(), len(kept)
        number = _number(mark, numbers)
        at_start = not kept.strip() and not re.match(r"[ \t]*[a-z]", text[position:])
        goes_on = re.search(r"[\w,;][ \t]*\Z", kept) and not options_in_question(kept)
        at_end = position >= last_words and not goes_on
        if not (at_start or at_end):
            kept += _name(number, several)
        if number <= images:
            places.setdefault(number - 1, (start, len(kept)))
        if len(kept) > start and text[position : position + 1].isupper():
            kept += " "  # a sentence that begins right behind the image
    whole = kept + text[position:]
    cleaned = HINT.sub("", whole).strip()
    cut = whole.rfind(cleaned)  # -1 if a hint stood in the middle, which leaves images in front

    def moved(place: int) -> int:
        return min(max(0, place - cut), len(cleaned))

    found = {index: (moved(start), moved(end)) for index, (start, end) in places.items()}
    return PlacedText(cleaned, found if cut >= 0 else {})


def name_placeholders(text: str, images: int, numbers: Iterator[int]) -> PlacedText:
    """An option with placeholders replaced by names of images.

    >>> name_placeholders("<image> or <image 3>", 3, iter([1, 2, 3])).text
    'picture 1 or picture 3'
    """
    several = _are_several(text, images)
    kept, position = "", 0
    places: dict[int, Span] = {}
    for mark in PLACEHOLDER.finditer(text):
        kept += text[position : mark.start()]
        position, start, number = mark.end(), len(kept), _number(mark, numbers)
        kept += _name(number, several)
        places.setdefault(number - 1, (start, len(kept)))
    return PlacedText(kept + text[position:], places)


def _name(number: int, several: bool) -> str:
    return f"picture {number}" if several else "the picture"


def _are_several(text: str, images: int) -> bool:
    """Whether names of images need a number; one image may show several."""
    return images > 1 or any(_written_number(p) > 1 for p in PLACEHOLDER.finditer(text))


def _written_number(place: re.Match[str]) -> int:
    """The number of an image in a placeholder; 0 if there is none, or it names a file."""
    number = int(place["number"] or place["listed"] or 0)
    return number if number <= MOST_IMAGES else 0


def _number(place: re.Match[str], numbers: Iterator[int]) -> int:
    return _written_number(place) or next(numbers)


def _text_of(content: Any) -> str:
    """The text of a message, with ``<image>`` for each part that is an image."""
    if not isinstance(content, list):
        return as_text(content)
    texts = []
    for part in content:
        if isinstance(part, dict) and "image" in str(part.get("type", "")):
            texts.append("<image>")
        elif isinstance(part, dict):
            kind = str(part.get("type", "")).partition("_")[0]
            is_other = kind in ("video", "audio")
            texts.append(f"<{kind}>" if is_other else as_text(part.get("text", part.get("value"))))
        else:
            texts.append(as_text(part))
    return "\n".join(text for text in texts if text)


def _roles_and_contents(item: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Roles and contents of an item of a conversation, in any of its three formats."""
    if "assistant" in item and (asked := {"user", "human"} & set(item)):
        return [("user", item[asked.pop()]), ("assistant", item["assistant"])]
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
