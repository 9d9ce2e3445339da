"""Does the response commit to the reference answer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.verify import verify


@dataclass(frozen=True)
class Correctness:
    """1 where the response's answer verifies against the reference answer, else 0.

    Source: the verifiable accuracy reward of DeepSeek-R1 (arXiv 2501.12948), by our typed verifier.
    Abstains (NaN) where the problem is unlabelled and where the verifier could not decide: the
    reference answer is malformed, or a symbolic comparison timed out. That is never a 0.

    Attributes:
        strict: accept only an explicit form: a tag, a box, an ``Answer:`` line or an ``# Answer``
            heading. If False, a short sentence and ``the answer is ...`` are accepted too.
    """

    strict: bool = False
    name = "correctness"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1, or NaN."""
        return np.array([self._one(attempt) for attempt in attempts], np.float32)

    def _one(self, attempt: Attempt) -> float:
        if attempt.answer is None:
            return float("nan")
        verdict = verify(attempt.response, attempt.answer, strict=self.strict)
        return float(verdict.correct) if verdict.valid else float("nan")
