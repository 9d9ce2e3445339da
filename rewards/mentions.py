"""Which options a sentence names."""

from __future__ import annotations

import re

from mstar.rewards.latex import plain
from mstar.rewards.quantities import read_quantity
from mstar.rewards.vocabulary import listed

_LETTER = re.compile(  # not the article A, not the pronoun I
    r"\b(?:option|choice|answer|letter)(?: is)?:? \(?([A-Za-z])\)?(?![\w'])"
    r"|\(([A-Za-z])\)"
    r"|(?<![\w'.])([B-HJ-Z])(?![\w'])"
    r"|(?<![\w'.])([AI])(?=[.,;:!)]|$| (?:or|and|nor|because|since|is)\b)"
)
_CLOCK = re.compile(r"\d{1,2}:\d\d")
_DENIED = re.compile(
    r"\b(?:not|isn't|never|than|instead of|exclude|eliminate|neither|nor)\s"
    r"(?:the |option |choice |be |\()*$",
    re.IGNORECASE,
)
_LEADS_TO = listed(
    """is are was were be the a an equals it's choose pick select called named becomes has have
    shows to of in at by on for with and or answer option choice color so therefore thus hence"""
)
_FOLLOWS = listed("is are was were has have had will would can because since and or one")


def mentions(text: str, options: tuple[str, ...]) -> tuple[set[int], set[int]]:
    """The places of all options that a sentence names and doesn't deny, and of those named firmly.

    An option's text is named firmly where it can't be the end of a longer name: ``light green``
    mentions the option ``green``, but does not pick it. Options that are amounts or times are left
    to who reads those.
    """
    said = plain(text).replace("{", "").replace("}", "")
    named: set[int] = set()
    for mark in _LETTER.finditer(said):
        letter = next(group for group in mark.groups() if group is not None)
        place = ord(letter.upper()) - ord("A")
        if place < len(options) and not _DENIED.search(said[: mark.start()]):
            named.add(place)
    firm = set(named)
    rest = said.casefold()
    texts = [(plain(option).casefold().strip(" ."), i) for i, option in enumerate(options)]
    for key, place in sorted(texts, key=lambda each: -len(each[0])):
        if len(key) < 2 or _CLOCK.match(key) or read_quantity(key) is not None:
            continue
        whole = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
        for mark in whole.finditer(rest):
            before, after = rest[: mark.start()], rest[mark.end() :]
            if not _DENIED.search(before):
                named.add(place)
                firm |= {place} if _is_firm(before, after) else set()
        rest = whole.sub(lambda mark: "#" * len(mark[0]), rest)
    return named, firm


def _is_firm(before: str, after: str) -> bool:
    words = before.split()
    if words:
        return words[-1] in _LEADS_TO or not words[-1][-1].isalnum()
    following = after.split()
    return not following or not after[0].isspace() or following[0] in _FOLLOWS
