"""``mstar rescore``: judge stored responses with another panel."""

from __future__ import annotations

import json

import tyro

from mstar.experiments.cli.options import read_recipe
from mstar.experiments.evaluation.rescore_options import RescoreOptions, with_recipe


def run(arguments: list[str]) -> None:
    """``mstar rescore RUN --panel NAME ...``."""
    options = tyro.cli(RescoreOptions, args=arguments, prog="mstar rescore")
    if options.recipe is not None:
        options = with_recipe(options, read_recipe(options.recipe))
    from mstar.experiments.evaluation.rescore import rescore_run

    summary = rescore_run(options)
    print(json.dumps(summary.as_json()) if options.json else summary.text())
