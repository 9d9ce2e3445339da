"""An outcome reward model: a learned score of the whole response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.models.process import StepScorer


class OutcomeReward:
    """A judge's score at the end of a response: the probability that its answer is right.

    The outcome-supervised verifier of Cobbe et al. 2021 (arXiv 2110.14168), trained on
    samples labelled by whether their answers are right. Scoring needs no reference answer.
    Abstains on a response without steps.

    Args:
        step_scores: of a judge trained on outcomes, such as ``StepJudge.scores``.
        name: the column's name.
    """

    def __init__(self, step_scores: StepScorer, name: str = "outcome") -> None:
        self._step_scores, self.name = step_scores, name

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """The last score of each response; (N,) float32 in [0, 1] or NaN."""
        scores = self._step_scores(attempts) if attempts else []
        return np.array([steps[-1] if len(steps) else np.nan for steps in scores], np.float32)
