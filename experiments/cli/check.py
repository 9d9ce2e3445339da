"""``mstar check``: whether a run keeps the limits of a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class CheckOptions:
    """Hold a finished run against limits, for a release.

    The exit status is 0 if all limits are kept, 1 if one is broken, 2 if too little was measured to
    tell. check.html for those who decide, check.json and provenance.json stand in the run's folder
    afterwards.

    Attributes:
        run: the run's folder.
        limits: a YAML file with a limit a line, such as `greedy_at_least: 0.8`; an unknown name is
            answered with the nearest, and all that there are.
        json: print the result as JSON.
    """

    run: tyro.conf.Positional[Path]
    limits: tyro.conf.Positional[Path]
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar check RUN LIMITS``.

    Raises:
        SystemExit: with the status.
    """
    options = tyro.cli(
        CheckOptions,
        args=arguments,
        prog="mstar check",
        description=(CheckOptions.__doc__ or "").partition("\n")[0],
    )
    from mstar.experiments.release.limits import STATUS, check_run
    from mstar.experiments.release.provenance import write_provenance
    from mstar.experiments.run.run_folder import RunFolder

    folder = RunFolder(options.run)
    outcome, checked = check_run(folder, options.limits)
    write_provenance(folder, options.run)
    if options.json:
        print(json.dumps({"outcome": outcome, "limits": [asdict(each) for each in checked]}))
    else:
        for each in checked:
            print(f"{each.outcome:12} {each.name:28} {each.measured:34} asked for {each.rule}")
        print(f"{outcome}; page: {options.run / 'check.html'}")
    raise SystemExit(STATUS[outcome])
