"""Runs that are killed at a chosen place, and everything that two equal runs must agree on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file

from mstar.agents import self_evolving
from mstar.agents.config import Recipe
from mstar.agents.monitor import evaluation
from mstar.experiments.run import run_folder
from mstar.experiments.run import train as training
from mstar.experiments.run.canary_check import CanaryCheck
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.run_folder import RunFolder, read_rollouts

Result = dict[str, Any]
Arm = Callable[[pytest.MonkeyPatch, int, int], None]


class Killed(BaseException):
    """Stands for a process that ends where it is raised."""


def run(recipe: Recipe, out: Path, console: Console | None = None) -> RunFolder:
    """Train, without the canaries at the start, and the test and the report at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "check_run", lambda *_: CanaryCheck(0, {}, (), (), False))
        patch.setattr(training, "test_run", lambda *_: None)
        patch.setattr(training, "write_report", lambda *_: None)
        return training.train(recipe, out, console or Console(quiet=True))


def kill(recipe: Recipe, out: Path, arm: Arm, number: int) -> None:
    """Start a run, or go on with one, and kill it at a place of round `number`."""
    rows = len(RunFolder(out).rounds())
    with pytest.MonkeyPatch.context() as patch:
        arm(patch, number, rows)
        with pytest.raises(Killed):
            run(recipe, out)


@cache
def unbroken(recipe: Recipe) -> Result:
    """What a run of a recipe comes to when nobody kills it; the same for all who ask."""
    with TemporaryDirectory() as folder:
        return came_to(run(recipe, Path(folder) / "run"))


def came_to(folder: RunFolder) -> Result:
    """Rows, rollouts and last weights, without what clock and path decide."""
    rows = folder.rounds()
    for row in rows:
        del row["seconds"], row["memory"]
        row.pop("files", None)  # some name their folder
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


# The places. Each takes the round, and how many rows there are when the process starts: it then
# begins with round number `rows`, where round 0 is the base, which is not trained.


def after_sampling(patch: pytest.MonkeyPatch, number: int, rows: int = 0) -> None:
    raise_at(patch, self_evolving, "select", number + 1 - max(1, rows))


def after_fine_tuning(patch: pytest.MonkeyPatch, number: int, rows: int = 0) -> None:
    raise_at(patch, evaluation, "measure", number + 1 - rows)


def in_the_middle_of_the_commit(patch: pytest.MonkeyPatch, number: int, rows: int = 0) -> None:
    raise_at(patch, run_folder, "describe", number + 1 - rows)


def before_the_rename(patch: pytest.MonkeyPatch, number: int, _: int = 0) -> None:
    plain = Path.replace

    def replace_file(path: Path, target: Path) -> Path:
        if Path(target).name == "rounds.jsonl" and len(path.read_text().splitlines()) == number + 1:
            raise Killed
        return plain(path, target)

    patch.setattr(Path, "replace", replace_file)


def after_the_commit(patch: pytest.MonkeyPatch, number: int, rows: int = 0) -> None:
    raise_at(patch, Progress, "finished", number + 1 - rows)


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
