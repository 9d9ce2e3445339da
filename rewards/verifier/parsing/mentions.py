"""Find the options that a sentence names."""

from __future__ import annotations

import re

from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.quantities import read_quantity
from mstar.rewards.verifier.parsing.vocabulary import NO, YES, listed

_LETTER = re.compile(  # not the article A, not the pronoun I
    r"\b(?:option|choice|answer|letter)(?: is)?:? \(?([A-Za-z])\)?(?![\w'])"
    r"|\(([A-Za-z])\)"
    r"|(?<![\w'.°])([B-HJ-Z])(?![\w']|\.?\s?M\b)"
    r"|(?<=[a-z\d,;:)>] )(A)(?![\w']|\.?\s?M\b)"
    r"|(?<![\w'.])([AI])(?!\.?\s?M\b)(?=\s?[.,;:!)/\\→=&+|>]|$| [A-H]\b"
    r"| (?:or|and|nor|because|since|is|was|would|will)\b)"
)
_A_THING = re.compile(  # a point, a person or a place that has a letter for its name
    r"(?:\b(?:angles?|points?|triangles?|vertex|vertices|lines?|segments?|sides?|circles?|arc|rays?"
    r"|rectangle|square|quadrilateral|at|from|through|person|city|town|cars?|teams?|player"
    r"|set|matrix|plane|node|edge|station|school|store|country|box|bag|machine|group|ship|island"
    r"|of|from \S{1,12} to)\s|[∠△⊙])$",
    re.IGNORECASE,
)
_OF_A_NOUN = re.compile(r"\b(?!is |are |be |was |say |with )[a-z]{3,}\s$", re.IGNORECASE)
_SELECTS = re.compile(
    r"(?:^|[.!:,;=→>]|\b(?:is|are|be|was|it|it's|choose|chose|pick|select|say|so|therefore|thus|hence|think"
    r"|believe|with|go|to|get|answer|option|choice|then|and))[\s\"'(]{0,3}$",
    re.IGNORECASE,
)
_SELECTED = re.compile(
    r"[\s\"')]{0,3}(?:$|[.,;:!(→=>]|-|(?:because|since|as|which|and)\b|(?:is|was|seems|would be)"
    r" (?:definitely |clearly |the |my )*(?:correct|right|best|true|answer|only|closest|one|choice"
    r"|option|most)\b|(?:fits|matches|works)\b)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\d{1,2}:[0-5]\d")
_DENIED = re.compile(
    r"\b(?:not|[a-z]+n't|never|than|unlikely(?: to)?|less likely(?: to)?|instead of|neither|nor"
    r"|except|other than"
    r"|(?:anything|everything|all|any(?: [a-z]{1,20})?) but"
    r"|(?:cannot|can't|could|might|may) be"
    r"|(?:excludes?|eliminates?|rules? out|ruled out)"
    r"(?: (?:options? |choices? )?\(?[A-Za-z]\)?(?: and| or|,)?){0,6})"
    r"\s{1,3}(?:the |option |choice |be |\()*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"\)?\s?(?:(?:is|are|was|seems|looks|would be)(?:n't| not| wrong| incorrect| false| impossible"
    r"| out| ruled out| excluded| eliminated)|(?:cannot|can't|doesn't|does not)) ?\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r", (?:but|so|and so|however)\b|; ")
_HEDGED = re.compile(
    r"\b(?:or|nor|maybe|perhaps|possibly|probably|might|could|may(?: also| well)? be|either|unsure"
    r"|else)\b",
    re.IGNORECASE,
)
_LEADS_TO = listed(
    """is are was were be the a an equals it it's this that will definitely clearly choose pick
    select both only just called named becomes say think believe has have shows to of in at by on
    for with and or answer option choice color so therefore thus hence would likely also"""
)
_FOLLOWS = listed(
    """is are was were has have had will would can because since and or one won lost ran does did
    got gets makes made needs shows"""
)


def mentions(text: str, options: tuple[str, ...]) -> tuple[set[int], set[int]]:
    """The indices of the options that a sentence names and doesn't deny, and of those it asserts.

    An option in a clause with ``or``, ``maybe`` and the like is not asserted, nor is one whose text
    may be the end of a longer name: ``light green`` mentions the option ``green``, but does not
    select it. Options that are amounts, times or yes/no answers are not searched for.
    """
    plain_text = plain(text).replace("{", "").replace("}", "")
    named: set[int] = set()
    firm: set[int] = set()
    for clause in _CLAUSE.split(plain_text):
        texts, firm_texts, rest = _texts(clause, options)
        letters, firm_letters = _letters(clause, rest, options)
        named |= letters | texts
        firm |= firm_letters | firm_texts
    return named, firm


def denied_by(after: str) -> bool:
    """Whether the text after an option says that it is wrong."""
    return _DENIED_AFTER.match(f" {after}") is not None


def _letters(clause: str, rest: str, options: tuple[str, ...]) -> tuple[set[int], set[int]]:
    """The options named by a letter that is no part of an option's text (``#`` in the rest)."""
    named: set[int] = set()
    firm: set[int] = set()
    names = [option.strip(" ().").upper() for option in options]
    lettered = all(len(name) == 1 for name in names)
    for mark in _LETTER.finditer(clause):
        letter = next(group for group in mark.groups() if group is not None)
        index = ord(letter.upper()) - ord("A")
        before, after = clause[: mark.start()], clause[mark.end() :]
        if lettered and mark[1] is None and _OF_A_NOUN.search(before):  # "image D" is "(d)"
            index = names.index(letter.upper()) if letter.upper() in names else index
        is_thing = not lettered and mark[1] is None and _A_THING.search(before)
        in_text = not lettered and rest[mark.start(mark.lastindex or 0) :][:1] == "#"
        if index >= len(options) or in_text or is_thing or _is_denied(clause, mark):
            continue
        named.add(index)
        if mark[1] or mark[2] or lettered or (_SELECTS.search(before) and _SELECTED.match(after)):
            firm.add(index)
    return named, set() if _HEDGED.search(clause) else firm


def _is_denied(clause: str, mark: re.Match[str]) -> bool:
    before, after = clause[: mark.start()], clause[mark.end() :]
    return bool(_DENIED.search(before) or _DENIED_AFTER.match(after))


def _texts(clause: str, options: tuple[str, ...]) -> tuple[set[int], set[int], str]:
    """The options named by their text, those asserted, and the clause with ``#`` in their place."""
    named: set[int] = set()
    firm: set[int] = set()
    rest = clause.casefold()
    texts = [(plain(option).casefold().strip(" ."), i) for i, option in enumerate(options)]
    keys = {key for key, _ in texts}
    for key, index in sorted(texts, key=lambda each: -len(each[0])):
        verdict = key in YES | NO  # see ``text.read_truth``
        amount = None if key.startswith(("a ", "an ")) else read_quantity(key)
        is_label = len(key.split()) > 2 and amount is not None and amount.noun  # "3 main veins"
        is_range = amount is not None and amount.writing == "unevaluated"  # "0-5"
        is_amount = amount is not None and not is_label and not is_range
        if len(key) < 2 or verdict or _CLOCK.match(key) or is_amount:
            continue
        whole = re.compile(rf"(?<![\w-]){_spelled(key, keys)}(?![\w-]|[.,]\d)")
        for mark in whole.finditer(rest):
            if not _is_denied(rest, mark):
                named.add(index)
                is_firm = _is_firm(rest[: mark.start()], rest[mark.end() :], key)
                firm |= {index} if is_firm else set()
        rest = whole.sub(lambda mark: "#" * len(mark[0]), rest)
    return named, set() if _HEDGED.search(rest) else firm, rest


def _spelled(key: str, keys: set[str]) -> str:
    """A pattern for an option in the singular or plural, with spaces or hyphens between words."""
    one = key if key.endswith("ss") else key.removesuffix("s")
    either = one[-4:].isalpha() and len(one) > 3 and len({one, f"{one}s"} & keys) == 1
    apart = re.split("(?<=[a-z])[ -](?=[a-z])", one if either else key)
    spelled = "[ -]".join(map(re.escape, apart))
    return f"{spelled}s?" if either else spelled


def _is_firm(before: str, after: str, key: str) -> bool:
    words = before.split()
    if words:
        return words[-1] in _LEADS_TO or not words[-1][-1].isalnum()
    following = after.split()
    return (
        not following
        or not after[0].isspace()
        or following[0].strip(".,;:!") in _FOLLOWS
        or len(key.split()) > 2
    )
