"""When is one amount the same as the gold: units, per cent, rounding and tolerance."""

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
from mstar.rewards.verifier.parsing.units import Unit, convert, parse_unit
from mstar.rewards.verifier.parsing.vocabulary import NO_UNIT, PERCENT

_NONE = re.compile(
    r"(?:there (?:are|is) )?(?:none|no (?!answer|idea|way|clue|information)[a-z -]{2,40})", re.I
)
_AROUND_YEAR = re.compile(r"\b(?:before|after|until|since|by|bce?)\b|\bb\.c\.", re.IGNORECASE)
CHART_TOLERANCE = 0.05  # relative, of the relaxed accuracy of ChartQA
SIGNIFICANT = 6  # digits that make a decimal as good as the exact value it rounds


def read_amount(text: str, answer: Answer) -> Quantity | None:
    """The amount that a text states; None if it is none of this answer's type."""
    if answer.type == "year":
        return read_year(text)
    quantity = stated_quantity(text)
    if quantity is None and answer.type == "count" and _NONE.fullmatch(text.strip(" .!*{}")):
        return Quantity(Fraction(0), "digits", 0)
    if quantity is None or quantity.writing == "unevaluated":
        return None
    whole = isinstance(quantity.value, Fraction) and quantity.value.denominator == 1
    if quantity.writing == "fraction" and whole and answer.type != "fraction":
        return None  # a division that was never carried out
    return quantity


def read_year(text: str) -> Quantity | None:
    """The year that a text states: digits, or words such as ``nineteen ninety-eight``."""
    spoken = [number_words(part) for part in (*text.strip(" .").split(" ", 1), "")][:2]
    if None not in spoken and all(10 <= (part or 0) < 100 for part in spoken):
        first, second = spoken
        return Quantity((first or 0) * 100 + Fraction(second or 0), "digits", 0)
    quantity = stated_quantity(text)
    if quantity is None or quantity.writing != "digits" or quantity.percent or quantity.unit:
        return None
    return None if _AROUND_YEAR.search(text) else quantity


def same_amount(gold: Quantity, said: Quantity, answer: Answer) -> MatchResult:
    """Compare two amounts in the unit and within the tolerance of the problem's record.

    A bare number is in the record's unit. Without a tolerance the values must be equal, or the
    said one must be finer than the gold and round to it: the fewer digits the gold shows, the
    likelier it is exact. An exact gold is also met by a decimal with six significant digits that
    it rounds to.
    """
    same = _same_amount(gold, said, answer)
    if not same.same and said.nearly is not None:
        return _same_amount(gold, said.nearly, answer)
    return same


def _same_amount(gold: Quantity, said: Quantity, answer: Answer) -> MatchResult:
    if _in_percent(gold, answer):
        if said.unit is not None:
            return MatchResult(False, "wrong unit")
        best = _compare(gold, said.value, said.decimals, answer)
        loose = answer.type == "percent" or answer.unit is None
        if not best.same and not said.percent and loose:
            return _compare(gold, _times(said.value, 100), None, answer)
        return best
    if said.percent:
        decimals = None if said.decimals is None else said.decimals + 2
        return _compare(gold, _times(said.value, Fraction(1, 100)), decimals, answer)
    value, own = _in_gold_unit(gold, said, answer), _in_gold_unit(gold, gold, answer)
    if value is None or own is None:
        return MatchResult(False, "wrong unit")
    gold = replace(gold, value=own)
    exact = isinstance(gold.value, Fraction) and not gold.decimals and answer.tolerance is None
    if exact and said.writing == "closed form" and value == said.value:
        return MatchResult(False, "unevaluated")  # 12 + pi - pi
    return _compare(gold, value, said.decimals if value == said.value else None, answer)


def _in_percent(gold: Quantity, answer: Answer) -> bool:
    return answer.type == "percent" or gold.percent or _unit(answer).casefold() in PERCENT


def _times(value: Value, factor: int | Fraction) -> Value:
    return value * factor if isinstance(value, Fraction) else value * decimal(Fraction(factor))


def _in_gold_unit(gold: Quantity, said: Quantity, answer: Answer) -> Value | None:
    """The said value in the gold's unit; None where it is in a unit of another kind."""
    unit = _unit(answer)
    wanted = parse_unit(unit) if unit else gold.unit
    given = said.unit
    scale = SCALES.get(unit.casefold().split(" ")[0])
    if scale and abs(decimal(said.value)) * 10 >= abs(decimal(gold.value)) * scale:  # 5 million
        return said.value / scale
    if unit and wanted is None:  # a counted noun, such as "games per year"
        return said.value if given is None or _stems(unit) & _stems(said.noun) else None
    if wanted is None:
        return said.value
    if given is None and wanted == parse_unit("unit"):
        return said.value
    if given is None:
        bare = not said.noun or said.noun.split()[0].casefold() in NO_UNIT
        return said.value if bare else None
    value = convert(said.value, given, wanted)
    if value is None and _is_degrees_of(given, wanted):
        return said.value
    return value


def _unit(answer: Answer) -> str:
    """The unit of the problem's record in plain form; "" where it has none."""
    return plain(answer.unit).replace("{", "").replace("}", "") if answer.unit else ""


def _is_degrees_of(given: Unit, wanted: Unit) -> bool:
    """``20°`` where degrees Celsius or Fahrenheit are asked for."""
    return given == parse_unit("°") and wanted in (parse_unit("°C"), parse_unit("°F"))


def _stems(words: str) -> set[str]:
    return {word.rstrip("s") for word in words.casefold().split()}


def _compare(gold: Quantity, value: Value, decimals: int | None, answer: Answer) -> MatchResult:
    if close(gold.value, value):
        return MatchResult(True, "equal")
    if answer.type in ("count", "year"):
        return MatchResult(False, "not equal")
    distance = abs(decimal(gold.value) - decimal(value))
    tolerance = answer.tolerance
    if tolerance is None and answer.type == "chart_number":
        tolerance = CHART_TOLERANCE
    if tolerance is not None:
        if distance <= Decimal(str(tolerance)) * abs(decimal(gold.value)):
            return MatchResult(True, "within tolerance")
        return MatchResult(False, "outside tolerance")
    rounds = distance <= Decimal(5).scaleb(-(gold.decimals or 0) - 1)
    if rounds and _is_finer(gold, decimals, distance):
        return MatchResult(True, "rounds to the reference answer")
    if gold.decimals is None and decimals and _rounds_well(distance, value, decimals):
        return MatchResult(True, "rounded to six digits or more")
    return MatchResult(False, "not equal")


def _is_finer(gold: Quantity, decimals: int | None, distance: Decimal) -> bool:
    """Whether a number with so many decimals may be the one that the gold was rounded from.

    8.19 for 8.2 is a slip, 2.09439 for 2.0944 is not; None stands for a closed form.
    """
    size = abs(decimal(gold.value))
    digits = len(str(int(size.scaleb(gold.decimals or 0))))
    if not gold.decimals or digits < 2:
        return False
    if decimals is None or decimals >= gold.decimals + 2:
        return True
    return decimals > gold.decimals and digits > 2 and distance <= size / 1000


def _rounds_well(distance: Decimal, value: Value, decimals: int) -> bool:
    digits = abs(int(decimal(value).scaleb(decimals)))
    return len(str(digits)) >= SIGNIFICANT and distance <= Decimal(5).scaleb(-decimals - 1)
