"""The options of ``mstar rescore``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from mstar.agents.config import Recipe
from mstar.agents.settings import SelectionRule


@dataclass(frozen=True)
class RescoreOptions:
    """Judge the stored responses of a run again, without sampling, and select again.

    Attributes:
        run: the run's folder.
        panel: names of reward models; scores that the run has stored are reused.
        weights: of the panel, in its order; 1 each if none are given.
        rule: how the scores are combined: ``weighted_sum``, ``gated``, ``minimum``,
            ``second_lowest``, ``mean_minus_std``, ``normalise_then_sum`` or ``outcome_anchor``.
        gate: the score that must be 1 for a response to be selected, also the gate or outcome of
            the rule; by default that of the run.
        penalty: number of standard deviations that ``mean_minus_std`` subtracts from the mean.
        dead_band: standard deviation within a group up to which ``normalise_then_sum`` and
            ``outcome_anchor`` treat a score as constant.
        rank: the score that ranks in the new selection; ``reward`` is the combined one.
        selection: the rule of the new selection; that of the run if left out.
        threshold: smallest ranking score, for the selection ``threshold``; that of each round if
            left out.
        recipe: a file whose panel, weights, rule, gate, rank and selection are taken instead of
            these options, such as the one that `mstar panel fit` writes.
        again: stored scores to compute anew, for reward models that have changed.
        out: where the table is written, as parquet; rescored.parquet in the run's folder if left
            out. The summary stands beside it as JSON.
        json: print the summary as JSON.
    """

    run: tyro.conf.Positional[Path]
    panel: tuple[str, ...] = ("correctness", "format")
    weights: tuple[float, ...] = ()
    rule: str = "weighted_sum"
    gate: str | None = None
    penalty: float | None = None
    dead_band: float | None = None
    rank: str = "reward"
    selection: SelectionRule | None = None
    threshold: float | None = None
    recipe: Path | None = None
    again: tuple[str, ...] = ()
    out: Path | None = None
    json: bool = False


def with_recipe(options: RescoreOptions, recipe: Recipe) -> RescoreOptions:
    """The options with panel and selection of a recipe."""
    return replace(
        options,
        panel=recipe.rewards.panel,
        weights=tuple(recipe.reward_weights.values()),
        rule=recipe.reward_rule,
        gate=recipe.selection.gate,
        rank=recipe.selection.rank,
        selection=recipe.selection.rule,
        threshold=recipe.selection.threshold,
    )
