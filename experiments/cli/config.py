"""``mstar config``: a recipe as a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from mstar.agents.config import Recipe
from mstar.experiments.cli.options import current_names, recipe_text, start_recipe


@dataclass(frozen=True)
class ConfigOptions:
    """Print a recipe as a file.

    Attributes:
        recipe: every setting of the run.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]


def run(arguments: list[str]) -> None:
    """``mstar config [RECIPE|FILE.yaml] [--SETTING VALUE ...]``."""
    arguments = current_names(arguments)
    recipe, _ = start_recipe(arguments)
    options = tyro.cli(
        ConfigOptions,
        args=arguments,
        prog="mstar config [RECIPE|FILE.yaml]",
        description="Print a recipe as a YAML file that `mstar train FILE.yaml` reads.",
        default=ConfigOptions(recipe=recipe),
        config=(tyro.conf.OmitArgPrefixes,),
    )
    print(recipe_text(options.recipe), end="")
