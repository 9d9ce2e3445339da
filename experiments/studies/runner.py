"""Execute the runs of a study in parallel processes; the others go on if one fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table

from mstar.experiments.rows import read_rows
from mstar.experiments.run.lock import locked
from mstar.experiments.studies.plan import PlannedRun, check
from mstar.experiments.terminal import live

POLL = 0.2  # seconds between two checks of the processes
LOG = "log.txt"


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed.

    Attributes:
        run: the run that failed.
        message: the last line of its log.
    """

    run: PlannedRun
    message: str

    def __str__(self) -> str:
        return f"{self.run.label}: {self.message} ({self.run.folder / LOG})"


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How runs are executed.

    Attributes:
        jobs: number of runs at the same time.
        keep_checkpoints: of finished runs; without them a run cannot be evaluated again.
        console: where progress goes.
    """

    jobs: int
    keep_checkpoints: bool
    console: Console


class ProgressTable:
    """A live table of the runs in progress, their rounds, and how many have ended.

    Args:
        console: where to write; on a file or a pipe there is one line per start and end.
        total: number of runs to execute.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total = console, total
        self._running: dict[PlannedRun, float] = {}
        self._done = self._failed = 0
        self._start = time.monotonic()

    def started(self, run: PlannedRun) -> None:
        """A run has been started."""
        self._running[run] = time.monotonic()
        if not self.console.is_terminal:
            self._print(f"started {run.label}")

    def ended(self, run: PlannedRun, wrong: str = "") -> None:
        """A run has ended; `wrong` is its error, if any."""
        seconds = time.monotonic() - self._running.pop(run)
        self._done += 1
        self._failed += bool(wrong)
        self._print(
            f"{'FAILED' if wrong else 'done  '} {run.label}  {rounds_of(run)} rounds in "
            f"{seconds:.0f} s  ({self._done} of {self.total})"
            f"{': ' if wrong else ''}{wrong}"
        )

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Table:
        minutes = (time.monotonic() - self._start) / 60
        left = minutes / max(1, self._done) * (self.total - self._done)
        title = (
            f"{self._done} of {self.total} runs ended, {self._failed} failed, {minutes:.0f} min"
            f"{f', about {left:.0f} min left' if self._done else ''}"
        )
        table = Table(title=title, box=None, title_justify="left")
        for name in ("run", "rounds", "of at most", "minutes"):
            table.add_column(name, justify="left" if name == "run" else "right")
        for run, started in self._running.items():
            spent = (time.monotonic() - started) / 60
            table.add_row(
                run.label, str(rounds_of(run)), str(run.recipe.run.rounds), f"{spent:.1f}"
            )
        return table


def rounds_of(run: PlannedRun) -> int:
    """Committed rounds of a run, not counting the evaluation of the base."""
    return max(0, len(read_rows(run.folder / "rounds.jsonl")) - 1)


def execute(planned: Sequence[PlannedRun], out: Path, options: RunnerOptions) -> list[Failure]:
    """Execute the runs that are not finished; a killed run is resumed.

    Returns:
        The runs that failed.

    Raises:
        KeyboardInterrupt: on SIGINT or SIGTERM, after every running process has ended.
        ValueError: a folder holds a run of another recipe, or another process uses it.
    """
    check(planned)
    waiting = deque(run for run in planned if not run.finished)
    if not waiting:
        return []
    out.mkdir(parents=True, exist_ok=True)
    running: dict[subprocess.Popen[bytes], PlannedRun] = {}
    failures: list[Failure] = []
    progress = ProgressTable(options.console, len(waiting))
    with (
        locked(out) as lock,
        caught_signals() as caught,
        live(options.console, progress, per_second=1),
    ):
        try:
            while waiting or running:
                if caught:
                    raise KeyboardInterrupt
                while waiting and len(running) < options.jobs:
                    run = waiting.popleft()
                    running[start(run, lock)] = run
                    progress.started(run)
                for child in [child for child in running if child.poll() is not None]:
                    run = running.pop(child)
                    failure = failure_of(run, child.returncode)
                    progress.ended(run, failure.message if failure else "")
                    failures += [failure] if failure else []
                    if failure is None and not options.keep_checkpoints:
                        delete_checkpoints(run.folder)
                time.sleep(POLL)
        finally:
            for child in running:
                child.terminate()
            for child in running:
                child.wait()
    return sorted(failures, key=lambda failure: planned.index(failure.run))


def start(run: PlannedRun, lock: IO[str]) -> subprocess.Popen[bytes]:
    """A process that trains this run, as ``mstar train`` would."""
    run.folder.mkdir(parents=True, exist_ok=True)
    threads = {"OMP_NUM_THREADS": str(run.recipe.run.threads)}
    with (run.folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mstar.experiments.cli", *run.command()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
            pass_fds=[lock.fileno()],  # the study stays locked as long as any of its runs is alive
        )


def failure_of(run: PlannedRun, code: int) -> Failure | None:
    """The failure of a run whose process ended with `code`; None if it succeeded."""
    if code == 0 and run.finished:
        return None
    log = (run.folder / LOG).read_text(errors="replace").strip().splitlines()
    return Failure(run, log[-1] if log else f"ended with code {code} and an empty log")


def delete_checkpoints(folder: Path) -> None:
    """Delete a run's checkpoints: they take much space, and the tables do not need them."""
    for name in ("checkpoints", "trainer"):
        shutil.rmtree(folder / name, ignore_errors=True)


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of raising, so that no child is lost while it starts."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda sent, _: caught.append(sent))
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
