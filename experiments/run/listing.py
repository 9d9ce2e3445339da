"""The runs below a folder, each in one row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mstar.experiments.rows import Row
from mstar.experiments.run.lock import in_use
from mstar.experiments.run.run_folder import RunFolder

State = Literal["finished", "running", "stopped", "unreadable"]


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run.

    Attributes:
        path: its folder.
        state: ``finished``, tested and all; ``running``, as its lock tells; ``stopped`` before its
            end, by whatever; or ``unreadable``: of another version, or damaged.
        agent: the learning algorithm.
        round: the last that is finished; -1 before the base was evaluated.
        rounds: the most there are.
        base: greedy accuracy of the base on validation problems; None where it is not known.
        greedy: that of the policy now.
        changed: seconds since 1970, when a file of it was last written.
    """

    path: str
    state: State
    agent: str
    round: int
    rounds: int
    base: float | None
    greedy: float | None
    changed: float


def list_runs(folder: Path) -> list[ListedRun]:
    """All runs below a folder, the one that changed last first.

    Raises:
        ValueError: there is no such folder, or no run in it.
    """
    found = [_listed(RunFolder(path.parent)) for path in folder.rglob("recipe.json")]
    if not found:
        raise ValueError(f"there are no runs in {folder}; give the folder that holds them")
    return sorted(found, key=lambda run: run.changed, reverse=True)


def _listed(run: RunFolder) -> ListedRun:
    changed = max(
        path.stat().st_mtime for path in run.path.iterdir() if path.suffix in (".json", ".jsonl")
    )
    try:
        recipe, rows = run.recipe(), run.rounds()
    except (ValueError, KeyError, json.JSONDecodeError):
        return ListedRun(str(run.path), "unreadable", "–", -1, 0, None, None, changed)
    return ListedRun(
        str(run.path),
        _state(run),
        recipe.run.agent,
        rows[-1]["number"] if rows else -1,
        recipe.run.rounds,
        _greedy(rows[0]) if rows else None,
        _greedy(rows[-1]) if rows else None,
        changed,
    )


def _state(run: RunFolder) -> State:
    if in_use(run.path):
        return "running"
    return "finished" if (run.path / "evaluation.jsonl").exists() else "stopped"


def _greedy(row: Row) -> float | None:
    found: float | None = row["dynamics"]["greedy"]
    return found
