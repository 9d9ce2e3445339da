"""An outcome reward: a learned score of the whole response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.models.process import StepScorer


class OutcomeReward:
    """The score at the end of a response: how likely its answer is right, as a judge sees it.

    The outcome-supervised verifier of Cobbe et al. 2021 (arXiv 2110.14168), which learns from
    samples and whether their answers are right. It needs no gold when it scores. Abstains on a
    response without a line.

    Args:
        step_scores: the judge, such as ``StepJudge.scores`` trained with the target outcome.
        name: of the column.
    """

    def __init__(self, step_scores: StepScorer, name: str = "outcome") -> None:
        self._step_scores, self.name = step_scores, name

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """The last score of each response; (N,) float32 in [0, 1] or NaN."""
        found = self._step_scores(attempts) if attempts else []
        return np.array([steps[-1] if len(steps) else np.nan for steps in found], np.float32)
