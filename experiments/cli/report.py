"""``mstar report``: the report of a run, or a page of two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class ReportOptions:
    """Rewrite report.html of a run from its stored rows, or write a page of two runs.

    Attributes:
        run: the run's folder.
        beside: the folder of another run; a page that compares the two is written instead.
    """

    run: tyro.conf.Positional[Path]
    beside: Path | None = None


def run(arguments: list[str]) -> None:
    """``mstar report RUN [--beside OTHER]``."""
    options = tyro.cli(ReportOptions, args=arguments, prog="mstar report")
    from mstar.experiments.report.beside import write_beside
    from mstar.experiments.report.run_report import write_report
    from mstar.experiments.run.run_folder import RunFolder

    if options.beside is not None:
        print(write_beside(RunFolder(options.run), RunFolder(options.beside)))
    else:
        print(write_report(RunFolder(options.run)))
