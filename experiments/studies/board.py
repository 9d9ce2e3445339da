"""What the runs of a study are doing, live on a terminal, or a line for each begin and end."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table

from mstar.experiments.rows import read_rows
from mstar.experiments.studies.plan import Planned


class Board:
    """Shows every run that is going on with its rounds, and how many are done.

    Args:
        console: where to write; on a file or a pipe only begins and ends appear.
        total: runs to be carried out.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total = console, total
        self._begun: dict[Planned, float] = {}
        self._done = self._failed = 0
        self._started = time.monotonic()

    def begun(self, run: Planned) -> None:
        """A run has been started."""
        self._begun[run] = time.monotonic()
        if not self.console.is_terminal:
            self._say(f"begun  {run.label}")

    def ended(self, run: Planned, wrong: str = "") -> None:
        """A run has ended; `wrong` says why not well."""
        seconds = time.monotonic() - self._begun.pop(run)
        self._done += 1
        self._failed += bool(wrong)
        self._say(
            f"{'FAILED' if wrong else 'done  '} {run.label}  {rounds_of(run)} rounds in "
            f"{seconds:.0f} s  ({self._done} of {self.total})"
            f"{': ' if wrong else ''}{wrong}"
        )

    def _say(self, words: str) -> None:
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def __rich__(self) -> Table:
        minutes = (time.monotonic() - self._started) / 60
        left = minutes / max(1, self._done) * (self.total - self._done)
        title = (
            f"{self._done} of {self.total} runs ended, {self._failed} failed, {minutes:.0f} min"
            f"{f', about {left:.0f} min left' if self._done else ''}"
        )
        table = Table(title=title, box=None, title_justify="left")
        for name in ("run", "rounds", "of at most", "minutes"):
            table.add_column(name, justify="left" if name == "run" else "right")
        for run, begun in self._begun.items():
            spent = (time.monotonic() - begun) / 60
            table.add_row(
                run.label, str(rounds_of(run)), str(run.recipe.run.rounds), f"{spent:.1f}"
            )
        return table


def rounds_of(run: Planned) -> int:
    """How many rounds of a run are committed, the measuring of the base not counted."""
    return max(0, len(read_rows(run.folder / "rounds.jsonl")) - 1)
