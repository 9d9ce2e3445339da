"""A parser of formulas: tokens to trees in one pass, bounded in length and depth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mstar.rewards.verifier.parsing.numerals import Numeral, numeral
from mstar.rewards.verifier.parsing.vocabulary import listed

Tree = tuple[Any, ...]
"""A kind and its parts: ("number", Numeral, how), ("letter", name), ("function", name, tree),
("negative" | "percent", tree), ("add" | "subtract" | "multiply" | "divide" | "power" | "choose",
tree, tree),
("root", degree, tree)."""

DEPTH = 30

_CLOSING = {"(": ")", "{": "}", "[": "]"}
FUNCTIONS = listed("sin cos tan cot sec csc arcsin arccos arctan ln log exp abs")
KNOWN_COMMANDS = FUNCTIONS | {"frac", "sqrt", "root", "binom"}
_TWO = ("number", Numeral(Fraction(2), 0), "digits")
TOKENS = 200

_TOKEN = re.compile(
    r"(?P<number>\d[\d,.]*(?:[eE][-+]?\d{1,4}(?![\d.]))?|\.\d+(?:[eE][-+]?\d{1,4}(?![\d.]))?)"
    r"|(?P<command>\\[a-zA-Z]+)|(?P<letter>[a-zA-Zα-ωµΓΔΘΛΣΦΨΩ])|(?P<sign>[-+*/^(){}\[\]%|_])"
)
_FUNCTION_WORDS = re.compile(
    r"(?<![a-zA-Z\\])(sqrt|sin|cos|tan|arcsin|arccos|arctan|cot|sec|csc|ln|log|exp|abs|pi)(?![a-zA-Z])"
)
_MEANINGS = {"sqrt": "\\root ", "pi": "π"}


class UnreadableError(ValueError):
    """The text is not a formula that this parser knows, or it is too large."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a formula.

    Attributes:
        kind: ``number``, ``command``, ``letter`` or ``sign``.
        text: its characters, without punctuation after a number.
        spaced: whether white space precedes it.
    """

    kind: str
    text: str
    spaced: bool


def parse(text: str) -> Tree:
    r"""The tree of a formula in the form of ``latex.plain``.

    Adjacent numbers are only read as a mixed number (``2 1/2``, ``2\frac12``) or as groups
    of three digits (``12 345``).

    Raises:
        UnreadableError: the text is not such a formula.
    """
    parser = _Parser(_tokens(text))
    tree = parser.sum(0)
    if parser.next is not None:
        raise UnreadableError(f"{parser.next.text!r} does not belong there")
    return tree


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0

    @property
    def next(self) -> Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def takes(self, *signs: str) -> str | None:
        if self.next is not None and self.next.text in signs:
            self.position += 1
            return self.tokens[self.position - 1].text
        return None

    def sum(self, depth: int) -> Tree:
        if depth > DEPTH:
            raise UnreadableError("nested too deep")
        tree = self.product(depth)
        while sign := self.takes("+", "-"):
            tree = ("add" if sign == "+" else "subtract", tree, self.product(depth))
        return tree

    def product(self, depth: int) -> Tree:
        tree = self.factor(depth)
        while self.next is not None:
            if sign := self.takes("*", "/"):
                tree = ("multiply" if sign == "*" else "divide", tree, self.factor(depth))
            elif (
                self.next.kind in ("letter", "command")
                or self.next.text in ("(", "{")
                or (tree[0] == "power" and self.next.kind == "number")  # 2^3 5^2, 2^4 7
            ):
                tree = ("multiply", tree, self.power(depth))
            else:
                break
        return tree

    def factor(self, depth: int) -> Tree:
        negative = False
        while sign := self.takes("-", "+"):
            negative ^= sign == "-"
        tree = self.power(depth)
        return ("negative", tree) if negative else tree

    def power(self, depth: int) -> Tree:
        tree = self.atom(depth + 1)
        if self.takes("^"):
            if depth > DEPTH:
                raise UnreadableError("nested too deep")
            sign = self.takes("-", "+")
            exponent = self.power(depth + 1)
            tree = ("power", tree, ("negative", exponent) if sign == "-" else exponent)
        if self.takes("%"):
            tree = ("percent", tree)
        return tree

    def atom(self, depth: int) -> Tree:
        token = self.next
        if token is None:
            raise UnreadableError("the formula breaks off")
        self.position += 1
        if token.kind == "number":
            return self.mixed(token, depth)
        if token.kind == "letter":
            return ("letter", token.text + self.subscript(depth))
        if token.text in _CLOSING:
            tree = self.sum(depth)
            if not self.takes(_CLOSING[token.text]):
                raise UnreadableError(f"{token.text!r} never closes")
            return tree
        if token.text in ("\\frac", "\\binom"):
            kind = "divide" if token.text == "\\frac" else "choose"
            return (kind, self.argument(depth), self.argument(depth))
        if token.text == "\\sqrt":
            degree = _TWO
            if self.takes("["):
                degree = self.sum(depth)
                if not self.takes("]"):
                    raise UnreadableError("the degree of a root never closes")
            return ("root", degree, self.argument(depth))
        if token.text == "\\root":
            return ("root", _TWO, self.argument(depth, digits=False))
        if token.text == "|":
            tree = self.sum(depth)
            if not self.takes("|"):
                raise UnreadableError("the absolute value never closes")
            return ("function", "abs", tree)
        if token.text[1:] in FUNCTIONS:
            return self.function(token.text[1:], depth)
        raise UnreadableError(f"{token.text!r} is not known")

    def subscript(self, depth: int) -> str:
        """The subscript of a letter, which makes it another variable: ``_1`` or ``_{12}``."""
        if not self.takes("_"):
            return ""
        token, start = self.next, self.position
        self.argument(depth)
        if token is not None and token.kind == "number":
            return f"_{token.text[0]}"
        return "_" + "".join(token.text for token in self.tokens[start : self.position]).strip("{}")

    def function(self, name: str, depth: int) -> Tree:
        r"""``\sin^2 x``, ``\sin 2x``, ``\log_2 8``."""
        base = self.argument(depth) if name == "log" and self.takes("_") else None
        exponent = self.argument(depth) if self.takes("^") else None
        inside = self.power(depth + 1)
        if inside[0] in ("number", "letter"):
            while self.next is not None and self.next.kind == "letter":
                inside = ("multiply", inside, self.power(depth + 1))
        tree: Tree = ("function", name if base is None else "ln", inside)
        tree = tree if base is None else ("divide", tree, ("function", "ln", base))
        return tree if exponent is None else ("power", tree, exponent)

    def argument(self, depth: int, digits: bool = True) -> Tree:
        """An argument as in LaTeX: a group, or one digit of a number."""
        token = self.next
        if digits and token is not None and token.kind == "number" and token.text.isdigit():
            rest = Token("number", token.text[1:], False)
            self.tokens[self.position : self.position + 1] = [rest] if rest.text else []
            return _number(token.text[0])
        if depth > DEPTH:
            raise UnreadableError("nested too deep")
        return self.atom(depth + 1)

    def mixed(self, token: Token, depth: int) -> Tree:
        """A number, with the groups of three digits or the fraction that belong to it."""
        whole = token.text
        if whole.isdigit() and len(whole) <= 3:
            whole = self.grouped(whole)
        if not whole.isdigit():
            return _number(whole)
        start = self.position
        after = self.tokens[start : start + 3]
        if (
            len(after) == 3
            and after[0].spaced
            and after[1].text == "/"
            and after[0].text.isdigit()
            and after[2].text.isdigit()
        ):
            self.position += 3
            return _mixed(whole, after[0].text, after[2].text)
        if after and after[0].text == "\\frac":
            self.position += 1
            top, bottom = self.argument(depth), self.argument(depth)
            if top[0] == bottom[0] == "number":
                part = top[1].value / (bottom[1].value or 1)
                if bottom[1].value and top[1].decimals == bottom[1].decimals == 0:
                    return ("number", Numeral(int(whole) + part, 0), "mixed")
            return ("multiply", _number(whole), ("divide", top, bottom))
        return _number(whole)

    def grouped(self, whole: str) -> str:
        """``whole`` and the groups of three digits that follow it after single spaces."""
        while (token := self.next) is not None:
            following = self.tokens[self.position + 1 : self.position + 2]
            head, point = token.text[:3], token.text[3:]
            if (
                not (token.kind == "number" and token.spaced and head.isdigit() and len(head) == 3)
                or point[:1].isdigit()
            ):
                break
            if following and following[0].text == "/":
                break
            self.position += 1
            whole += token.text
            if point:
                break
        return whole


def _tokens(text: str) -> list[Token]:
    """The tokens of a text, with function names as commands; raises UnreadableError."""
    text = _FUNCTION_WORDS.sub(lambda match: _MEANINGS.get(match[1], f"\\{match[1]} "), text)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        start = position
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            break
        match = _TOKEN.match(text, position)
        if match is None or len(tokens) == TOKENS:
            raise UnreadableError(f"no formula: {text[position : position + 20]!r}")
        kind, characters = str(match.lastgroup), match.group()
        if kind == "number":
            characters = characters.rstrip(".,")
        tokens.append(Token(kind, characters, position > start))
        position += len(characters)
    return tokens


def _number(text: str) -> Tree:
    value = numeral(text)
    if value is None:
        raise UnreadableError(f"{text[:20]!r} is no number")
    return ("number", value, "digits")


def _mixed(whole: str, top: str, bottom: str) -> Tree:
    if max(len(whole), len(top), len(bottom)) > 40 or not int(bottom):
        raise UnreadableError("the fraction of a mixed number is undefined")
    return ("number", Numeral(Fraction(int(whole)) + Fraction(int(top), int(bottom)), 0), "mixed")


def letters(tree: Tree) -> frozenset[str]:
    """The letters of a formula without π and e."""
    if tree[0] == "letter":
        return frozenset() if tree[1] in ("π", "e") else frozenset((tree[1],))
    if tree[0] == "number":
        return frozenset()
    return frozenset().union(*(letters(part) for part in tree[1:] if isinstance(part, tuple)))
