"""An answer's own words, freed of what stands around them and of what they take back."""

from __future__ import annotations

import re

BOX = re.compile(r"\\(?:boxed|fbox|framebox)[ \t]*\{")
_EMPHASIS = re.compile(r"(?<![\w)\]])\*\*|\*\*(?![\w(\[\\])")  # bold, but no power
_RETRACTED = re.compile(
    r"^.*[.,;!?\s-](?:wait[,.!:\s-]{1,3}(?:no|actually)\b|wait[,.!:-]|actually\b|correction:|oops\b"
    r"|scratch that\b|sorry[,.]|i mean\b)[\s,:.]{0,3}(?:(?:no|rather|i mean)\b[\s,:]{1,3}){0,2}",
    re.IGNORECASE | re.DOTALL,
)
_HOPE = re.compile(r"\s*I hope (?:it|this|that) is correct\.?$", re.IGNORECASE)
_MARKS = " \t\n*_`✓✔✅☑"


def tidy(text: str) -> str:
    """Without white space, emphasis and boxes around the answer."""
    text = _HOPE.sub("", _EMPHASIS.sub("", BOX.sub("{", text)).strip(_MARKS))
    if text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1].rstrip()
    if not text.startswith("{"):
        return text
    matching = matching_braces(text)
    start, end = 0, len(text)
    while start < end and text[start] == "{" and matching.get(start) == end - 1:
        start, end = start + 1, end - 1
    return text[start:end].strip()


def standing(text: str) -> str:
    """What an answer still says after the last ``wait, no`` in it.

    >>> standing("12. Wait, no, 13")
    '13'
    """
    return _RETRACTED.sub("", text[-1_000:])


def matching_braces(text: str) -> dict[int, int]:
    """The place of the closing brace for that of each opening one that has one."""
    matching: dict[int, int] = {}
    opened: list[int] = []
    for brace in re.finditer(r"\\[\\{}]|[{}]", text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif brace.group() == "}" and opened:
            matching[opened.pop()] = brace.start()
    return matching
