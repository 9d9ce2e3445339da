"""What a round consists of: labelled problems, unlabelled ones, and gold among the lessons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mstar.agents.explore.base import SamplingPlan

if TYPE_CHECKING:  # recipes name mixings, and the command line reads recipes without torch
    from mstar.agents.config import Recipe
    from mstar.agents.rollout import Rollout

MixingName = Literal["scheduled", "adaptive"]

TRUST = 0.8  # of the votes must be right before unlabelled problems take the place of labelled ones
STEP = 0.25  # of a round, up or down
MOST = 0.75  # of a round; some labels stay in it
Z = 1.96  # of a 95 % interval


class Mixing(Protocol):
    """Completes a round's plan; all it knows is JSON."""

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """The plan of round `number` with the mix in it."""
        ...

    def observe(self, rollouts: Sequence[Rollout], rank: str) -> None:
        """Take note of responses to the held-out problems; `rank` is what weighs their votes."""
        ...

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...


class Scheduled:
    """M-STaR's T_mixin: labelled problems only, then all as they come (arXiv 2412.17451).

    Args:
        recipe: ``mix_in`` is the share of the rounds before; ``gold`` stays what it is.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._last = (
            recipe.mixing.unlabelled_start * recipe.run.rounds if recipe.mixing.unlabelled else 0.0
        )
        self._gold = recipe.mixing.worked_examples

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """No unlabelled problem up to the last labelled round."""
        return replace(plan, unlabelled=0.0 if number <= self._last else None, gold=self._gold)

    def observe(self, rollouts: Sequence[Rollout], rank: str) -> None:
        """Nothing moves it."""

    def state(self) -> dict[str, Any]:
        """Nothing: the recipe says it all."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


class Adaptive:
    """As many unlabelled problems as the vote deserves, and as much gold as there are gaps.

    The held-out problems are voted on as if they had no label. Once the vote is surely right often
    enough, a step more of the next round is unlabelled, and a step less once it surely is not; in
    between nothing moves. Sure is what the Wilson interval (Wilson 1927) says. So learning begins
    with labels, as with T_mixin, but the vote decides when it ends. Problems that were learned from
    would not do: votes on them are right by memory.

    Worked solutions stand in for what the policy cannot solve: their share is that of the held-out
    problems without any right response, and no more than the recipe's.

    Args:
        recipe: ``gold`` is the greatest share; without ``unlabelled`` problems only gold moves.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._vote = recipe.mixing.vote
        self._most_gold = self._gold = recipe.mixing.worked_examples
        self._unlabelled = 0.0 if recipe.mixing.unlabelled else None

    def plan(self, number: int, plan: SamplingPlan) -> SamplingPlan:
        """The present mix."""
        return replace(plan, unlabelled=self._unlabelled, gold=self._gold)

    def observe(self, rollouts: Sequence[Rollout], rank: str) -> None:
        """Move a step where the vote is surely better or worse than wanted."""
        from mstar.agents.pseudo_labels import labelled

        seen = labelled(rollouts, self._vote, rank)
        if seen.problems:
            gaps = 1 - seen.solved / seen.problems
            self._gold = round(min(self._most_gold, gaps), 6)
        if self._unlabelled is None or not seen.voted:
            return
        low, high = wilson(seen.right, seen.voted)
        if low >= TRUST:
            self._unlabelled = min(MOST, self._unlabelled + STEP)
        elif high < TRUST:
            self._unlabelled = max(0.0, self._unlabelled - STEP)

    def state(self) -> dict[str, Any]:
        """The present shares."""
        return {"unlabelled": self._unlabelled, "gold": self._gold}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the shares."""
        self._unlabelled, self._gold = state["unlabelled"], float(state["gold"])


MIXINGS: dict[MixingName, Callable[[Recipe], Mixing]] = {
    "scheduled": Scheduled,
    "adaptive": Adaptive,
}


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (J. Am. Stat. Assoc. 22, 1927), count > 0.

    >>> [round(bound, 3) for bound in wilson(90, 100)]
    [0.826, 0.945]
    """
    share, weight = right / count, Z**2 / count
    middle = share + weight / 2
    reach = Z * sqrt(share * (1 - share) / count + weight / (4 * count))
    return (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
