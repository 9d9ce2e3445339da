"""Which problems a round draws: labelled or not, and the share of worked examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.pseudo_labels import draw_problems, vote_record
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem
from mstar.envs.task import Task

TRUST = (
    0.8  # share of the votes that must be right before unlabelled problems replace labelled ones
)
STEP = 0.25  # of a round, up or down
MOST = 0.75  # of a round; some labels stay in it
Z = 1.96  # of a 95 % interval


class Mixing:
    """Adds to a round's plan the shares of unlabelled problems and of worked examples.

    Args:
        recipe: all settings.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """The plan of round `number` with the shares in it."""
        return plan

    def draw(self, task: Task, count: int, plan: SamplingPlan) -> list[Problem]:
        """The next `count` problems of a round; fewer where the task has too few of a kind."""
        return draw_problems(task, count, plan.unlabelled)

    def observe(
        self, rollouts: Sequence[Rollout], rank: str, training: Sequence[Rollout] = ()
    ) -> None:
        """Take the rollouts of a round into account.

        Args:
            rollouts: of the validation problems.
            rank: the score that votes are weighted by.
            training: of the problems that the round learned from.
        """

    def note(self) -> str:
        """What the next round will draw, in one line for a person; "" for nothing to say."""
        return ""

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""


class Scheduled(Mixing):
    """M-STaR's T_mixin: labelled problems only, then all as they come (arXiv 2412.17451).

    The share of worked examples is the recipe's throughout.
    """

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """No unlabelled problem up to the last labelled round."""
        mixing = self._recipe.mixing
        last = mixing.unlabelled_start * self._recipe.run.rounds if mixing.unlabelled else 0.0
        unlabelled = 0.0 if number <= last else None
        return replace(plan, unlabelled=unlabelled, worked_examples=mixing.worked_examples)


class Adaptive(Mixing):
    """As many unlabelled problems as the vote is reliable, worked examples for unsolved problems.

    The validation problems are voted on as if they had no label. If the vote's accuracy is
    significantly above the required one, the unlabelled share of the next round rises by one step;
    if significantly below, it falls by one step; otherwise it stays. Significance is by the Wilson
    interval (Wilson 1927). So training begins with labels, as with T_mixin, but the vote decides
    when that ends. Votes on training problems could not be used, as the policy may have memorised
    their answers.

    Worked examples stand in for what the policy cannot solve: their share is that of the
    validation problems without any right response, up to the recipe's. Without ``unlabelled``
    problems in the recipe only this share moves.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._worked_examples = recipe.mixing.worked_examples
        self._unlabelled = 0.0 if recipe.mixing.unlabelled else None

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """The present shares."""
        return replace(plan, unlabelled=self._unlabelled, worked_examples=self._worked_examples)

    def observe(
        self, rollouts: Sequence[Rollout], rank: str, training: Sequence[Rollout] = ()
    ) -> None:
        """Move one step if the vote is significantly better or worse than required."""
        record = vote_record(rollouts, self._recipe.mixing.vote, rank)
        if record.problems:
            unsolved = 1 - record.solved / record.problems
            self._worked_examples = round(min(self._recipe.mixing.worked_examples, unsolved), 6)
        if self._unlabelled is None or not record.voted:
            return
        low, high = wilson(record.right, record.voted)
        if low >= TRUST:
            self._unlabelled = min(MOST, self._unlabelled + STEP)
        elif high < TRUST:
            self._unlabelled = max(0.0, self._unlabelled - STEP)

    def state(self) -> dict[str, Any]:
        """The present shares."""
        return {"unlabelled": self._unlabelled, "gold": self._worked_examples}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume with the shares."""
        self._unlabelled, self._worked_examples = state["unlabelled"], float(state["gold"])


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (J. Am. Stat. Assoc. 22, 1927), count > 0.

    >>> [round(bound, 3) for bound in wilson(90, 100)]
    [0.826, 0.945]
    """
    share, weight = right / count, Z**2 / count
    middle = share + weight / 2
    reach = Z * sqrt(share * (1 - share) / count + weight / (4 * count))
    return (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
