"""``mstar bench``: speed, as ratios within one run; regret of controllers; runs under faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

Benchmark = Literal[
    "sampler",
    "train",
    "architectures",
    "verifier",
    "envs",
    "data",
    "judge",
    "exploration",
    "kills",
    "soak",
]


@dataclass(frozen=True)
class BenchOptions:
    """Measure speed, each figure a ratio or a rate within one run, or what runs are to hold.

    Attributes:
        what: sampler, train, architectures, verifier, envs, data, judge, exploration, kills or
            soak.
        json: print the rows as JSON.
        cases: for the verifier, a file of cases; by default the one that ships.
        fuzz: for the verifier, number of random responses to use instead of the cases.
        rows: for data, number of rows of the set; for soak, of the largest one.
        rounds: for soak, of each run.
        seeds: for exploration, number of seeds; for kills, number of runs that are killed.
        out: for exploration, a folder for the rows of every seed and the figures; for kills and
            soak, one for the rows of every run, with which a stopped benchmark goes on.
        model: for sampler and train, a folder or hub name, by default a random LLaVA of 6.6 M
            weights; for architectures, one or several.
        dtype: for sampler and train, of the weights.
        lora_rank: for train; 0 trains all weights. For a sampler of --model, of the LoRA with
            which the first shape is sampled again; 0 leaves that out.
        gradient_checkpointing: for train, less memory and more time.
        size: for train and a sampler of --model, side of the images in pixels.
        shapes: for a sampler of --model, prompts x samples x tokens.
        beside: for a sampler of --model, shapes that transformers' generate samples as well.
        batch: for train, responses that an update learns from; a multiple of 4.
        updates: for train, of a round.
        new_tokens: for train, length of a response.
    """

    what: Annotated[tyro.conf.Positional[Benchmark], tyro.conf.arg(metavar="NAME")]
    json: bool = False
    cases: Path | None = None
    fuzz: int = 0
    rows: int = 1_000
    rounds: int = 300
    seeds: int = 20
    out: Path | None = None
    model: tuple[str, ...] = ()
    dtype: Literal["float32", "bfloat16"] = "float32"
    lora_rank: int = 0
    gradient_checkpointing: bool = False
    size: int = 112
    shapes: tuple[str, ...] = ("16x16x128", "64x16x128", "16x16x512")
    beside: tuple[str, ...] = ("16x16x128", "64x16x128")
    batch: int = 8
    updates: int = 4
    new_tokens: int = 64


def run(arguments: list[str]) -> None:
    """``mstar bench NAME``."""
    options = tyro.cli(BenchOptions, args=arguments, prog="mstar bench")
    rows: Iterable[dict[str, Any]]
    if options.what == "sampler" and options.model:
        from mstar.experiments.bench.model_sampler import SamplerBench, bench_model

        settings = {each.name: getattr(options, each.name) for each in fields(SamplerBench)}
        rows = bench_model(SamplerBench(**settings | {"model": options.model[0]}))
    elif options.what == "sampler":
        from mstar.experiments.bench.sampler import bench_sampler

        rows = bench_sampler()
    elif options.what == "train":
        from mstar.experiments.bench.train import TrainBench, bench_train

        settings = {each.name: getattr(options, each.name) for each in fields(TrainBench)}
        rows = bench_train(TrainBench(**settings | {"model": "".join(options.model[:1])}))
    elif options.what == "architectures":
        from mstar.experiments.bench.architectures import try_models

        rows = try_models(options.model)
    elif options.what == "judge":
        from mstar.experiments.bench.judge import bench_judge

        rows = bench_judge()
    elif options.what == "envs":
        from mstar.experiments.bench.envs import bench_envs

        rows = bench_envs(0.5)
    elif options.what == "data":
        from mstar.experiments.bench.data import bench_data

        rows = bench_data(options.rows)
    elif options.what == "exploration":
        from mstar.experiments.bench.exploration.bench import run_exploration

        rows = run_exploration(options.seeds, options.out)
    elif options.what == "kills":
        from mstar.experiments.bench.kills import bench_kills

        rows = bench_kills(options.seeds, options.out, partial(print, file=sys.stderr))
    elif options.what == "soak":
        from mstar.experiments.bench.soak import bench_soak

        rows = bench_soak(
            options.rounds, options.rows, options.out, partial(print, file=sys.stderr)
        )
    elif options.fuzz:
        from mstar.experiments.bench.fuzz import fuzz_verifier

        rows = [fuzz_verifier(options.fuzz)]
    else:
        from mstar.experiments.bench.verdicts import SHIPPED
        from mstar.experiments.bench.verifier import bench_verifier

        rows = bench_verifier(options.cases or SHIPPED)
    for row in rows:
        line = json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items())
        print(line, flush=True)
