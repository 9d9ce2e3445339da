"""The runs of a study: a process each, some at the same time; one that fails stops no other."""

from __future__ import annotations

import fcntl
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

from mstar.experiments.studies.board import Board
from mstar.experiments.studies.plan import Planned, check
from mstar.experiments.terminal import live

LOOK = 0.2  # seconds between two looks at the processes
LOG = "log.txt"


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not come to its end.

    Attributes:
        run: which.
        message: the last line that it said.
    """

    run: Planned
    message: str

    def __str__(self) -> str:
        return f"{self.run.label}: {self.message} ({self.run.folder / LOG})"


@dataclass(frozen=True, slots=True)
class Terms:
    """How runs are carried out.

    Attributes:
        jobs: at the same time.
        keep_checkpoints: of finished runs; without them a run cannot be evaluated again.
        console: where progress goes.
    """

    jobs: int
    keep_checkpoints: bool
    console: Console


def carry_out(planned: Sequence[Planned], out: Path, terms: Terms) -> list[Failure]:
    """Carry out those runs that are not finished; a killed one goes on where it stopped.

    Returns:
        The runs that failed.

    Raises:
        KeyboardInterrupt: on SIGINT or SIGTERM, when all that was running has ended.
        ValueError: a folder holds a run of another recipe, or somebody else works on the study.
    """
    check(planned)
    waiting = deque(run for run in planned if not run.finished)
    if not waiting:
        return []
    out.mkdir(parents=True, exist_ok=True)
    running: dict[subprocess.Popen[bytes], Planned] = {}
    failures: list[Failure] = []
    board = Board(terms.console, len(waiting))
    with alone(out) as lock, stopping() as caught, live(terms.console, board, per_second=1):
        try:
            while waiting or running:
                if caught:
                    raise KeyboardInterrupt
                while waiting and len(running) < terms.jobs:
                    run = waiting.popleft()
                    running[start(run, lock)] = run
                    board.begun(run)
                for child in [child for child in running if child.poll() is not None]:
                    run = running.pop(child)
                    failure = outcome(run, child.returncode)
                    board.ended(run, failure.message if failure else "")
                    failures += [failure] if failure else []
                    if failure is None and not terms.keep_checkpoints:
                        prune(run.folder)
                time.sleep(LOOK)
        finally:
            for child in running:
                child.terminate()
            for child in running:
                child.wait()
    return failures


def start(run: Planned, lock: IO[str]) -> subprocess.Popen[bytes]:
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
            pass_fds=[lock.fileno()],  # the study stays locked while any of its runs lives
        )


def outcome(run: Planned, code: int) -> Failure | None:
    """None for a run that came to its end."""
    if code == 0 and run.finished:
        return None
    said = (run.folder / LOG).read_text(errors="replace").strip().splitlines()
    return Failure(run, said[-1] if said else f"ended with code {code} and said nothing")


def prune(folder: Path) -> None:
    """Forget checkpoints: a study has many runs, and its tables need none of them."""
    for name in ("checkpoints", "trainer"):
        shutil.rmtree(folder / name, ignore_errors=True)


@contextmanager
def alone(out: Path) -> Iterator[IO[str]]:
    """Hold a study's folder; processes that inherit the file hold it too.

    Raises:
        ValueError: somebody else holds it, maybe a run that outlived its killed parent.
    """
    with (out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another process works on {out}, or one of its runs still does; wait for it"
            ) from None
        yield file


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of raising, so that no process gets lost at its start."""
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda sent, _: caught.append(sent))
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
