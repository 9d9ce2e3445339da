"""A process reward: every step of a response is judged, and the weakest one counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, Scores

Steps = NDArray[np.float32]  # (S,) in [0, 1], one per step of a response
StepScorer = Callable[[Sequence[Attempt]], list[Steps]]


class ProcessReward:
    """The lowest step score of a response.

    M-STaR ranks the right answers of a problem by it (Liu et al. 2024, arXiv 2412.17451, section
    on the reward model); the minimum over steps is that of Lightman et al. 2023 (arXiv
    2305.20050). Abstains on a response without a step. Meant for use among right answers, as with
    the rule ``outcome_anchor`` or as the rank of a selection: alone it can be gamed by a response
    that says nothing wrong and little.

    Args:
        step_scores: the judge, such as ``StepJudge.scores``.
        name: of the column.
    """

    def __init__(self, step_scores: StepScorer, name: str = "process") -> None:
        self._step_scores, self.name = step_scores, name

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """The minimum over the steps of each response; (N,) float32 in [0, 1] or NaN."""
        found = self._step_scores(attempts) if attempts else []
        return np.array([steps.min() if len(steps) else np.nan for steps in found], np.float32)


def steps_of(response: str) -> list[str]:
    r"""The steps of a response: its lines that hold anything.

    >>> steps_of("red: 3\n\nAnswer: 3")
    ['red: 3', 'Answer: 3']
    """
    return [line.strip() for line in response.splitlines() if line.strip()]


def first_error(steps: Steps, threshold: float = 0.5) -> int | None:
    """The first step scored below the threshold; None where all hold.

    >>> first_error(np.array([0.9, 0.2, 0.8], np.float32))
    1
    """
    low = np.flatnonzero(steps < threshold)
    return int(low[0]) if len(low) else None


def largest_drop(steps: Steps) -> tuple[int, float] | None:
    """Where the score falls most from one step to the next, and by how much; None if it never does.

    A fall marks the step where a solution goes off, whatever the level of the scores.

    >>> place, fall = largest_drop(np.array([0.9, 0.8, 0.1], np.float32))
    >>> place, round(fall, 2)
    (2, 0.7)
    """
    falls = -np.diff(steps)
    if not len(falls) or falls.max() <= 0:
        return None
    return int(falls.argmax()) + 1, float(falls.max())
