"""How a number was written: a result, or a calculation left to the reader?"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from mstar.rewards.verifier.parsing.arithmetic import Value
from mstar.rewards.verifier.parsing.formula import Tree

Writing = Literal["digits", "fraction", "closed form", "unevaluated"]
"""``closed form`` is irrational, such as 5 sqrt(3); ``unevaluated`` is rational, such as 3 + 4."""


def how_written(tree: Tree, value: Value) -> tuple[Writing, int | None]:
    """How a formula stands there, and how many decimals it shows; None where it is no decimal."""
    while tree[0] in ("negative", "percent"):
        tree = tree[1]
    if tree[0] == "number":
        return ("digits", tree[1].decimals) if tree[2] == "digits" else ("fraction", None)
    if isinstance(value, Decimal):
        return "closed form", None
    if _is_scientific(tree):
        return "digits", None
    if tree[0] == "divide" and all(_is_integer(part) for part in tree[1:]):
        return "fraction", None
    return "unevaluated", None


def _is_integer(tree: Tree) -> bool:
    tree = tree[1] if tree[0] == "negative" else tree
    return bool(tree[0] == "number" and tree[1].value.denominator == 1 and tree[2] == "digits")


def _is_scientific(tree: Tree) -> bool:
    """A power of ten, or a number times one."""
    if tree[0] == "multiply":
        first = tree[1][1] if tree[1][0] == "negative" else tree[1]
        if first[0] != "number":
            return False
        tree = tree[2]
    is_power = tree[0] == "power" and tree[1][0] == "number" and _is_integer(tree[2])
    return bool(is_power and tree[1][1].value == 10)
