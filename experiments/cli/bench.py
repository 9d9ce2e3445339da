"""``mstar bench``: speed, as ratios within one run; regret of controllers; runs under faults."""

from __future__ import annotations

import json
import sys
from functools import partial

import tyro

from mstar.agents.registry import resolve
from mstar.experiments.bench.base import Bench
from mstar.experiments.bench.catalog import BENCHES

USAGE = """usage: mstar bench NAME

  sampler        sampling beside transformers' generate, on any model
  train          fine-tuning and GRPO beside a plain loop of the same updates
  memory         the memory of whole runs, beside what is estimated
  architectures  whether a model loads, is sampled exactly, and is trained by each kind of agent
  verifier       agreement with stated verdicts, beside math-verify
  envs           problems a second of every family
  data           what checking and reading a set of large images costs
  judge          judging responses that share problems
  exploration    regret of every exploration controller on simulated policies
  kills          runs that are killed at random moments, against undisturbed ones
  soak           memory, files and time of hundreds of rounds under strain

  mstar bench NAME --help
"""


def run(arguments: list[str]) -> None:
    """``mstar bench NAME``: a line for each row."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if what in ("-h", "--help"):
        print(USAGE, end="")
        return
    kind = resolve("benchmark", BENCHES, what)
    bench: Bench = tyro.cli(kind, args=rest, prog=f"mstar bench {what}")
    for row in bench.measure(partial(print, file=sys.stderr)):
        line = json.dumps(row) if bench.json else "  ".join(f"{k} {v}" for k, v in row.items())
        print(line, flush=True)
