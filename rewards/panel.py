"""Several reward models look at the same attempts; a rule makes one reward of their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt, RewardModel, Scores
from mstar.rewards.rules import weighted_sum

Rule = Callable[["ScoreTable", Mapping[str, float]], Scores]


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """What a panel says of N attempts.

    Attributes:
        names: the K reward models, in the panel's order.
        scores: (N, K) float32 in [0, 1], NaN where a model abstained.
        groups: (N,) id of the problem that each attempt answers.
        reward: (N,) float32, the combined reward; NaN where the rule had nothing to go by.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    groups: tuple[str, ...]
    reward: Scores = field(default_factory=lambda: np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, name: str) -> Scores:
        """The (N,) column of one reward model."""
        if name not in self.names:
            raise KeyError(f"no reward model {name!r} in this panel; it has {list(self.names)}")
        return self.scores[:, self.names.index(name)]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(N, K) bool: False where a model abstained."""
        return ~np.isnan(self.scores)


class RewardPanel:
    """Reward models with weights and the rule that combines them.

    Args:
        models: one or more reward models with names of their own.
        weights: weight by name, >= 0; a model that is not named weighs 1.
        rule: a pure function of the score table, from ``mstar.rewards.rules``.

    Raises:
        ValueError: two models share a name, a weight names no model, or a weight is negative.
    """

    def __init__(
        self,
        models: Sequence[RewardModel],
        weights: Mapping[str, float] | None = None,
        rule: Rule = weighted_sum,
    ) -> None:
        names = tuple(model.name for model in models)
        weights = dict(weights or {})
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a panel needs reward models with distinct names, got {list(names)}")
        if unknown := set(weights) - set(names):
            raise ValueError(f"weights name no reward model: {sorted(unknown)}; known: {names}")
        if bad := {name: w for name, w in weights.items() if not 0 <= w < float("inf")}:
            raise ValueError(f"weights must be finite and >= 0, got {bad}")
        self.models = tuple(models)
        self.names = names
        self.weights = {name: float(weights.get(name, 1.0)) for name in names}
        self.rule = rule

    def score(self, attempts: Sequence[Attempt]) -> ScoreTable:
        """Ask every model about every attempt and combine; N attempts in, N rows out."""
        columns = [_checked(model, attempts) for model in self.models]
        scores = np.stack(columns, axis=1) if attempts else np.zeros((0, len(columns)), np.float32)
        return self.combine(
            ScoreTable(self.names, scores.astype(np.float32), tuple(a.group for a in attempts))
        )

    def combine(self, table: ScoreTable) -> ScoreTable:
        """The same table with its reward made anew by this panel's rule and weights."""
        return replace(table, reward=self.rule(table, self.weights).astype(np.float32))


def _checked(model: RewardModel, attempts: Sequence[Attempt]) -> Scores:
    column = np.asarray(model.score(attempts), dtype=np.float32)
    if column.shape != (len(attempts),):
        raise ValueError(
            f"reward model {model.name!r} returned shape {column.shape} for {len(attempts)} "
            "attempts; it must return one score per attempt"
        )
    outside = (column < 0) | (column > 1)
    if outside.any():
        raise ValueError(
            f"reward model {model.name!r} returned {column[outside][0]}; scores lie in [0, 1], "
            "and NaN stands for an abstention"
        )
    return column
