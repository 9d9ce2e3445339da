"""Exact evaluation of formulas, within bounds; never ``eval``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from fractions import Fraction

from mstar.rewards.verifier.parsing.formula import Tree, UnreadableError

Value = Fraction | Decimal  # exact, or irrational to PRECISION digits

PRECISION = 50  # decimal digits of irrational values
BITS = 20_000  # size of the largest exact number
EXPONENT = 400  # the largest exponent

_CONTEXT = Context(
    prec=PRECISION, Emax=10_000, Emin=-10_000, traps=[DivisionByZero, InvalidOperation, Overflow]
)
EULER = Decimal("2.71828182845904523536028747135266249775724709369995957496697")
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "ln": math.log, "log": math.log10,
    "exp": math.exp, "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan,
    "cot": lambda x: 1 / math.tan(x), "sec": lambda x: 1 / math.cos(x),
    "csc": lambda x: 1 / math.sin(x),
}  # fmt: skip
_NO_NAMES: Mapping[str, Value] = {}


def evaluate(tree: Tree, names: Mapping[str, Value] = _NO_NAMES) -> Value:
    """The value of a formula: a Fraction where it is rational, else a Decimal.

    Args:
        tree: from ``formula.parse``.
        names: the value of each letter.

    Raises:
        UnreadableError: the value is undefined or too large, or a letter has no value.
    """
    try:
        return _bounded(_evaluate(tree, names))
    except (DecimalException, ZeroDivisionError) as error:
        raise UnreadableError(f"undefined: {error!r}") from error


def decimal(value: Value) -> Decimal:
    """The value to PRECISION digits."""
    if isinstance(value, Decimal):
        return value
    return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def close(one: Value, other: Value) -> bool:
    """Whether two values are the same: exactly where both are rational, else to 13 digits."""
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    left, right = decimal(one), decimal(other)
    return abs(left - right) <= max(abs(left), abs(right)) * Decimal("1e-13")


def root(value: Value, degree: int) -> Value:
    """The real root, exact if it is rational; raises UnreadableError for even roots below zero."""
    if value < 0:
        if degree % 2 and isinstance(value, Fraction):
            return -root(-value, degree)
        raise UnreadableError("a root of a negative number")
    if isinstance(value, Fraction):
        exact = _exact_root(value.numerator, degree), _exact_root(value.denominator, degree)
        if exact[0] is not None and exact[1] is not None:
            return Fraction(exact[0], exact[1])
    if value == 0:
        return Fraction(0)
    return _CONTEXT.power(decimal(value), _CONTEXT.divide(Decimal(1), Decimal(degree)))


def _exact_root(number: int, degree: int) -> int | None:
    if degree == 2:
        guess = math.isqrt(number)
    else:
        if number.bit_length() > 1_000:
            return None
        guess = round(number ** (1 / degree))
    return guess if guess**degree == number else None


def _evaluate(tree: Tree, names: Mapping[str, Value]) -> Value:
    kind = tree[0]
    if kind == "number":
        number: Fraction = tree[1].value
        return number
    if kind == "letter":
        if tree[1] == "π":
            return PI
        if tree[1] == "e" and "e" not in names:
            return EULER
        if tree[1] not in names:
            raise UnreadableError(f"the letter {tree[1]!r} has no value")
        return names[tree[1]]
    if kind == "function":
        return _function(tree[1], _bounded(_evaluate(tree[2], names)))
    parts: list[Value] = []
    for part in tree[1:]:  # not a comprehension, which would need a second frame for each level
        parts.append(_bounded(_evaluate(part, names)))
    if kind == "negative":
        return -parts[0]
    if kind == "percent":
        return _combine("divide", parts[0], Fraction(100))
    if kind == "choose":
        return _choose(parts[0], parts[1])
    if kind == "power":
        return _power(parts[0], parts[1])
    if kind == "root":
        degree = parts[0]
        if not isinstance(degree, Fraction) or degree.denominator != 1 or not 2 <= degree <= 20:
            raise UnreadableError(f"a root of degree {degree}")
        return root(parts[1], int(degree))
    return _combine(kind, parts[0], parts[1])


def _choose(total: Value, part: Value) -> Value:
    """The binomial coefficient of whole numbers."""
    for each in (total, part):
        if not isinstance(each, Fraction) or each.denominator != 1 or not 0 <= each <= EXPONENT:
            raise UnreadableError(f"a binomial coefficient of {each}")
    return Fraction(math.comb(int(total), int(part)))


def _function(name: str, value: Value) -> Value:
    if name == "abs":
        return -value if value < 0 else value
    try:
        return Decimal(repr(_FUNCTIONS[name](float(value))))  # 15 digits suffice for a comparison
    except (ValueError, OverflowError) as error:
        raise UnreadableError(f"{name} is not defined there") from error


def _combine(kind: str, one: Value, other: Value) -> Value:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        if kind == "add":
            return one + other
        if kind == "subtract":
            return one - other
        return one * other if kind == "multiply" else one / other
    left, right = decimal(one), decimal(other)
    result: Decimal = getattr(_CONTEXT, kind)(left, right)
    return result


def _power(base: Value, exponent: Value) -> Value:
    if not -EXPONENT <= exponent <= EXPONENT:
        raise UnreadableError("the exponent is too large")
    if isinstance(exponent, Fraction) and isinstance(base, Fraction):
        if exponent.denominator == 1:
            size = max(base.numerator.bit_length(), base.denominator.bit_length())
            if size * abs(exponent) > BITS:
                raise UnreadableError("the power is too large")
            return Fraction(base ** int(exponent))
        if exponent.denominator <= 20:
            return _power(root(base, exponent.denominator), Fraction(exponent.numerator))
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return _CONTEXT.power(decimal(base), Decimal(int(exponent)))
    if base <= 0:
        raise UnreadableError("a fractional power of a number that is not positive")
    return _CONTEXT.power(decimal(base), decimal(exponent))


def _bounded(value: Value) -> Value:
    if isinstance(value, Fraction):
        if value.numerator.bit_length() + value.denominator.bit_length() > BITS:
            raise UnreadableError("the number is too large")
    elif not value.is_finite():
        raise UnreadableError("the number is not finite")
    return value
