"""Runs that are killed at random moments come to what undisturbed ones come to."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from mstar.agents.catalog import AGENTS
from mstar.agents.config import Recipe
from mstar.experiments.bench.base import Bench
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.recipes import RECIPES, recipe_for
from mstar.experiments.run.run_folder import RunFolder, read_rollouts

SMALL: dict[str, Any] = {
    "rounds": 3,
    "prompts": 8,
    "samples": 4,
    "max_new_tokens": 32,
    "updates": 2,
    "batch": 8,
    "minibatches": 2,
    "warmup": 1,
    "validation_problems": 6,
    "validation_samples": 2,
    "test": 4,
    "test_samples": 1,
    "extra_families": (),
}
MOST_KILLS = 3  # of one run


@dataclass(frozen=True, slots=True, kw_only=True)
class KillsBench(Bench):
    """Kill runs at random moments, and compare what they come to with undisturbed ones.

    Attributes:
        trials: how many runs are killed.
        out: a folder for the rows of every run, with which a stopped benchmark goes on.
    """

    trials: int = 20
    out: Path | None = None

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each kind of run."""
        return bench_kills(self.trials, self.out, say)


def kinds() -> dict[str, Recipe]:
    """The default recipe and every agent, small enough to be killed often."""
    named = {"default": RECIPES["default"], **{agent: recipe_for(agent) for agent in AGENTS}}
    return {name: recipe.replace(**SMALL) for name, recipe in named.items()}


def bench_kills(trials: int, out: Path | None, say: Callable[[str], None] = print) -> list[Row]:
    """Kill `trials` runs by SIGKILL, up to three times each, and compare what they come to.

    Each run is a process of its own. A moment is drawn evenly over the time that the undisturbed
    run took; where the run has ended before it, another one is drawn. Compared are rounds,
    responses and test, without what the clock decides.

    Args:
        trials: how many runs are killed, each kind in turn.
        out: a folder for ``kills.jsonl``, a row a trial; an existing one is gone on with.
        say: is told of every trial.

    Returns:
        A row for each kind: trials, kills, and how many came to the rows of the undisturbed run.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["mstar.experiments.run.train", "trl"])
    recipes = kinds()
    done = read_rows(out / "kills.jsonl") if out else []
    with TemporaryDirectory() as folder:
        undisturbed: dict[str, tuple[float, Row]] = {}
        for number in range(len(done), trials):
            name = list(recipes)[number % len(recipes)]
            if name not in undisturbed:
                started, whole = time.monotonic(), Path(folder) / name
                _finish(_start(server, recipes[name], whole))
                undisturbed[name] = time.monotonic() - started, came_to(whole)
            seconds, expected = undisturbed[name]
            run = Path(folder) / f"{name}-{number}"
            kills = _killed(server, recipes[name], run, seconds, np.random.default_rng(number))
            _finish(_start(server, recipes[name], run))
            equal = came_to(run) == expected
            row = {"trial": number, "kind": name, "rounds done when killed": kills}
            done.append({**row, "equal": equal})
            say(f"{number + 1} of {trials}: {done[-1]}")
            if out:
                out.mkdir(parents=True, exist_ok=True)
                write_rows(out / "kills.jsonl", done)
    return summed(done)


def summed(trials: list[Row]) -> list[Row]:
    """Trials by kind, and all of them."""
    groups = {kind: [row for row in trials if row["kind"] == kind] for kind in kinds()}
    return [
        {
            "kind": kind,
            "trials": len(rows),
            "kills": sum(len(row["rounds done when killed"]) for row in rows),
            "equal": sum(row["equal"] for row in rows),
        }
        for kind, rows in {**groups, "all": trials}.items()
        if rows
    ]


def kills_table(trials: list[Row]) -> str:
    """Markdown of ``summed``."""
    lines = [
        f"| {row['kind']} | {row['trials']} | {row['kills']} | {row['equal']} |"
        for row in summed(trials)
    ]
    return table("| recipe or agent | runs | kills | same result |", lines)


def came_to(run: Path) -> Row:
    """Rounds, responses and test of a run, without seconds, memory and checksums.

    Checksums differ as trainers write their own folder's name into a checkpoint.
    """
    folder = RunFolder(run)
    rows = folder.rounds()
    for row in rows:
        del row["seconds"]
        row.pop("memory", None)
        row.pop("files", None)
        for cost in (row["cost"], row["state"]["cost"]):
            del cost["seconds"], cost["measured_seconds"]
    stored = sorted((run / "rollouts").glob("*.parquet"))
    return {
        "rounds": rows,
        "responses": {path.name: repr(read_rollouts(path)) for path in stored},
        "test": read_rows(run / "evaluation.jsonl"),
    }


def _killed(
    server: Any, recipe: Recipe, run: Path, seconds: float, rng: np.random.Generator
) -> list[int]:
    """Start a run and kill it, some times; how many rounds were done at each kill."""
    kills: list[int] = []
    for _ in range(int(rng.integers(1, MOST_KILLS + 1))):
        left = seconds
        while True:
            process = _start(server, recipe, run)
            process.join(float(rng.uniform(0, left)))
            if process.is_alive():
                break
            if kills:  # it was killed late and has come to its end
                return kills
            left *= 0.7
            shutil.rmtree(run)
        process.kill()
        process.join()
        kills.append(len(RunFolder(run).rounds()))
    return kills


def _start(server: Any, recipe: Recipe, run: Path) -> BaseProcess:
    process: BaseProcess = server.Process(target=_train, args=(recipe, run))
    process.start()
    return process


def _finish(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a run ended with exit code {process.exitcode}; see above")


def _train(recipe: Recipe, run: Path) -> None:
    from mstar.experiments.run.train import train

    train(recipe, run, Console(quiet=True))
