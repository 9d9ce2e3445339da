"""Is a response right? The typed verifier's pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter

from mstar.rewards.base import Answer
from mstar.rewards.extract import extract as _extract


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier says of one response."""

    correct: bool
    confidence: float
    extracted: str | None
    method: str
    reason: str
    valid: bool
    seconds: float


def verify(response: str, answer: Answer, *, strict: bool = False) -> Verdict:
    """Whether the response's committed answer is the gold (a first version)."""
    began = perf_counter()
    said = _extract(response, strict=strict)
    correct = said is not None and equivalent(said, answer.value, answer)
    return Verdict(correct, 1.0, said, "first", "", True, perf_counter() - began)


def extract(response: str, answer: Answer | None = None, *, strict: bool = False) -> str | None:
    """The committed answer's text, or None."""
    return _extract(response, strict=strict)


def equivalent(one: str, other: str, answer: Answer | None) -> bool:
    """Whether two committed answers say the same (a first version)."""
    try:
        return Fraction(one.strip(" .")) == Fraction(other.strip(" ."))
    except (ValueError, ZeroDivisionError):
        return one.casefold().strip(" .") == other.casefold().strip(" .")
