"""Score the stored responses of a run with another panel, and select anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import check_names, reward_models
from mstar.agents.pseudo_labels import pseudo_labelled
from mstar.agents.registry import did_you_mean, unknown
from mstar.agents.rollout import score_table
from mstar.agents.seeds import mix
from mstar.agents.selection import select
from mstar.agents.types import Rollout
from mstar.experiments.evaluation.rescore_options import RescoreOptions
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder, read_rollouts
from mstar.experiments.run.stored_rollouts import attempt_of, rollouts_of
from mstar.experiments.run.train import prepare_torch
from mstar.rewards.base import Rule, ScoreTable
from mstar.rewards.panel import RewardPanel, rescore
from mstar.rewards.registry import REWARDS
from mstar.rewards.rules import RULES

# The parameters of rules beyond table and weights, by the option that sets them.
TOLD: dict[str, dict[str, str]] = {
    "gated": {"gate": "gate"},
    "mean_minus_std": {"penalty": "penalty"},
    "normalise_then_sum": {"dead_band": "dead_band"},
    "outcome_anchor": {"gate": "outcome", "dead_band": "dead_band"},
}


@dataclass(frozen=True)
class Rescored:
    """A round under the other panel.

    Attributes:
        round: its number.
        means: of each score; None if all are abstentions.
        reward: mean of the combined reward.
        before: mean of the stored reward.
        selected: number of responses that the run selected.
        dropped: number of those that would not be selected now.
        added: number of other responses that would be selected now.
    """

    round: int
    means: dict[str, float | None]
    reward: float | None
    before: float | None
    selected: int
    dropped: int
    added: int


@dataclass(frozen=True)
class Summary:
    """The result of rescoring a run; the table of all responses is in a file.

    Attributes:
        rounds: one entry per round.
        table: the file.
    """

    rounds: tuple[Rescored, ...]
    table: Path

    def text(self) -> str:
        """One line per round, and one about all rounds."""
        lines = []
        for r in self.rounds:
            means = "  ".join(f"{name} {_shown(mean)}" for name, mean in r.means.items())
            lines.append(
                f"round-{r.round:04d}  {means}  reward {_shown(r.reward)} (was "
                f"{_shown(r.before)})  {r.dropped} of {r.selected} selected would go, "
                f"{r.added} would come"
            )
        selected, dropped, added = (
            sum(getattr(r, name) for r in self.rounds) for name in ("selected", "dropped", "added")
        )
        changed = f"in all, {dropped} of {selected} selections would go and {added} would come"
        return "\n".join([*lines, changed, f"table: {self.table}"])

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"rounds": [asdict(r) for r in self.rounds], "table": str(self.table)}


def rescore_run(options: RescoreOptions) -> Summary:
    """Score, combine and select anew, round by round; writes the table and its summary.

    Raises:
        ValueError: an unknown reward model or rule, weights that don't fit, a parameter that the
            rule does not have, or a gate or rank that is neither stored nor in the panel.
        FileNotFoundError: not a run folder.
    """
    check_names(options.panel)
    if options.rule not in RULES:
        raise ValueError(f"no rule {options.rule!r}; known: {', '.join(RULES)}")
    folder = RunFolder(options.run)
    recipe = folder.recipe()
    prepare_torch(recipe.run.threads)  # a judge may load a model
    rule = rule_of(options, recipe.selection.gate)
    panel = RewardPanel(
        reward_models(options.panel, recipe), _weights(options), rule, recipe.rewards.unfinished
    )
    task = open_task(recipe, "train", panel=panel)
    plans = {row["number"]: row["plan"] for row in folder.rounds()}
    out = options.out or options.run / "rescored.parquet"
    rounds, tables = [], []
    for path in sorted((options.run / "rollouts").glob("*.parquet")):
        number = int(path.stem.rpartition("-")[2])
        rows = read_rollouts(path)
        stored = rollouts_of(rows, task)
        gate = options.gate or recipe.selection.gate
        _check_names_of_scores(options, gate, [*stored[0].scores, *panel.names])
        attempts = [attempt_of(row, rollout) for row, rollout in zip(rows, stored, strict=True)]
        table = rescore(score_table(stored), attempts, panel, options.again)
        kept = _selected(stored, table, options, recipe, plans[number], number, panel.required)
        rounds.append(_summed(number, rows, table, kept))
        tables.append(_as_table(number, rows, table, kept))
    pq.write_table(pa.concat_tables(tables), out)
    summary = Summary(tuple(rounds), out)
    write_rows(out.with_suffix(".json"), [summary.as_json()])
    return summary


def _check_names_of_scores(options: RescoreOptions, gate: str, scores: Sequence[str]) -> None:
    """Raise ValueError if gate or rank is neither a stored score nor one of the panel."""
    for name, known in ((gate, scores), (options.rank, ["reward", *scores])):
        if name not in known:
            message = unknown("score", name, list(dict.fromkeys(known)))
            others = did_you_mean(name, [each for each in REWARDS if each not in known])
            raise ValueError(message + (others and f". --panel can name others{others}"))
    if "gate" in TOLD.get(options.rule, {}) and gate not in options.panel:
        raise ValueError(
            f"the rule {options.rule!r} needs the score {gate!r}, and the panel is "
            f"{options.panel}; add it to --panel, or give another --gate"
        )


def rule_of(options: RescoreOptions, gate: str) -> Rule:
    """The rule with the parameters that the options set; `gate` is the default for its gate.

    Raises:
        ValueError: an option sets a parameter that the rule does not have.
    """
    takes = TOLD.get(options.rule, {})
    given = {"penalty": options.penalty, "dead_band": options.dead_band}
    told = {name: value for name, value in given.items() if value is not None}
    if foreign := sorted(set(told) - set(takes)):
        fitting = [rule for rule, names in TOLD.items() if set(foreign) <= set(names)]
        raise ValueError(
            f"the rule {options.rule!r} takes no {', '.join(foreign)}; that is for "
            f"{' and '.join(fitting)}"
        )
    keywords: dict[str, Any] = {takes[name]: value for name, value in told.items()}
    if "gate" in takes:
        keywords[takes["gate"]] = options.gate or gate
    return partial(RULES[options.rule], **keywords)


def _weights(options: RescoreOptions) -> dict[str, float]:
    if options.weights and len(options.weights) != len(options.panel):
        raise ValueError(
            f"{len(options.weights)} weights are given for the panel {options.panel}; give one for "
            "each, in its order"
        )
    return dict(zip(options.panel, options.weights, strict=False))


def _selected(
    stored: Sequence[Rollout],
    table: ScoreTable,
    options: RescoreOptions,
    recipe: Recipe,
    plan: Row,
    number: int,
    required: Sequence[str],
) -> set[int]:
    """The selection by the new scores; scores that the panel lacks are taken as stored."""
    judged = [
        replace(
            rollout,
            scores={**rollout.scores, **dict(zip(table.names, map(float, scores), strict=True))},
            reward=float(reward),
        )
        for rollout, scores, reward in zip(stored, table.scores, table.reward, strict=True)
    ]
    chosen = select(
        pseudo_labelled(judged, recipe.mixing.vote, options.rank),
        options.selection or recipe.selection.rule,
        plan["keep"],
        plan["threshold"] if options.threshold is None else options.threshold,
        seed=mix(recipe.run.seed, number, 1),
        gate=options.gate or recipe.selection.gate,
        rank=options.rank,
        required=required,
    )
    return set(chosen.kept)


def _summed(number: int, rows: Sequence[Row], table: ScoreTable, kept: set[int]) -> Rescored:
    before = {i for i, row in enumerate(rows) if row["kept"]}
    return Rescored(
        number,
        {name: _mean(table[name]) for name in table.names},
        _mean(table.reward),
        _mean(np.array([row["reward"] for row in rows], np.float64)),
        len(before),
        len(before - kept),
        len(kept - before),
    )


def _as_table(number: int, rows: Sequence[Row], table: ScoreTable, kept: set[int]) -> pa.Table:
    columns: dict[str, Any] = {
        "round": [number] * len(rows),
        "problem": [row["problem"] for row in rows],
        "response": [row["response"] for row in rows],
        "reward_before": [row["reward"] for row in rows],
        "reward": table.reward,
        "kept_before": [row["kept"] for row in rows],
        "kept": [i in kept for i in range(len(rows))],
    }
    return pa.table({**columns, **{f"score/{name}": table[name] for name in table.names}})


def _mean(scores: NDArray[Any]) -> float | None:
    """The mean of the scores that are not abstentions; None if all are."""
    given = scores[~np.isnan(scores)]
    return float(given.mean()) if len(given) else None


def _shown(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.3f}"
