"""Runs of hundreds of rounds under strain: memory, files and the time of a round stay flat."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from PIL import Image
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.types import Round
from mstar.experiments.bench.base import Bench
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.recipes import RECIPES
from mstar.experiments.stats import estimate

# The default recipe, with rounds of about a second.
TINY: dict[str, Any] = {
    "prompts": 2,
    "samples": 4,
    "max_new_tokens": 24,
    "updates": 1,
    "batch": 2,
    "validation_problems": 2,
    "validation_samples": 2,
    "test": 2,
    "test_samples": 1,
    "extra_families": (),
}
LONG = 1_000_000  # characters of a response
DAY = 24 * 60 * 60  # seconds
SLOW = 0.02  # seconds that a slow disk takes for an operation
IMAGES = 200  # of the data set; its rows show them in turn
OPERATIONS = frozenset(
    {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir", "os.scandir"}
)
# Of the process, and files in the run's folder without those of responses, one a round.
MEASURES = {
    "memory_mb": "memory, MB",
    "open_files": "open files",
    "threads": "threads",
    "folder_files": "files in the folder",
    "cpu_seconds": "CPU time, s",
    "seconds": "time, s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakBench(Bench):
    """Run hundreds of rounds as they are and under strain, and measure memory, files and time.

    Attributes:
        rounds: of each run.
        rows: of the data set under strain.
        out: a folder for the rows of every run, with which a stopped benchmark goes on.
    """

    rounds: int = 300
    rows: int = 1_000
    out: Path | None = None

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each run and measure."""
        return bench_soak(self.rounds, self.rows, self.out, say)


class LongWinded(LocalSampler):
    """Samples as ever, and lengthens the first response to each prompt to `LONG` characters."""

    def generate(self, *given: Any) -> list[list[Response]]:
        """Generate responses, of which some are long."""
        groups = super().generate(*given)
        return [[lengthened(each) for each in group[:1]] + group[1:] for group in groups]


def lengthened(response: Response) -> Response:
    """The response, whose text is repeated, a line each, up to `LONG` characters."""
    text = response.text or "?"
    return replace(response, text=f"{text}\n" * (LONG // (len(text) + 1)) + text)


def bench_soak(
    rounds: int, rows: int, out: Path | None, say: Callable[[str], None] = print
) -> list[Row]:
    """Run the default recipe with tiny rounds, once as it is and once under strain.

    Under strain it has, all at once: a data set of `rows` rows; a response of 1 MB to each prompt;
    a clock that jumps a day ahead after a third of the rounds, and back after two thirds; a disk on
    which whatever Python does with a file takes 20 ms longer. Each run is a process of
    its own.

    Args:
        rounds: of each run, 40 or more.
        rows: of the data set.
        out: a folder for ``soak.jsonl``, a row a round; runs that are complete there are not
            repeated.
        say: is told of every run.

    Returns:
        For each run and measure the means early and late; see ``flatness``.
    """
    if rounds < 40:
        raise ValueError(f"{rounds} rounds are too few to see growth; give 40 or more")
    done = read_rows(out / "soak.jsonl") if out else []
    for name in RUNS:
        if any(row["run"] == name for row in done):
            continue
        with TemporaryDirectory() as folder:
            process = multiprocessing.get_context("spawn").Process(
                target=_soak, args=(name, rounds, rows, Path(folder))
            )
            process.start()
            process.join()
            if process.exitcode:
                raise RuntimeError(f"the run {name} ended with {process.exitcode}; see above")
            done += read_rows(Path(folder) / "measured.jsonl")
        say(f"{name}: {rounds} rounds")
        if out:
            out.mkdir(parents=True, exist_ok=True)
            write_rows(out / "soak.jsonl", done)
    return flatness(done)


def flatness(rows: Sequence[Row]) -> list[Row]:
    """How each measure changed over each run.

    Returns:
        For each run and measure: ``early`` and ``late``, its means over the second and the last
        sixth of the rounds, which are ``n`` each; and the growth from one to the other in percent
        of ``early``, with its 95 % interval, by bootstrap over pairs of rounds.
    """
    found: list[Row] = []
    for run in dict.fromkeys(row["run"] for row in rows):
        own = [row for row in rows if row["run"] == run]
        n = len(own) // 6
        for measure in MEASURES:
            values = np.array([row[measure] for row in own], float)
            early, late = values[n : 2 * n], values[-n:]
            change = estimate([(late - early) / early.mean()])
            found.append(
                {
                    "run": run,
                    "measure": measure,
                    "early": round(float(early.mean()), 3),
                    "late": round(float(late.mean()), 3),
                    "growth_percent": round(100 * change.mean, 1),
                    "low": round(100 * change.low, 1),
                    "high": round(100 * change.high, 1),
                    "n": n,
                }
            )
    return found


def flatness_table(rows: Sequence[Row]) -> str:
    """Markdown of ``flatness``."""
    lines = [
        f"| {row['run']} | {MEASURES[row['measure']]} | {row['early']:.4g} | {row['late']:.4g} "
        f"| {row['growth_percent']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}] | {row['n']} |"
        for row in flatness(rows)
    ]
    return table("| run | of a round | early | late | growth, % | n |", lines)


class Watched(Progress):
    """Writes a row of measures after every round, beside the folder of the run.

    Attributes:
        run: name of the run.
        folder: of the run.
        rounds: how many are done.
    """

    run: str
    folder: Path
    rounds = 0
    _before: dict[str, float]

    def finished(self, done: Round) -> None:
        """Measure the process and its folder at the end of a round."""
        super().finished(done)
        process, now = psutil.Process(), _clocks()
        if done.number:
            row: Row = {
                "run": self.run,
                "round": done.number,
                "memory_mb": process.memory_info().rss / 1e6,
                "open_files": process.num_fds(),
                "threads": process.num_threads(),
                "folder_files": sum(
                    path.is_file() and path.suffix != ".parquet" for path in self.folder.rglob("*")
                ),
                **{name: now[name] - self._before[name] for name in now},
            }
            with (self.folder.parent / "measured.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
        Watched.rounds = done.number
        self._before = _clocks()


def _clocks() -> dict[str, float]:
    return {"cpu_seconds": time.process_time(), "seconds": time.monotonic()}


def _soak(run: str, rounds: int, rows: int, folder: Path) -> None:
    """Do one run in this process."""
    training: Any = import_module("mstar.experiments.run.train")
    training.Progress = Watched
    Watched.run, Watched.folder = run, folder / "run"
    recipe = RECIPES["default"].replace(rounds=rounds, **TINY)
    for strain in RUNS[run]:
        recipe = strain(recipe, folder, rows)
    training.train(recipe, Watched.folder, Console(quiet=True))


def large_data(recipe: Recipe, folder: Path, rows: int) -> Recipe:
    """Train on a data set with `rows` rows and `IMAGES` images, half of whose responses pass."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    with (folder / "problems.jsonl").open("w") as file:
        for number in range(rows):
            question = f"How many bars are higher than {number}?"
            row = {"image": f"{number % IMAGES}.png", "question": question, "answer": number % 97}
            file.write(json.dumps(row) + "\n")
    gated = {"panel": ("correctness", "random", "process"), "gate": "random", "canaries": "warn"}
    return recipe.replace(env=str(folder / "problems.jsonl"), **gated)


def long_responses(recipe: Recipe, _folder: Path, _rows: int) -> Recipe:
    """Sample with ``LongWinded``."""
    return recipe.replace(engine=f"{__name__}:LongWinded")


def jumping_clock(recipe: Recipe, _folder: Path, _rows: int) -> Recipe:
    """Put the clock a day ahead after a third of the rounds, and back after two thirds."""
    plain, third = time.time, recipe.run.rounds // 3
    time.time = lambda: plain() + (DAY if third <= Watched.rounds < 2 * third else 0)
    return recipe


def slow_disk(recipe: Recipe, folder: Path, _rows: int) -> Recipe:
    """Let every operation of Python on a file of the run or the data take `SLOW` seconds longer."""

    def wait(event: str, given: tuple[Any, ...]) -> None:
        if event in OPERATIONS and str(given[0]).startswith(str(folder)):
            time.sleep(SLOW)

    sys.addaudithook(wait)
    return recipe


STRAINS: tuple[Callable[[Recipe, Path, int], Recipe], ...] = (
    large_data,
    long_responses,
    jumping_clock,
    slow_disk,
)
RUNS = {"as it is": (), "under strain": STRAINS}
