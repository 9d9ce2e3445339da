"""The tokens of a formula: numbers, letters, commands and signs, bounded in number."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKENS = 200

_TOKEN = re.compile(
    r"(?P<number>\d[\d,.]*(?:[eE][-+]?\d{1,4}(?![\d.]))?|\.\d+(?:[eE][-+]?\d{1,4}(?![\d.]))?)"
    r"|(?P<command>\\[a-zA-Z]+)|(?P<letter>[a-zA-Zα-ωµΓΔΘΛΣΦΨΩ])|(?P<sign>[-+*/^(){}\[\]%|_])"
)
_WORDS = re.compile(
    r"(?<![a-zA-Z\\])(sqrt|sin|cos|tan|arcsin|arccos|arctan|cot|sec|csc|ln|log|exp|abs|pi)(?![a-zA-Z])"
)
_MEANINGS = {"sqrt": "\\root ", "pi": "π"}


class UnreadableError(ValueError):
    """The text is no formula that this parser knows, or too large for it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a formula.

    Attributes:
        kind: ``number``, ``command``, ``letter`` or ``sign``.
        text: as it stands there, without a mark after a number.
        spaced: whether white space stood before it.
    """

    kind: str
    text: str
    spaced: bool


def tokens_of(text: str) -> list[Token]:
    """The tokens, functions named in words among them; raises UnreadableError for others."""
    text = _WORDS.sub(lambda found: _MEANINGS.get(found[1], f"\\{found[1]} "), text)
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        start = place
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text):
            break
        found = _TOKEN.match(text, place)
        if found is None or len(tokens) == TOKENS:
            raise UnreadableError(f"no formula: {text[place : place + 20]!r}")
        kind, said = str(found.lastgroup), found.group()
        if kind == "number":
            said = said.rstrip(".,")
        tokens.append(Token(kind, said, place > start))
        place += len(said)
    return tokens
