"""``mstar runs``: the runs of a folder and how far they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import tyro


@dataclass(frozen=True)
class RunsOptions:
    """List runs: how far each is, its validation accuracy before and now, and when it last moved.

    Attributes:
        folder: where they are, at any depth.
        json: print the rows as JSON.
    """

    folder: tyro.conf.Positional[Path] = Path("runs")
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar runs [DIR]``.

    Raises:
        ValueError: there is no such folder, or no run in it.
    """
    options = tyro.cli(RunsOptions, args=arguments, prog="mstar runs")
    from mstar.experiments.run.listing import list_runs

    found = list_runs(options.folder)
    if options.json:
        print(json.dumps([asdict(each) for each in found]))
        return
    width = max(len(each.path) for each in found)
    print(
        f"{'run':{width}}  {'state':11}  {'round':>7}  {'greedy, %':>14}  {'agent':14}  last change"
    )
    for each in found:
        moved = datetime.fromtimestamp(each.changed).strftime("%Y-%m-%d %H:%M")
        accuracy = f"{_percent(each.base)} -> {_percent(each.greedy)}"
        rounds = f"{'–' if each.round < 0 else each.round}/{each.rounds}"
        print(
            f"{each.path:{width}}  {each.state:11}  {rounds:>7}  {accuracy:>14}  "
            f"{each.agent:14}  {moved}"
        )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
