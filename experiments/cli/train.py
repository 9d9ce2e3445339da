"""``mstar train``: train a policy."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.model_names import check_model
from mstar.envs.datasets.field_map import dataset_description
from mstar.envs.registry import open_source
from mstar.experiments.cli.options import current_names, start_recipe
from mstar.experiments.cli.train_help import first_page
from mstar.experiments.run.recipes import RECIPES
from mstar.experiments.terminal import print_folded


@dataclass(frozen=True)
class TrainOptions:
    """Train a policy on its own best answers.

    Attributes:
        recipe: every setting of the run.
        out: the run's folder; give the folder of a killed run to resume it.
        base_test: file of the base's test rows, shared by runs of one seed that differ only in how
            they train; the first of them writes it.
        track: experiment trackers that get every round's figures and some responses:
            ``tensorboard``, ``trackio``, ``wandb``, ``mlflow``, ... or ``module:Class`` of your
            own. TensorBoard and trackio stay on this machine.
        dry_run: print what would be done, in numbers, and do nothing.
        json: print the result as JSON.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    out: Path = Path("runs/default")
    base_test: Path | None = None
    track: tuple[str, ...] = ()
    dry_run: bool = False
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar train [RECIPE|FILE.yaml] [--SETTING VALUE ...]``."""
    if {"-h", "--help"} & set(arguments):
        recipe, name = start_recipe([a for a in arguments if a not in ("-h", "--help")])
        print(first_page(recipe, f"runs/{name}"))
        return
    options = train_options(["--help" if a == "--help-all" else a for a in arguments])
    # Torch loads only once the arguments and the problems are right.
    data = options.recipe.data
    open_source(dataset_description(data.env, data.fields), data.level)
    if options.dry_run:
        from mstar.experiments.run.dry_run import describe_run

        print_folded(describe_run(options.recipe, options.out))
        return
    check_model(options.recipe.model.name)
    from mstar.experiments.report.summary import summarise
    from mstar.experiments.run.train import train

    gc.freeze()  # trainers call the collector often, and would have it visit all that was imported
    console = Console(stderr=True)
    folder = train(options.recipe, options.out, console, options.base_test, options.track)
    summary = summarise(folder)
    if options.json:
        print(json.dumps(summary.as_json()))
    else:
        print_folded(summary.text())
        print(f"report: {folder.path / 'report.html'}")


def train_options(arguments: list[str]) -> TrainOptions:
    """The options of ``mstar train``."""
    arguments = current_names(arguments)
    recipe, name = start_recipe(arguments)
    return tyro.cli(
        TrainOptions,
        args=arguments,
        prog="mstar train [RECIPE|FILE.yaml]",
        description=(
            f"Recipes: {', '.join(RECIPES)}.\n\nAny setting below can be changed; "
            "`mstar config RECIPE` prints them all as a file."
        ),
        default=TrainOptions(recipe=recipe, out=Path("runs") / name),
        config=(tyro.conf.OmitArgPrefixes,),
    )
