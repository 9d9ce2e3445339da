"""Expressions and equations: the same whatever the letters stand for?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.interval import Interval, read_interval, same_interval
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.arithmetic import Value, decimal, evaluate
from mstar.rewards.verifier.parsing.characters import BIDI
from mstar.rewards.verifier.parsing.formula import (
    KNOWN_COMMANDS,
    Tree,
    UnreadableError,
    letters,
    parse,
)
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.prose import stated_quantity
from mstar.rewards.verifier.parsing.quantities import Quantity
from mstar.rewards.verifier.parsing.symbolic import same_symbolically

LONGEST, LETTERS = 300, 8
NEEDED = 3  # points at which both are defined
# Values of the first letter, the second and so on; half the points have signs of both kinds, so
# that the root of a square is not taken for its base.
_POINTS = tuple(
    tuple(
        Fraction((-1) ** (sign * (i + k)) * (2 * i + 3 * k + 5), 3 * i + k + 4)
        for i in range(LETTERS)
    )
    for sign in (0, 1)
    for k in range(4)
)
_WORD = re.compile(
    r"(?<![a-zA-Z\\])(?!sqrt|sin|cos|tan|log|exp|arc)(?:[a-zA-Z]{3,}|or|and)(?![a-zA-Z])"
)
_INTRODUCED = re.compile(
    r"^(?:[a-zA-Z]{2,20} ){1,8}(?:is|are|equals):? "
    r"|^(?:the )?(?:line|equation|function|curve|parabola|circle):? "
)
_FUNCTION = re.compile(r"^\s*[a-zA-Z]\(x\)\s*(?==)")
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_LABEL = re.compile(r"^\s*[a-zA-Z](?:_\{?\w{1,8}\}?|'|\([a-zA-Z]\))?\s*=\s*(?!=)")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression (one side) or an equation (two) as it was read.

    Attributes:
        text: in plain form.
        sides: the trees; () where our parser does not know the notation.
        amount: for an expression without letters: its number and unit.
        intervals: for an inequality: what it leaves of the number line.
    """

    text: str
    sides: tuple[Tree, ...] = ()
    amount: Quantity | None = None
    intervals: tuple[Interval, ...] = ()


def read_formula(text: str, answer: Answer) -> Formula | None:
    """An expression or equation; None if it is empty, too long, or several."""
    said = _INTRODUCED.sub("", plain(text).rstrip(" ."))
    if not said or len(said) > LONGEST or BIDI.search(text) or said.endswith("?"):
        return None
    intervals = read_interval(said, answer) if re.search("[<>]", said) else None
    if intervals is not None:
        return Formula(said, intervals=intervals)
    exact, *rounded = said.rsplit("≈", 1)
    said = exact.strip() if rounded and stated_quantity(text) is not None else said
    if answer.type == "equation":
        said = _FUNCTION.sub("y", said)
    label = _LABEL.match(said)
    if answer.type == "expression" and label and said.count("=") == 1:
        said = said[label.end() :]
    sides = tuple(map(_tree, said.split("=")))
    if None in sides or len(sides) != (2 if answer.type == "equation" else 1):
        amount = stated_quantity(text) if answer.type == "expression" else None
        return None if _WORD.search(said) else Formula(said, amount=amount)
    trees = tuple(side for side in sides if side is not None)
    amount = stated_quantity(said) if len(trees) == 1 else None
    return Formula(said, trees, amount)


def same_formula(gold: Formula, said: Formula, answer: Answer) -> MatchResult:
    """Equal as written, as amounts, at points of our own, or by computer algebra, in that order."""
    if gold.text.replace(" ", "") == said.text.replace(" ", ""):
        return MatchResult(True, "as written")
    if gold.intervals or said.intervals:
        return same_interval(gold.intervals, said.intervals, answer)
    if gold.amount is not None and not (gold.sides and letters(gold.sides[0])):
        if said.amount is None:
            return MatchResult(False, "not equal")
        if said.amount.writing == "unevaluated" != gold.amount.writing:
            return MatchResult(False, "unevaluated")
        return same_amount(gold.amount, said.amount, answer)
    if gold.text.count("=") != said.text.count("="):
        return MatchResult(False, "an equation is no expression")
    if gold.sides and said.sides:
        same = _identical(gold.sides, said.sides)
        if same is not None:
            return MatchResult(same, "equal at all points" if same else "differs at a point")
    if gold.sides and KNOWN_COMMANDS.issuperset(_COMMAND.findall(said.text)):
        return MatchResult(False, "no formula")
    decided = same_symbolically(gold.text, said.text)
    reason = {True: "equal by algebra", False: "not equal by algebra", None: "undecided"}[decided]
    return MatchResult(decided, reason)


def _tree(text: str) -> Tree | None:
    try:
        return parse(text)
    except UnreadableError:
        return None


def _identical(gold: tuple[Tree, ...], said: tuple[Tree, ...]) -> bool | None:
    """Whether two expressions agree, or two equations differ by a factor; None if unknown."""
    names = sorted(frozenset().union(*map(letters, gold)))
    others = frozenset().union(*map(letters, said))
    if len(names) > LETTERS or not others <= set(names):
        return False
    ratios: list[Decimal] = []
    for point in _POINTS:
        here, there = _at(gold, names, point), _at(said, names, point)
        if (here is None) != (there is None):
            return False
        if here is None or there is None:
            continue
        if abs(here) < Decimal("1e-25") or abs(there) < Decimal("1e-25"):
            if abs(here - there) > Decimal("1e-20"):
                return False
            continue
        ratios.append(there / here)
    if len(ratios) < NEEDED:
        return None
    base = ratios[0] if len(gold) == 2 else Decimal(1)
    return all(abs(ratio - base) <= abs(base) * Decimal("1e-10") for ratio in ratios)


def _at(sides: tuple[Tree, ...], names: Sequence[str], point: Sequence[Fraction]) -> Decimal | None:
    """The value at a point, left side minus right; None where it is undefined."""
    values: dict[str, Value] = dict(zip(names, point, strict=False))
    try:
        total = decimal(evaluate(sides[0], values))
        return total - decimal(evaluate(sides[1], values)) if len(sides) == 2 else total
    except UnreadableError:
        return None
