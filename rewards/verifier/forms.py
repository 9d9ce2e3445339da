"""The forms in which a response states an answer: tags, boxes, headings, lines and phrases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mstar.rewards.verifier.parsing.characters import normalise
from mstar.rewards.verifier.parsing.discourse import is_refusal

Form = Literal["tag", "box", "heading", "line", "phrase", "conclusion", "whole"]

SEARCHED = 32_768  # characters at the end of a response
MARKS = 64  # commitments of one form that are considered, from the end
RANK: dict[Form, int] = {
    "tag": 3, "box": 2, "heading": 1, "line": 1, "phrase": 0, "conclusion": 0, "whole": 0,
}  # fmt: skip

_THOUGHTS = "think|thinking|thought|thoughts|reasoning|analysis|reflection|scratchpad"
THINK = re.compile(rf"<(/?)(?:{_THOUGHTS})>", re.IGNORECASE)
_THOUGHT_TOKENS = re.compile(rf"<\|(begin|end)_of_(?:{_THOUGHTS})\|>", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(?:(?:final[_ -]?)?answer|conclusion)>", re.IGNORECASE)
_HEADING = re.compile(  # every repetition is bounded, to limit backtracking
    r"^[ \t]{0,4}(?:#{1,6}[ \t]{0,3})?[*_]{0,3}(?:the )?(?:final )?answer[*_]{0,3}:?[*_]{0,3}"
    r"[ \t]{0,4}$"
    r"|^[ \t]{0,4}#{4}(?!#)(?=[ \t]{0,4}[^#\s])"
    r"|^[ \t]{0,4}#{1,6}[ \t]{0,3}(?:final )?answer\b[ \t]{0,3}[:.]?"
    r"(?! ?(?:choices?|options?|explanation|key|analysis|check|verification|format)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_IN_OTHER_LANGUAGES = (
    "(?:la )?(?:respuesta|réponse|risposta)(?: final(?:e)?| correcta| correcte| corretta)?"
    "|(?:a )?resposta(?: final| correta)?|(?:die )?(?:endgültige |richtige )?antwort"
    "|(?:итоговый |правильный )?ответ|(?:het )?antwoord|odpowiedź|odpověď|svar(?:et)?|vastaus"
    "|cevap|yanıt|jawaban|đáp án|trả lời|câu trả lời|răspuns|válasz|απάντηση|відповідь"
    "|(?:最终|最終|正确|正解の)?(?:答え|回答|解答|正解|答)|(?:정|최종 )?답(?:변)?"
    "|الجواب|الإجابة|پاسخ|جواب|תשובה|उत्तर|คำตอบ"
)
_LINE = re.compile(
    r"(?<![a-zA-Z\d])answer[ \t]{0,3}[*_`\"']{0,4}[ \t]{0,3}"
    r"(?::|=(?![ \t]{0,3}[\"']))[ \t]{0,3}[*_`]{0,4}"
    r"|^[ \t*_]{0,4}(?:the )?(?:final )?answer[ \t]{0,3}(?:->|[-→⇒])[ \t]{1,3}"
    r"|^[ \t*_>]{0,4}(?:ans[.:]{1,2}|(?:correct|right|best) (?:option|choice):)[ \t]{0,3}[*_`]{0,4}"
    r"|^[ \t*_]{0,4}final(?: result| value| choice)?[*_]{0,3}:[ \t]{0,3}[*_`]{0,4}"
    r"|(?:答案选项|答案|选项|选择)(?:应该|应)?(?:是|为|选(?!项)){1,2}[ \t]{0,3}:?[ \t]{0,3}"
    r"|答案(?!选项|[ \t]{0,3}[.\n]|[ \t]{0,3}$)[ \t]{0,3}:?[ \t]{0,3}"
    r"|(?:选项|选择)[ \t]{0,3}:[ \t]{0,3}"
    r"|选项[ \t]{0,3}(?=[(]?[A-Z][)]?[^.\n]{0,40}[是为]正确|[(]?[A-Z][)]?[ \t]{0,3}正确)"
    r"|(?:^|[故应以此])选择?[ \t]{0,3}:?[ \t]{0,3}(?=[(]?[A-H](?![A-Za-z\d]))"
    rf"|^[ \t*_#]{{0,6}}(?:{_IN_OTHER_LANGUAGES})[ \t*_]{{0,4}}:[ \t]{{0,3}}[*_`]{{0,4}}",
    re.IGNORECASE | re.MULTILINE,
)
_ASKS = re.compile(  # "which answer is right" asks, it does not answer
    r"\b(?:which|whichever|whether|what|how|why)\s+(?:the\s+|an?\s+)?$", re.IGNORECASE
)
_IN_JSON = re.compile(
    r"""["'](?:final[_ ]?)?answer["']\s{0,3}:\s{0,3}"""
    r"""(?:"((?:[^"\\\n]|\\.){1,300})"|'([^'\n]{1,300})'|(\[[^\]\n]{1,300}\]|[^\s,"'{}\[\]]{1,40}))""",
    re.IGNORECASE,
)
_SAYS_ANSWER = re.compile(
    r"(?:the )?(?:final |correct )?answer(?: is:?|:)[ \t]{1,3}(?=\S)", re.IGNORECASE
)
_IN_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf)[ \t]?(?=\{)")
_CLOSING_MARKS = re.compile(r"[*_`]+(?=[.!,;]{1,2}$)")
_PHRASE = re.compile(
    r"\b(?:answer(?!>| (?:choices|options)\b)|(?:correct|right|best) (?:option|choice))\b"
    r"(?:(?!,? (?:since|because|as)\b)[^.:;=?!\n]){0,60}?"
    r" (?:is|are|was|would be|should be|must be|equals)\b[ \t]*:?",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(
    r"\\(begin|end)\{(?:equation|align|aligned|gather|gathered|displaymath|math|center)\*?\}"
)
_RULE = re.compile(r"^[ \t]*(?:-{3,}|={3,}|\*{3,}|_{3,})[ \t]*$\n?", re.MULTILINE)
_BULLET = re.compile(r"(?:[-*•>]|\d\.)[ \t]{1,3}(?=\S)")
_DISPLAYS = (  # where each block of its own lines begins and ends
    (re.compile(r"\$\$"), "$$"),
    (re.compile(r"\\\["), "\\]"),
    (re.compile(r"```[a-z]{0,12}(?=\s)"), "```"),
    (re.compile(r"~~~[a-z]{0,12}(?=\s)"), "~~~"),
)
_ANOTHER_QUESTION = re.compile(
    r"\n[ \t*#_]{0,4}(?:question|problem|q|hint|user|human|exercise|example)[ \t]{0,2}\d{0,3}"
    r"[ \t]{0,2}[*_]{0,3}:"
    r"|\n[ \t]{0,3}#{1,6}[ \t]{1,3}(?:question|problem|user|human|exercise|example|instruction)\b"
    r"|(?<=\S)\s{0,3}(?:<\|(?:im_end|eot_id|end|endoftext|end_of_text|im_start|start_header_id)\|>"
    r"|</s>|<eos>|<end_of_turn>|<\|?(?:user|assistant)\|?>|\[INST\])",
    re.IGNORECASE,
)
_ANOTHER_TURN = re.compile(r"(?<=\S)\n[ \t*_]{0,4}(?:user|human)[*_]{0,3}:", re.IGNORECASE)
_CONCLUDED = re.compile(r"^(?:so|thus|hence|therefore)\b", re.IGNORECASE | re.MULTILINE)
_OPTION_FIRST = re.compile(r"\A\W{0,3}[A-H][).:]")
_ONE_WORD = re.compile(r"\W{0,3}[\w.]{1,12}\W{0,3}")
_END_TOKEN = re.compile(
    r"(?:<\|[^<>|\s]{1,30}\|>|</s>|<eos>|<pad>|<end_of_turn>|\[/INST\])\s*$", re.IGNORECASE
)
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>([^\n]{0,300}?)<\|end_of_box\|>")
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)[ \t]*\{")
_EMPHASIS = re.compile(  # bold, not a power
    r"(?<![\w)\]])\*\*|\*\*(?![\w(\[\\])|</?(?:b|i|u|em|strong|mark)>", re.IGNORECASE
)
_HOPE = re.compile(r"(?<!\s)\s*I hope (?:it|this|that) is correct\.?$", re.IGNORECASE)
_COURTESY = re.compile(
    r"\s+(?:(?:i hope (?:this|it|that)|(?:please )?let me know|feel free|(?:please )?ask (?:me )?if"
    r"|thank you|you're welcome)\b[^.!?\n]{0,120}[.!]"
    r"|(?:is there|do you (?:have|want|need|like)|would you like|can i help)\b[^.!?\n]{0,120}"
    r"\b(?:else|other|another|more|further|questions?|help)\b[^.!?\n]{0,60}\?)\s*$",
    re.IGNORECASE,
)
_CHINESE_VERDICT = re.compile(r"(?<=[A-Za-z0-9)])\s?(?:选项|[是为]?正确.{0,20})[.\s]*$")
_STOP_IN_QUOTES = re.compile(r"""(?<!\w)(["'])([^"'\n.]{0,39}[^\s"'.])([.!,])\1(?!\w)""")
_MARKS = " \t\n*_`✓✔✅☑"


@dataclass(frozen=True, slots=True)
class Commitment:
    """An answer that a response commits to.

    Attributes:
        text: the text inside the tag or box, or after the colon, stripped.
        form: the form of the commitment; ``whole`` is a short response that is all answer.
        start: index of the start of the form, in the visible text.
        end: index of its end: of the tag, the box, or the line.
        remark: what follows the answer on its own line.
    """

    text: str
    form: Form
    start: int
    end: int
    remark: str = ""


def visible(response: str) -> str | None:
    """The end of the response after its thinking block; None if that block never closes."""
    response = _THOUGHT_TOKENS.sub(
        lambda mark: "<think>" if mark[1].lower() == "begin" else "</think>", response
    )
    last = next(iter([*THINK.finditer(response)][-1:]), None)
    if last is not None and not last.group(1):
        return None
    text = response[last.end() if last else 0 :]
    text = _BOX_TOKENS.sub(r"\\boxed{\1}", normalise(text[-SEARCHED:]))
    text = _STOP_IN_QUOTES.sub(r"\1\2\1\3", text)  # "7." is "7".
    text = _RULE.sub("", _ENVIRONMENT.sub(_as_display, text)).replace("&=", "=").strip()
    while ending := _END_TOKEN.search(text[-80:]):
        text = text[: len(text) - len(text[-80:]) + ending.start()].rstrip()
    return text


def without_courtesy(text: str) -> str:
    """The text without what it says to the user at its end.

    >>> without_courtesy("It is 7. I hope this helps! Do you have other questions for me?")
    'It is 7.'
    """
    while ending := _COURTESY.search(text[-400:]):
        text = text[: len(text) - len(text[-400:]) + ending.start()]
    return text


def _as_display(mark: re.Match[str]) -> str:
    return r"\[" if mark[1] == "begin" else r"\]"


def before_another_question(text: str) -> str:
    """The text up to where, after its answer, the response asks itself or speaks for the user.

    An answer is here what has an explicit form, a conclusion, or a refusal.
    """
    question = _ANOTHER_QUESTION.search(text)
    before = text[: question.start()] if question else ""
    said = (*_ANSWERED, _OPTION_FIRST, _CONCLUDED)
    if any(pattern.search(before) for pattern in said) or is_refusal(before):
        return before
    turn = _ANOTHER_TURN.search(text)
    alone = turn and _ONE_WORD.fullmatch(text, 0, turn.start())
    if turn and (alone or not any(p.search(text, turn.end()) for p in _ANSWERED)):
        return text[: turn.start()]
    return text


def explicit_forms(text: str) -> list[Commitment] | str:
    """All commitments in the order of the text, or the reason why there is none."""
    tags, open_tag = _tags(text)
    boxes, open_box = _boxes(text)
    if open_tag:
        return "answer tag never closed"
    if open_box and not tags:
        return "box never closed"
    fields = list(_fields(text))
    lines = [
        each
        for each in _lines(text)
        if not any(field.start < each.start < field.end for field in fields)
    ]
    return sorted([*tags, *boxes, *fields, *lines], key=lambda each: (each.start, each.end))


def _tags(text: str) -> tuple[list[Commitment], bool]:
    tags: list[Commitment] = []
    opened: re.Match[str] | None = None
    for mark in _TAG.finditer(text):
        if not mark.group(1):
            opened = mark
        elif opened is not None:
            inside = _only_answer(text[opened.end() : mark.start()])
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
            inside = _only_answer(text[mark.end() : end])
            boxes.append(Commitment(inside, "box", mark.start(), covered))
    return boxes[-MARKS:], is_cut


def _fields(text: str) -> Iterator[Commitment]:
    """Commitments by a field of a JSON object."""
    for found in [*_IN_JSON.finditer(text)][-MARKS:]:
        value = (found[1] or found[2] or found[3]).replace("\\\\", "\\").replace('\\"', '"')
        yield Commitment(stripped(value), "line", found.start(), found.end())


def _lines(text: str) -> Iterator[Commitment]:
    """Commitments by ``Answer: X``, by a heading and by a phrase."""
    patterns: tuple[tuple[Form, re.Pattern[str]], ...] = (
        ("heading", _HEADING),
        ("line", _LINE),
        ("phrase", _PHRASE),
    )
    for form, pattern in patterns:
        marks = [mark for mark in pattern.finditer(text) if not _asks(text, mark)][-MARKS:]
        limits = [*(mark.start() for mark in marks), len(text)][1:]
        for mark, limit in zip(marks, limits, strict=bool(marks)):
            rest = text[mark.end() : limit]
            body = rest.lstrip()  # if the line is empty, the answer is on the next line
            if "\n" in rest[: len(rest) - len(body)] and (bullet := _BULLET.match(body)):
                body = body[bullet.end() :]
            line, length = _first_line(body)
            start = mark.end() + len(rest) - len(body)
            phrase = None if form == "phrase" else _PHRASE.search(line[:120])
            if phrase and phrase.start() < 24:
                line = line[phrase.end() :]
            answer = _CHINESE_VERDICT.sub("", stripped(line)).rstrip("!")
            yield Commitment(answer, form, mark.start(), start + length)


def _only_answer(text: str) -> str:
    """The text of a tag or a box without ``Answer:`` before it."""
    text = stripped(text)
    said = _SAYS_ANSWER.match(text)
    return stripped(text[said.end() :]) if said else text


def _asks(text: str, mark: re.Match[str]) -> bool:
    return _ASKS.search(text[max(0, mark.start() - 20) : mark.start()]) is not None


def _first_line(body: str) -> tuple[str, int]:
    """The first line, or the display formula or code block that stands there, and its length."""
    for opening, closing in _DISPLAYS:
        opened = opening.match(body)
        end = body.find(closing, opened.end()) if opened else -1
        stop = end + len(closing)
        alone = end >= 0 and not body[stop:].split("\n", 1)[0].strip(" .,")
        if opened and alone and body[opened.end() : end].strip():
            return body[opened.end() : end].strip(), stop
    line = body.split("\n", 1)[0]
    return line, len(line)


_ANSWERED = (_TAG, _BOX, _HEADING, _LINE, _PHRASE)


def stripped(text: str) -> str:
    """The answer without the white space, emphasis and boxes around it."""
    bare = _HOPE.sub("", _EMPHASIS.sub("", _BOX.sub("{", text)).strip(_MARKS))
    text = bare or text.strip()  # the sign * itself
    text = _CLOSING_MARKS.sub("", text)
    if opened := _IN_TEXT.match(text):
        whole = _matching_braces(text).get(opened.end()) == len(text) - 1
        text = text[opened.end() :] if whole else text
    if text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1].rstrip()
    if not text.startswith("{"):
        return text
    matching = _matching_braces(text)
    start, end = 0, len(text)
    while start < end and text[start] == "{" and matching.get(start) == end - 1:
        start, end = start + 1, end - 1
    return text[start:end].strip()


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
