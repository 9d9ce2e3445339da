"""Stored scores, combined or completed anew without sampling again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mstar.rewards.base import Attempt
from mstar.rewards.panel import RewardPanel, Rule, ScoreTable
from mstar.rewards.rules import weighted_sum


def recombine(
    stored: ScoreTable, weights: Mapping[str, float], rule: Rule = weighted_sum
) -> ScoreTable:
    """The stored columns that `weights` names, under another rule; no reward model is needed.

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
    """The panel's table for stored attempts: stored columns are kept, missing ones are scored.

    Args:
        stored: the table as it was written.
        attempts: the N attempts that it speaks of, in its order.
        panel: what to score and combine with now.
        again: stored columns to score anew, for a reward model that has changed.

    Raises:
        ValueError: as many attempts as rows are needed, and `again` must name models of the panel.
    """
    if len(attempts) != len(stored):
        raise ValueError(f"the table has {len(stored)} rows, but {len(attempts)} attempts came")
    if unknown := set(again) - set(panel.names):
        raise ValueError(f"no such reward models to score again: {sorted(unknown)}")
    kept = set(stored.names) - set(again)
    missing = [model for model in panel.models if model.name not in kept]
    fresh = RewardPanel(missing).score(attempts) if missing else stored
    columns = [stored[name] if name in kept else fresh[name] for name in panel.names]
    return panel.combine(
        ScoreTable(panel.names, np.stack(columns, axis=1), tuple(a.group for a in attempts))
    )
