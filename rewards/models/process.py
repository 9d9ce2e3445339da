"""A process reward model: every step of a response is scored, and the lowest score counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, Scores

Steps = NDArray[np.float32]  # (S,) in [0, 1], one per step of a response
StepScorer = Callable[[Sequence[Attempt]], list[Steps]]


class ProcessReward:
    """The lowest step score of a response.

    M-STaR ranks the right answers to a problem by it (Liu et al. 2024, arXiv 2412.17451, section
    on the reward model); the minimum over steps follows Lightman et al. 2023 (arXiv 2305.20050).
    Abstains on a response whose steps have no scores. Use it among right answers, with the rule
    ``outcome_anchor`` or to rank a selection: alone it can be gamed by short responses that make
    no mistake because they state little.

    Args:
        step_scores: the judge, such as ``StepJudge.scores``.
        name: the column's name.
    """

    def __init__(self, step_scores: StepScorer, name: str = "process") -> None:
        self._step_scores, self.name = step_scores, name

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """The minimum over the steps of each response; (N,) float32 in [0, 1] or NaN."""
        scores = self._step_scores(attempts) if attempts else []
        return np.array([steps.min() if len(steps) else np.nan for steps in scores], np.float32)


class ReadingReward(ProcessReward):
    """The lowest score of the steps that state something seen: no calculation, and not the last.

    What a trained policy still gets wrong it mostly misreads; this ranks responses by a judge's
    view of the steps that read, whatever it makes of the others. Abstains where there are none.
    """

    def __init__(self, step_scores: StepScorer, name: str = "reading") -> None:
        super().__init__(step_scores, name)

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """The minimum over the reading steps of each response; (N,) float32 in [0, 1] or NaN."""
        scores = self._step_scores(attempts) if attempts else []
        found = [
            min(reading_scores(each.response, steps), default=np.nan)
            for each, steps in zip(attempts, scores, strict=True)
        ]
        return np.array(found, np.float32)


def reading_scores(response: str, scores: Steps) -> list[float]:
    r"""The scores of the steps that state something seen; [] if none was judged.

    >>> reading_scores("red is 3\n3 + 5 = 8\nAnswer: 8", np.array([0.5, 0.25, 1.0], np.float32))
    [0.5]
    """
    seen = ["=" not in step for step in steps_of(response)[:-1]]
    return [float(score) for score, reads in zip(scores, seen, strict=False) if reads]


def steps_of(response: str) -> list[str]:
    r"""The steps of a response: its non-empty lines.

    >>> steps_of("red: 3\n\nAnswer: 3")
    ['red: 3', 'Answer: 3']
    """
    return [line.strip() for line in response.splitlines() if line.strip()]


def first_error(steps: Steps, threshold: float = 0.5) -> int | None:
    """The index of the first step scored below the threshold; None if there is none.

    >>> first_error(np.array([0.9, 0.2, 0.8], np.float32))
    1
    """
    low = np.flatnonzero(steps < threshold)
    return int(low[0]) if len(low) else None
