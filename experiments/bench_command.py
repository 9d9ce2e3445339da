"""``mstar bench``: speed, each figure a ratio or a rate within one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class BenchOptions:
    """Measure speed; every figure is a ratio or a rate within one run.

    Attributes:
        what: which part.
        json: print the rows as JSON.
        cases: for the verifier, a file of verdict cases.
    """

    what: tyro.conf.Positional[Literal["sampler", "verifier", "envs", "judge"]]
    json: bool = False
    cases: Path | None = None


def run(arguments: list[str]) -> None:
    """``mstar bench sampler|verifier|envs|judge``."""
    options = tyro.cli(BenchOptions, args=arguments, prog="mstar bench")
    rows: Sequence[dict[str, Any]]
    if options.what == "sampler":
        from mstar.experiments.bench_sampler import bench_sampler

        rows = bench_sampler()
    elif options.what == "judge":
        from mstar.experiments.bench_judge import bench_judge

        rows = bench_judge()
    elif options.what == "envs":
        from mstar.experiments.bench_envs import bench_envs

        rows = bench_envs(0.5)
    else:
        from mstar.experiments.bench_verifier import bench_verifier

        if options.cases is None:
            raise ValueError("mstar bench verifier needs --cases FILE, a JSONL of verdict cases")
        rows = bench_verifier(options.cases)
    for row in rows:
        print(json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items()))
