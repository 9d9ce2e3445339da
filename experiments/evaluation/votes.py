"""How often a vote on a run's stored responses would have been right, had there been no labels.

python -m mstar.experiments.evaluation.votes RUN... [--out FILE]; votes are weighted as in the run
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.pseudo_labels import elect
from mstar.agents.rollout import by_problem
from mstar.agents.types import Rollout
from mstar.envs.variants.unlabelled import is_right
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder, read_rollouts
from mstar.experiments.run.stored_rollouts import rollouts_of
from mstar.experiments.stats import estimate
from mstar.rewards.pseudo_labels import VoteName

WITHOUT_JUDGE: tuple[VoteName, ...] = ("vote", "guarded", "agreement")  # whose scores few runs have


@dataclass(frozen=True, slots=True)
class VotesOptions:
    """What is voted on.

    Attributes:
        runs: folders of runs.
        out: a JSONL file for a row a problem.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path | None = None


def voted(folder: Path) -> list[Row]:
    """A row for each round, problem and vote of a run.

    Returns:
        ``run``, ``round``, ``problem`` and ``vote``; ``right``, the share of the responses that
        are; and ``accuracy``, that of the responses that pass the vote, None where none does.
    """
    recipe = RunFolder(folder).recipe()
    task = open_task(recipe, "train")
    rows: list[Row] = []
    for path in sorted((folder / "rollouts").glob("*.parquet")):
        rollouts = rollouts_of(read_rollouts(path), task)
        for problem, members in by_problem(rollouts).items():
            group = [rollouts[i] for i in members]
            for vote in WITHOUT_JUDGE:
                found = vote_on(group, vote, recipe.selection.rank)
                where = {"run": str(folder), "round": int(path.stem[-4:]), "problem": problem}
                rows.append({**where, "vote": vote, **asdict(found)})
    return rows


@dataclass(frozen=True, slots=True)
class Voted:
    """A vote on the responses to one problem; see ``voted``."""

    right: float
    accuracy: float | None


def vote_on(group: Sequence[Rollout], vote: VoteName, rank: str) -> Voted:
    """Whether the responses that pass a vote are right, by the answer that the vote is not shown.

    Args:
        group: all responses to one problem.
        vote: which.
        rank: the score that weights the votes.
    """
    right = np.array([is_right(each.problem, each.judged) is True for each in group])
    passed = elect(group, vote, rank) == 1.0
    return Voted(float(right.mean()), float(right[passed].mean()) if passed.any() else None)


def votes_table(rows: Sequence[Row]) -> str:
    """Right responses, and for each vote how many problems get a label and how good it is."""
    lines = []
    for number in sorted({row["round"] for row in rows}):
        by_vote = [_of(rows, number, vote) for vote in WITHOUT_JUDGE]
        cells = [_cell(by_vote[0], "right")]
        for own in by_vote:
            labelled = [row for row in own if row["accuracy"] is not None]
            cells.append(f"{100 * len(labelled) / len(own):.0f}")
            cells.append(_cell(labelled, "accuracy") if labelled else "–")
        lines.append(f"| {number} | {' | '.join(cells)} | {len(by_vote[0])} |")
    heads = " | ".join(f"{vote}: labelled, % | right, %" for vote in WITHOUT_JUDGE)
    return table(f"| round | right responses, % | {heads} | problems |", lines)


def _of(rows: Sequence[Row], number: int, vote: VoteName) -> list[Row]:
    return [row for row in rows if (row["round"], row["vote"]) == (number, vote)]


def _cell(rows: Sequence[Row], name: str) -> str:
    runs = dict.fromkeys(row["run"] for row in rows)
    values = [np.array([row[name] for row in rows if row["run"] == run]) for run in runs]
    return percent(estimate(values))


if __name__ == "__main__":
    options = tyro.cli(VotesOptions, description=__doc__)
    found = [row for folder in options.runs for row in voted(folder)]
    if options.out:
        write_rows(options.out, found)
    Console().print(votes_table(found), soft_wrap=True)
