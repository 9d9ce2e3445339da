"""The scoring of ChartQA: numbers may be off by 5 %, anything else must be the same text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.verify import extract

Scoring = Literal["verifier", "relaxed"]  # what an evaluation calls right: ``correctness``, or this


@dataclass(frozen=True)
class RelaxedAccuracy:
    """1 where the extracted answer is right by the relaxed accuracy of ChartQA, else 0.

    Source: Masry et al. 2022 (arXiv 2203.10244, section 5.1), as published evaluations compute it:
    where both answers are numbers, the relative error may be at most `tolerance`, years included; a
    number with a per cent sign is divided by 100; other answers must be equal but for case. Use it
    to compare with published figures: ``correctness`` asks years to be exact, and understands units
    and thousands separators, which this does not. Abstains where the problem is unlabelled.

    Attributes:
        tolerance: relative.
        name: the column's name.
    """

    tolerance: float = 0.05
    name: str = "relaxed_accuracy"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1, or NaN."""
        return np.array([self._one(attempt) for attempt in attempts], np.float32)

    def _one(self, attempt: Attempt) -> float:
        if attempt.answer is None:
            return float("nan")
        predicted = extract(attempt.response) or ""
        return float(self.right(predicted.strip(), attempt.answer.value.strip()))

    def right(self, predicted: str, reference: str) -> bool:
        """Whether an answer is right.

        >>> scoring = RelaxedAccuracy()
        >>> scoring.right("104", "100"), scoring.right("2009", "1950"), scoring.right("5%", "0.05")
        (True, True, True)
        >>> scoring.right("1,000", "1000"), scoring.right("red", "Red")
        (False, True)
        """
        number, target = _number(predicted), _number(reference)
        if number is None or not target:  # a relative error from 0 is not defined
            return predicted.lower() == reference.lower()
        return abs(number - target) / abs(target) <= self.tolerance


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
