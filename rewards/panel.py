"""A panel: reward models that score the same attempts, and a rule that combines their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mstar.rewards.base import Attempt, RewardModel, Rule, Scores, ScoreTable
from mstar.rewards.rules import weighted_sum
from mstar.rewards.verifier.unfinished import Unfinished, commits_for_good


class RewardPanel:
    """Reward models with weights and the rule that combines them.

    A response that was cut off by the limit on its length is not a right response, whatever it
    says so far: unless it counts, it is scored as an empty one, and with 0 by every reward model
    that does not abstain.

    Args:
        models: one or more reward models with distinct names.
        weights: weight by name, >= 0; a model that is not named has weight 1.
        rule: a pure function of the score table, from ``mstar.rewards.rules``.
        unfinished: which responses that were cut off count: ``nothing``; ``committed``, those with
            an explicit, complete answer (see ``commits_for_good``); or ``everything``.

    Raises:
        ValueError: no models, two models with one name, a weight for a model that is not in the
            panel, or a weight that is negative or not finite.
    """

    def __init__(
        self,
        models: Sequence[RewardModel],
        weights: Mapping[str, float] | None = None,
        rule: Rule = weighted_sum,
        unfinished: Unfinished = "nothing",
    ) -> None:
        names = tuple(model.name for model in models)
        weights = dict(weights or {})
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a panel needs reward models with distinct names, got {list(names)}")
        if unknown := set(weights) - set(names):
            raise ValueError(
                f"weights name no reward model of the panel: {sorted(unknown)}; "
                f"known: {', '.join(names)}"
            )
        if bad := {name: w for name, w in weights.items() if not 0 <= w < float("inf")}:
            raise ValueError(f"weights must be finite and >= 0, got {bad}")
        self.models = tuple(models)
        self.names = names
        self.weights = {name: float(weights.get(name, 1.0)) for name in names}
        self.rule = rule
        self.unfinished: Unfinished = unfinished
        # A judge that can fail says so by this attribute; its NaN is a failure, no abstention.
        self.required = tuple(m.name for m in models if getattr(m, "required", False))

    def counts(self, attempt: Attempt) -> bool:
        """Whether an attempt is judged by what it says: if it is finished, or counts all the same.

        See `unfinished` above.
        """
        if attempt.finished or self.unfinished == "everything":
            return True
        return self.unfinished == "committed" and commits_for_good(attempt.response)

    def score(self, attempts: Sequence[Attempt]) -> ScoreTable:
        """Score N attempts with every model and combine the scores; the table has N rows.

        Raises:
            ValueError: a model returned another number of scores, or one outside [0, 1].
        """
        counted = np.array([self.counts(each) for each in attempts], np.float32)
        judged = [
            attempt if counts else replace(attempt, response="")
            for attempt, counts in zip(attempts, counted, strict=True)
        ]
        columns = [_checked(model, judged) * counted for model in self.models]  # NaN stays NaN
        scores = np.stack(columns, axis=1) if attempts else np.zeros((0, len(columns)), np.float32)
        return self.combine(
            ScoreTable(self.names, scores.astype(np.float32), tuple(a.group for a in attempts))
        )

    def combine(self, table: ScoreTable) -> ScoreTable:
        """The same table with its reward recomputed by this panel's rule and weights.

        Where a required model with a weight has no score, there is no reward: beside those of other
        responses it would be too high or too low.
        """
        reward = self.rule(table, self.weights).astype(np.float32)
        for name in self.required:
            if self.weights[name]:
                reward = np.where(np.isnan(table[name]), np.float32(np.nan), reward)
        return replace(table, reward=reward)


def recombine(
    stored: ScoreTable, weights: Mapping[str, float], rule: Rule = weighted_sum
) -> ScoreTable:
    """Combine stored columns by another rule or other weights; no reward model is needed.

    Args:
        stored: a table of scores.
        weights: weight by name; columns that are not named are dropped.
        rule: combines the rest.

    Raises:
        KeyError: a weight names no stored column.
    """
    names = tuple(weights)
    scores = np.stack([stored[name] for name in names], axis=1)
    table = replace(stored, names=names, scores=scores)
    return replace(table, reward=rule(table, weights))


def rescore(
    stored: ScoreTable,
    attempts: Sequence[Attempt],
    panel: RewardPanel,
    again: Sequence[str] = (),
) -> ScoreTable:
    """The panel's table for stored attempts; stored columns are reused, missing ones are scored.

    Args:
        stored: the stored table.
        attempts: the N attempts of the table, in its order.
        panel: the models and the rule to score and combine with now.
        again: stored columns to score again, for a reward model that has changed.

    Raises:
        ValueError: the attempts are not as many as the rows, or `again` names a model that is not
            in the panel.
    """
    if len(attempts) != len(stored):
        raise ValueError(
            f"the stored table has {len(stored)} rows, got {len(attempts)} attempts; "
            "pass one attempt per row"
        )
    if unknown := set(again) - set(panel.names):
        raise ValueError(
            f"can't score again {sorted(unknown)}: not in the panel; known: "
            f"{', '.join(panel.names)}"
        )
    reused = set(stored.names) - set(again)
    missing = [model for model in panel.models if model.name not in reused]
    fresh = RewardPanel(missing, unfinished=panel.unfinished).score(attempts) if missing else stored
    columns = [stored[name] if name in reused else fresh[name] for name in panel.names]
    return panel.combine(
        ScoreTable(panel.names, np.stack(columns, axis=1), tuple(a.group for a in attempts))
    )


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
            f"reward model {model.name!r} returned {column[outside][0]}; scores must lie in "
            "[0, 1], with NaN for an abstention"
        )
    return column
