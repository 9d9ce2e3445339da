"""``mstar estimate``: what a run will take and give, before it is started."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from mstar.agents.config import Recipe
from mstar.experiments.cli.options import current_names, start_recipe
from mstar.experiments.terminal import print_folded


@dataclass(frozen=True)
class EstimateOptions:
    """Memory, time, price, disk and accuracy of a run, from a pilot of a few minutes.

    Attributes:
        recipe: every setting of the run.
        gpu: a GPU to run it on: a100-80gb, h100, l4, ... ; tells whether it fits and how long it
            takes there.
        pilot_minutes: after which the pilot begins no further round; two rounds are run in any
            case. 0 runs no pilot: only memory is told.
        price_per_hour: of the GPU, or of this machine without --gpu, in any currency.
        json: print the estimate as JSON.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    gpu: str | None = None
    pilot_minutes: float = 3.0
    price_per_hour: float | None = None
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar estimate [RECIPE|FILE.yaml] [--SETTING VALUE ...]``.

    Raises:
        ValueError: a number below 0, or an unknown GPU.
    """
    arguments = current_names(arguments)
    recipe, _ = start_recipe(arguments)
    options = tyro.cli(
        EstimateOptions,
        args=arguments,
        prog="mstar estimate [RECIPE|FILE.yaml]",
        description=(EstimateOptions.__doc__ or "").partition("\n")[0],
        default=EstimateOptions(recipe=recipe),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    if options.pilot_minutes < 0 or (options.price_per_hour or 0) < 0:
        raise ValueError("--pilot-minutes and --price-per-hour must be 0 or more")
    from mstar.experiments.estimate.estimate import estimate_run
    from mstar.experiments.estimate.gpus import gpu_named

    found = estimate_run(
        options.recipe,
        gpu_named(options.gpu) if options.gpu else None,
        60 * options.pilot_minutes,
        options.price_per_hour,
        lambda line: print(line, file=sys.stderr),
    )
    if options.json:
        print(json.dumps(found.as_json()))
    else:
        print_folded(found.text())
