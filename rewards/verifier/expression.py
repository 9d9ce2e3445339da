"""The answer types ``expression`` and ``equation``: formulas with variables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.interval import Interval, read_interval, same_interval
from mstar.rewards.verifier.number import same_amount
from mstar.rewards.verifier.parsing.arithmetic import Value, close, decimal, evaluate
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
from mstar.rewards.verifier.parsing.quantities import Quantity, read_quantity
from mstar.rewards.verifier.parsing.symbolic import WORKER, same_symbolically
from mstar.rewards.verifier.sequence import read_sequence, same_sequence

LONGEST, LETTERS = 300, 8  # characters; distinct variables
NEEDED = 3  # points at which both sides are defined
# Values of the first variable, the second and so on; half of the points mix signs, so that the
# root of a square is not taken for its base.
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
_VALUE = re.compile(  # one value, or one of each name
    r"\s*(?:[a-zA-Z](?:\([a-zA-Z]\))?|\([a-zA-Z](?: ?, ?[a-zA-Z]){1,3}\))\s*=\s*([-+\d\s.,/()]+)"
)
_LABEL = re.compile(r"^\s*[a-zA-Z](?:_\{?\\?\w{1,8} {0,2}\}?|'|\([a-zA-Z]\))?\s*=\s*(?!=)")


_OTHER_SIGNS = MatchResult(False, "other signs")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression (one side) or an equation (two sides).

    Attributes:
        text: in plain form.
        sides: the parsed trees; () if the parser does not know the notation.
        amount: the number and unit of an expression without variables.
        intervals: the solution set of an inequality.
    """

    text: str
    sides: tuple[Tree, ...] = ()
    amount: Quantity | None = None
    intervals: tuple[Interval, ...] = ()


def read_formula(text: str, answer: Answer) -> Formula | None:
    """The expression or equation in a text; None if it is empty, too long, or several."""
    if answer.value:  # a reference answer, not an option: algebra may be needed soon
        WORKER.prepare()
    plain_text = _INTRODUCED.sub("", plain(text).rstrip(" ."))
    if not plain_text or len(plain_text) > LONGEST or BIDI.search(text) or plain_text.endswith("?"):
        return None
    intervals = read_interval(plain_text, answer) if re.search("[<>]", plain_text) else None
    if intervals is not None:
        return Formula(plain_text, intervals=intervals)
    exact, *rounded = plain_text.rsplit("≈", 1)
    plain_text = exact.strip() if rounded and stated_quantity(text) is not None else plain_text
    if answer.type == "equation":
        plain_text = _FUNCTION.sub("y", _ends_of_chain(plain_text))
    label = _LABEL.match(plain_text)
    if answer.type == "expression" and label and plain_text.count("=") == 1:
        plain_text = plain_text[label.end() :]
    sides = tuple(map(_tree, plain_text.split("=")))
    if None in sides or len(sides) != (2 if answer.type == "equation" else 1):
        amount = stated_quantity(text) if answer.type == "expression" else None
        return None if _WORD.search(plain_text) else Formula(plain_text, amount=amount)
    trees = tuple(side for side in sides if side is not None)
    amount = stated_quantity(plain_text) if len(trees) == 1 else None
    return Formula(plain_text, trees, amount)


def _ends_of_chain(text: str) -> str:
    """``x = 11`` for ``x = 5 + 6 = 11``, where all that follows the first side is equal."""
    first, *others = text.split("=")
    if len(others) < 2:
        return text
    values = [read_quantity(each) for each in others]
    known = [each.value for each in values if each is not None]
    same = len(known) == len(others) and all(close(known[0], each) for each in known)
    return f"{first}={others[-1]}" if same else text


def same_formula(reference: Formula, predicted: Formula, answer: Answer) -> MatchResult:
    """Compare as text, as amounts, at fixed points, or by computer algebra, in that order."""
    if reference.text.replace(" ", "") == predicted.text.replace(" ", ""):
        return MatchResult(True, "as written")
    signs = [each.text.count("±") for each in (reference, predicted)]
    if any(signs):
        return _same_signs(reference, predicted, answer) if signs == [1, 1] else _OTHER_SIGNS
    if reference.intervals or predicted.intervals:
        return same_interval(reference.intervals, predicted.intervals, answer)
    if reference.amount is not None and not (reference.sides and letters(reference.sides[0])):
        if predicted.amount is None:
            return MatchResult(False, "not equal")
        if predicted.amount.writing == "unevaluated" != reference.amount.writing:
            return MatchResult(False, "unevaluated")
        return same_amount(reference.amount, predicted.amount, answer)
    if reference.text.count("=") != predicted.text.count("="):
        value = _VALUE.fullmatch(plain(answer.value))
        if value and answer.type == "equation" and "," in value[0]:  # (3, 2) or p = 3, q = 2
            return _same_point(plain(answer.value), predicted.text)
        if value and answer.type == "equation":  # 1 for f(x) = 1
            return _same_value(value[1], predicted.text, replace(answer, type="expression"))
        return MatchResult(False, "an equation is no expression")
    if reference.sides and predicted.sides:
        same = _identical(reference.sides, predicted.sides)
        if same is not None:
            return MatchResult(same, "equal at all points" if same else "differs at a point")
    if reference.sides and KNOWN_COMMANDS.issuperset(_COMMAND.findall(predicted.text)):
        return MatchResult(False, "no formula")
    decided = same_symbolically(reference.text, predicted.text)
    reason = {True: "equal by algebra", False: "not equal by algebra", None: "undecided"}[decided]
    return MatchResult(decided, reason)


def _same_signs(reference: Formula, predicted: Formula, answer: Answer) -> MatchResult:
    """Compare two formulas with ``±`` once with each sign."""
    for sign in "+-":
        left = read_formula(reference.text.replace("±", sign), answer)
        right = read_formula(predicted.text.replace("±", sign), answer)
        if left is None or right is None:
            return _OTHER_SIGNS
        result = same_formula(left, right, answer)
        if not result.same:
            return result
    return MatchResult(True, "equal with each sign")


def _same_point(reference: str, predicted: str) -> MatchResult:
    point = Answer("tuple", reference)
    left, right = read_sequence(reference, point), read_sequence(predicted, point)
    if left is None or right is None:
        return MatchResult(False, "no formula")
    return same_sequence(left, right, point)


def _same_value(reference: str, predicted: str, answer: Answer) -> MatchResult:
    left, right = read_formula(reference, answer), read_formula(predicted, answer)
    if left is None or right is None:
        return MatchResult(False, "no formula")
    return same_formula(left, right, answer)


def _tree(text: str) -> Tree | None:
    try:
        return parse(text)
    except UnreadableError:
        return None


def _identical(reference: tuple[Tree, ...], predicted: tuple[Tree, ...]) -> bool | None:
    """Whether two expressions are equal, or two equations up to a factor; None if unknown."""
    names = sorted(frozenset().union(*map(letters, reference)))
    others = frozenset().union(*map(letters, predicted))
    if len(names) > LETTERS or not others <= set(names):
        return False
    ratios: list[Decimal] = []
    for point in _POINTS:
        left, right = _at(reference, names, point), _at(predicted, names, point)
        if (left is None) != (right is None):
            return False
        if left is None or right is None:
            continue
        if abs(left) < Decimal("1e-25") or abs(right) < Decimal("1e-25"):
            if abs(left - right) > Decimal("1e-20"):
                return False
            continue
        ratios.append(right / left)
    if len(ratios) < NEEDED:
        return None
    base = ratios[0] if len(reference) == 2 else Decimal(1)
    return all(abs(ratio - base) <= abs(base) * Decimal("1e-10") for ratio in ratios)


def _at(sides: tuple[Tree, ...], names: Sequence[str], point: Sequence[Fraction]) -> Decimal | None:
    """The value at a point, left side minus right side; None if it is undefined."""
    values: dict[str, Value] = dict(zip(names, point, strict=False))
    try:
        total = decimal(evaluate(sides[0], values))
        return total - decimal(evaluate(sides[1], values)) if len(sides) == 2 else total
    except UnreadableError:
        return None
