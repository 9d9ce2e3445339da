"""A curriculum over kinds of problems: more of those that the policy solves about half the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.explore.data_mix import Mixing
from mstar.agents.types import Rollout, SamplingPlan
from mstar.envs.problem import Problem
from mstar.envs.task import Task

FLOOR = 0.3  # of an equal share: what every kind keeps
MEMORY = 0.5  # weight of what was counted before, a round later
SEARCH = 100  # problems that are looked at for each that is drawn, at most


class Curriculum(Mixing):
    """Shares of the kinds of problems in proportion to p (1 - p), p the solve rate of each.

    A kind is a family at a level, or a topic of a data set. p (1 - p) is the variance of a right
    or wrong answer: 0 where a kind is always or never solved, largest at a solve rate of 0.5. It
    bounds the expected improvement of a policy from below (Bae et al. 2025, arXiv 2504.03380), and
    Foster et al. 2025 (arXiv 2502.12272) train on the questions in which it is largest; that it is
    taken for kinds, as a share, is ours. So shares leave what has been learned and move on to what
    is next.

    The rate is that of the training responses, before any selection, with counts that are halved
    every round, so that it follows the policy, and one right and one wrong response before the
    first. Every kind keeps a floor of its equal share: it is measured again every round, and comes
    back if it is forgotten. A kind that was never drawn is drawn once as soon as it comes.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self._counts: dict[str, tuple[float, float]] = {}  # right and all responses of each kind

    @property
    def rates(self) -> dict[str, float]:
        """The estimated solve rate of each kind, in (0, 1)."""
        return {kind: (right + 1) / (all + 2) for kind, (right, all) in self._counts.items()}

    def draw(self, task: Task, count: int, plan: SamplingPlan) -> list[Problem]:
        """The next problems by the present shares; those in between are passed over.

        Where a kind has too few problems, others take its place.
        """
        wanted = apportioned(shares(self.rates), count)
        found: list[Problem] = []
        left = SEARCH * count
        while wanted and len(found) < count and left > 0:
            left -= count - len(found)
            for problem in task.draw(count - len(found)):
                if wanted.setdefault(kind := kind_of(problem), 1):
                    wanted[kind] -= 1
                    found.append(problem)
        return [*found, *task.draw(count - len(found))]

    def observe(
        self, rollouts: Sequence[Rollout], rank: str, training: Sequence[Rollout] = ()
    ) -> None:
        """Count the right training responses of each kind."""
        found: dict[str, list[bool]] = {}
        for rollout in training:
            score = rollout.scores["correctness"]
            if not rollout.extra and score == score:  # NaN where there is no label
                found.setdefault(kind_of(rollout.problem), []).append(score == 1.0)
        for kind in {**self._counts, **found}:
            right, all = self._counts.get(kind, (0.0, 0.0))
            new = found.get(kind, [])
            self._counts[kind] = (MEMORY * right + sum(new), MEMORY * all + len(new))

    def note(self) -> str:
        """The share and the solve rate of each kind."""
        rates = self.rates
        parts = [
            f"{kind} {100 * share:.0f} % (solved {100 * rates[kind]:.0f} %)"
            for kind, share in shares(rates).items()
        ]
        return f"next problems: {', '.join(parts)}" if parts else ""

    def state(self) -> dict[str, Any]:
        """The counts of each kind."""
        return {"kinds": {kind: list(counts) for kind, counts in self._counts.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume with the counts."""
        self._counts = {kind: (right, all) for kind, (right, all) in state["kinds"].items()}


def shares(rates: Mapping[str, float]) -> dict[str, float]:
    """The share of each kind, which add up to 1; {} without any.

    >>> shares({"easy": 0.9, "fitting": 0.5, "hard": 0.1})
    {'easy': 0.2465, 'fitting': 0.507, 'hard': 0.2465}
    """
    weights = {kind: rate * (1 - rate) for kind, rate in rates.items()}
    total = sum(weights.values())
    return {
        kind: round(FLOOR / len(rates) + (1 - FLOOR) * weight / total, 4)
        for kind, weight in weights.items()
    }


def apportioned(parts: Mapping[str, float], count: int) -> dict[str, int]:
    """How many of `count` each part gets, rounded by largest remainders; {} without parts.

    >>> apportioned({"a": 0.5, "b": 0.3, "c": 0.2}, 4)
    {'a': 2, 'b': 1, 'c': 1}
    """
    whole = {name: int(share * count) for name, share in parts.items()}
    by_rest = sorted(parts, key=lambda name: whole[name] - parts[name] * count)
    for name in by_rest[: count - sum(whole.values())]:
        whole[name] += 1
    return whole


def kind_of(problem: Problem) -> str:
    """A family at a level, or the topic of a problem of a data set.

    >>> kind_of(Problem("", (), "", None, tags={"family": "Dice", "level": "2"}))
    'Dice 2'
    """
    level = problem.tags.get("level", problem.template)
    return " ".join(filter(None, [problem.tags.get("family", ""), level]))
