"""Does the answer depend on the image?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.verifier.verify import equivalent, verify

LogprobGap = Callable[[Sequence[Attempt]], Sequence[float]]


class CounterfactualGrounding:
    """1 where the response is right for this image and wrong for the counterfactual one, else 0.

    Source: counterfactual problems. Generators change what the image shows until the same question
    has another answer, so the check needs no model call. A response that commits to one answer
    scores here as in correctness; a tolerant, hedged or multiple answer that would be right for
    both images scores 0. Abstains where the problem is unlabelled or has no counterfactual, where
    both images have equivalent answers, and where the verifier could not decide.
    """

    name = "grounding"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1, or NaN without a counterfactual."""
        return np.array([self._grounded(attempt) for attempt in attempts], np.float32)

    @staticmethod
    def _grounded(attempt: Attempt) -> float:
        answer, other = attempt.answer, attempt.counterfactual
        if answer is None or other is None or equivalent(answer.value, other.value, answer):
            return float("nan")
        here, there = verify(attempt.response, answer), verify(attempt.response, other)
        if not (here.valid and there.valid):
            return float("nan")
        return float(here.correct and not there.correct)


TwinGrounding = CounterfactualGrounding  # the old name, for one version


@dataclass(frozen=True)
class ImageAblation:
    """How much the image increases the likelihood of a right response, capped.

    Source: the implicit perception term of PAPO (arXiv 2507.06448), the KL divergence between the
    policies with and without the image, as a reward: log p(response | image) minus log p(response |
    ablated image), over `full` and clipped to [0, 1]. The gap is a sum with a cap: a mean over
    tokens would favour bare guesses, a sum without a cap long responses. Wrong responses score 0,
    since on them the gap is mostly noise. Abstains on unlabelled problems, where the gap is not
    known and where the verifier could not decide.

    Attributes:
        logprob_gap: the gap of each attempt in nats, summed over the response; NaN if unknown.
            See ``mstar.agents.judges.image_ablation``.
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
        if right:  # only these need the two forward passes
            gap = np.array(self.logprob_gap([attempts[row] for row in right]), np.float64)
            scores[right] = np.clip(gap / self.full, 0.0, 1.0)
        return scores
