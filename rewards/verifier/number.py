"""The numeric answer types: units, per cent, rounding and tolerance."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from mstar.rewards.base import Answer
from mstar.rewards.verifier.base import MatchResult
from mstar.rewards.verifier.parsing.arithmetic import Value, close, decimal
from mstar.rewards.verifier.parsing.latex import plain
from mstar.rewards.verifier.parsing.numerals import SCALES, number_words
from mstar.rewards.verifier.parsing.prose import stated_quantity
from mstar.rewards.verifier.parsing.quantities import Quantity
from mstar.rewards.verifier.parsing.units import CURRENCIES, Unit, convert, parse_unit
from mstar.rewards.verifier.parsing.vocabulary import NO_UNIT, PERCENT

_NONE = re.compile(
    r"(?:there (?:are|is) )?(?:none|no (?!answer|idea|way|clue|information)[a-z -]{2,40})", re.I
)
_AROUND_YEAR = re.compile(r"\b(?:before|after|until|since|by|bce?)\b|\bb\.c\.", re.IGNORECASE)
_MAY_BE_PERCENT = ("number", "chart_number")
_PER = re.compile(r"\s*(?:\bper\b|/)")
CHART_TOLERANCE = 0.05  # relative, as in the relaxed accuracy of ChartQA
SIGNIFICANT = 5  # digits from which a rounded decimal is accepted for an exact value


def read_amount(text: str, answer: Answer) -> Quantity | None:
    """The amount in a text; None if there is none of the answer's type."""
    if answer.type == "year":
        return read_year(text)
    quantity = stated_quantity(text)
    if quantity is None and answer.type == "count" and _NONE.fullmatch(text.strip(" .!*{}")):
        return Quantity(Fraction(0), "digits", 0)
    if quantity is None or quantity.writing == "unevaluated":
        return None
    whole = isinstance(quantity.value, Fraction) and quantity.value.denominator == 1
    if quantity.writing == "fraction" and whole and answer.type != "fraction":
        return None  # a division that was not carried out
    return quantity


def read_year(text: str) -> Quantity | None:
    """The year in a text, in digits or in words such as ``nineteen ninety-eight``."""
    spoken = [number_words(part) for part in (*text.strip(" .").split(" ", 1), "")][:2]
    if None not in spoken and all(10 <= (part or 0) < 100 for part in spoken):
        first, second = spoken
        return Quantity((first or 0) * 100 + Fraction(second or 0), "digits", 0)
    quantity = stated_quantity(text)
    if quantity is None or quantity.writing != "digits" or quantity.percent or quantity.unit:
        return None
    return None if _AROUND_YEAR.search(text) else quantity


def same_amount(reference: Quantity, predicted: Quantity, answer: Answer) -> MatchResult:
    """Compare two amounts in the unit and within the tolerance of the problem's record.

    A bare number is in the record's unit. Without a tolerance the values must be equal, or the
    prediction must have more digits than the reference and round to it: the fewer digits the
    reference has, the likelier it is exact. For an exact reference, a correctly rounded decimal
    with at least five significant digits is accepted too.
    """
    same = _same_amount(reference, predicted, answer)
    if not same.same and predicted.nearly is not None:
        return _same_amount(reference, predicted.nearly, answer)
    return same


def _same_amount(reference: Quantity, predicted: Quantity, answer: Answer) -> MatchResult:
    if _in_percent(reference, answer):
        named = predicted.noun.casefold().startswith(tuple(PERCENT))
        if predicted.unit is not None or not (predicted.percent or named or _is_bare(predicted)):
            return MatchResult(False, "wrong unit")
        best = _compare(reference, predicted.value, predicted.decimals, answer)
        loose = answer.type == "percent" or answer.unit is None
        if not best.same and not predicted.percent and loose:
            return _compare(reference, _times(predicted.value, 100), None, answer)
        return best
    if predicted.percent and not answer.unit and answer.type in _MAY_BE_PERCENT:
        asked = abs(decimal(reference.value)) > 1  # "what percentage", with 50 for an answer
        same = _compare(reference, predicted.value, predicted.decimals, answer)
        if asked and same.same:
            return same
    if predicted.percent:
        decimals = None if predicted.decimals is None else predicted.decimals + 2
        return _compare(reference, _times(predicted.value, Fraction(1, 100)), decimals, answer)
    value = _in_reference_unit(reference, predicted, answer)
    own_value = _in_reference_unit(reference, reference, answer)
    if value is None or own_value is None:
        return MatchResult(False, "wrong unit")
    if own_value != reference.value:
        reference = replace(reference, value=own_value)
    exact = (
        isinstance(reference.value, Fraction)
        and not reference.decimals
        and answer.tolerance is None
    )
    if exact and predicted.writing == "closed form" and value == predicted.value:
        return MatchResult(False, "unevaluated")  # 12 + pi - pi
    return _compare(
        reference, value, predicted.decimals if value == predicted.value else None, answer
    )


def _in_percent(reference: Quantity, answer: Answer) -> bool:
    return answer.type == "percent" or reference.percent or _unit(answer).casefold() in PERCENT


def _times(value: Value, factor: int | Fraction) -> Value:
    return value * factor if isinstance(value, Fraction) else value * decimal(Fraction(factor))


def _in_reference_unit(reference: Quantity, predicted: Quantity, answer: Answer) -> Value | None:
    """The predicted value in the reference's unit; None if its unit measures something else."""
    unit = _unit(answer)
    wanted = parse_unit(unit) if unit else reference.unit
    given = predicted.unit
    scale = SCALES.get(unit.casefold().split(" ")[0])
    if scale:
        least = abs(decimal(reference.value)) * scale
        if abs(decimal(predicted.value)) * 10 >= least:  # 5 million
            return predicted.value / scale
    if unit and wanted is None:  # a counted noun, such as "games per year"
        return predicted.value if given is None or _stems(unit) & _stems(predicted.noun) else None
    if wanted is None:
        return predicted.value
    if given is None and wanted == parse_unit("unit"):
        return predicted.value
    if given is None:
        return predicted.value if _is_bare(predicted) else None
    value = convert(predicted.value, given, wanted)
    numerator = parse_unit(_PER.split(unit)[0]) if given.dimensions[0][0] in CURRENCIES else None
    if value is None and unit != (answer.unit or ""):  # "$6 per year", for "$, per year"
        whole = parse_unit(plain(answer.unit or "").replace(",", " "))
        value = convert(predicted.value, given, whole) if whole else None
    if value is None and numerator is not None:  # $8, for "$ per pound"
        return convert(predicted.value, given, numerator)
    if value is None and _is_degrees_of(given, wanted):
        return predicted.value
    return value


def _is_bare(quantity: Quantity) -> bool:
    """Whether no noun follows the number: ``7``, ``7 in total``."""
    return not quantity.noun or quantity.noun.split()[0].casefold() in NO_UNIT


def _unit(answer: Answer) -> str:
    """The unit of the problem's record in plain form; "" if it has none."""
    unit = (answer.unit or "").split(",")[0]  # "$, per year"
    return plain(unit).replace("{", "").replace("}", "")


def _is_degrees_of(given: Unit, wanted: Unit) -> bool:
    """``20°`` for a reference in degrees Celsius or Fahrenheit."""
    return given == parse_unit("°") and wanted in (parse_unit("°C"), parse_unit("°F"))


def _stems(words: str) -> set[str]:
    return {word.rstrip("s") for word in words.casefold().split()}


def _compare(
    reference: Quantity, value: Value, decimals: int | None, answer: Answer
) -> MatchResult:
    if close(reference.value, value):
        return MatchResult(True, "equal")
    if answer.type in ("count", "year"):
        return MatchResult(False, "not equal")
    distance = abs(decimal(reference.value) - decimal(value))
    tolerance = answer.tolerance
    if tolerance is None and answer.type == "chart_number":
        tolerance = CHART_TOLERANCE
    if tolerance is not None:
        if distance <= Decimal(str(tolerance)) * abs(decimal(reference.value)):
            return MatchResult(True, "within tolerance")
        return MatchResult(False, "outside tolerance")
    rounds = distance <= Decimal(5).scaleb(-(reference.decimals or 0) - 1)
    if rounds and _is_finer(reference, decimals, distance):
        return MatchResult(True, "rounds to the reference answer")
    if reference.decimals is None and decimals and _rounds_well(distance, value, decimals):
        return MatchResult(True, "rounded to five digits or more")
    return MatchResult(False, "not equal")


def _is_finer(reference: Quantity, decimals: int | None, distance: Decimal) -> bool:
    """Whether the reference may be a rounded form of a number with so many decimals.

    8.19 for 8.2 is an error, 2.09439 for 2.0944 is not. None decimals means a closed form.
    """
    size = abs(decimal(reference.value))
    digits = len(str(int(size.scaleb(reference.decimals or 0))))
    if not reference.decimals or digits < 2:
        return False
    if decimals is None or decimals >= reference.decimals + 2:
        return True
    return decimals > reference.decimals and digits > 2 and distance <= size / 1000


def _rounds_well(distance: Decimal, value: Value, decimals: int) -> bool:
    digits = abs(int(decimal(value).scaleb(decimals)))
    return len(str(digits)) >= SIGNIFICANT and distance <= Decimal(5).scaleb(-decimals - 1)
