"""Runs that are killed at a chosen place, and everything that two equal runs must agree on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file

from mstar.agents import self_evolving
from mstar.agents.config import Recipe
from mstar.agents.monitor import evaluation
from mstar.experiments.run import run_folder
from mstar.experiments.run import train as training
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.run_folder import RunFolder, read_rollouts

Result = dict[str, Any]
Arm = Callable[[pytest.MonkeyPatch, int], None]


class Killed(BaseException):
    """Stands for a process that ends where it is raised."""


def run(recipe: Recipe, out: Path, console: Console | None = None) -> RunFolder:
    """Train, without the test and the report at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "test_run", lambda *_: None)
        patch.setattr(training, "write_report", lambda *_: None)
        return training.train(recipe, out, console or Console(quiet=True))


def came_to(folder: RunFolder) -> Result:
    """Rows, rollouts and last weights, without what the clock decides."""
    rows = folder.rounds()
    for row in rows:
        del row["seconds"]
        for cost in (row["cost"], row["state"]["cost"]):
            del cost["seconds"], cost["measured_seconds"]
    newest = folder.newest_checkpoint()
    assert newest is not None
    (weights,) = newest.glob("*model.safetensors")
    files = sorted((folder.path / "rollouts").iterdir())
    return {
        "rows": rows,
        "rollouts": {path.name: repr(read_rollouts(path)) for path in files},
        "weights": {name: weight.numpy().tobytes() for name, weight in load_file(weights).items()},
        "folder": sorted(p.name for p in (folder.path / "checkpoints").iterdir()),
    }


def after_sampling(patch: pytest.MonkeyPatch, number: int) -> None:
    raise_at(patch, self_evolving, "select", number)


def after_fine_tuning(patch: pytest.MonkeyPatch, number: int) -> None:
    raise_at(patch, evaluation, "measure", number + 1)  # the base is evaluated too


def in_the_middle_of_the_commit(patch: pytest.MonkeyPatch, number: int) -> None:
    raise_at(patch, run_folder, "describe", number + 1)


def before_the_rename(patch: pytest.MonkeyPatch, number: int) -> None:
    plain = Path.replace

    def replace_file(path: Path, target: Path) -> Path:
        if Path(target).name == "rounds.jsonl" and len(path.read_text().splitlines()) == number + 1:
            raise Killed
        return plain(path, target)

    patch.setattr(Path, "replace", replace_file)


def after_the_commit(patch: pytest.MonkeyPatch, number: int) -> None:
    raise_at(patch, Progress, "finished", number + 1)


def raise_at(patch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Let call number `call` of a function be the end of the process."""
    plain = getattr(owner, name)
    calls = []

    def counted(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return plain(*given, **named)

    patch.setattr(owner, name, counted)
