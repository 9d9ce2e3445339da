"""Would the answer have been the same without this picture?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.verify import equivalent, verify

LogprobGap = Callable[[Sequence[Attempt]], Sequence[float]]


class TwinGrounding:
    """1 where the response is right for this picture and wrong for its swapped twin, else 0.

    Source: the counterfactual twin: generators change what the picture shows until the same
    question has another answer, so the check costs no model call. A response that commits to one
    answer earns here what correctness gives it; what it takes back is the tolerant, hedged or
    multiple answer that would pass for either picture. Abstains where the problem is unlabelled
    or has no twin, where both pictures have an equivalent answer, and where the verifier could
    not decide.
    """

    name = "grounding"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1, or NaN without a twin."""
        return np.array([self._grounded(attempt) for attempt in attempts], np.float32)

    @staticmethod
    def _grounded(attempt: Attempt) -> float:
        here, there = attempt.answer, attempt.twin
        if here is None or there is None or equivalent(here.value, there.value, here):
            return float("nan")
        right, other = verify(attempt.response, here), verify(attempt.response, there)
        if not (right.valid and other.valid):
            return float("nan")
        return float(right.correct and not other.correct)


@dataclass(frozen=True)
class ImageAblation:
    """How much likelier the picture makes a right response, capped.

    Source: the implicit perception term of PAPO (arXiv 2507.06448), KL between the policies that
    do and don't see the picture, as a reward: log p(response | picture) minus log p(response |
    ablated picture), over `full` and clipped to [0, 1]. It is a sum with a cap: a mean over tokens
    would pay bare guesses most, a sum without cap long responses. Paid for right responses only,
    since noise wins otherwise: a wrong one scores 0. Abstains on unlabelled problems, where the
    gap is not known and where the verifier could not decide.

    Attributes:
        logprob_gap: the gap of each attempt in nats, summed over the response; NaN if unknown.
            The policy's side makes it, by scoring each response twice.
        full: the gap, in nats, that scores 1.
    """

    logprob_gap: LogprobGap
    full: float = 5.0
    name = "image_ablation"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32 in [0, 1] or NaN."""
        scores = np.full(len(attempts), np.nan, np.float32)
        right: list[int] = []
        for row, attempt in enumerate(attempts):
            if attempt.answer is None:
                continue
            verdict = verify(attempt.response, attempt.answer)
            if verdict.valid:
                scores[row] = 0.0
            if verdict.correct:
                right.append(row)
        if right:  # only these are worth two forward passes
            gap = np.array(self.logprob_gap([attempts[row] for row in right]), np.float64)
            scores[right] = np.clip(gap / self.full, 0.0, 1.0)
        return scores
