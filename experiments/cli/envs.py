"""``mstar envs``: the environments, how often they are solved, and sheets of their images.

``problems_shown`` has the parts that show and check problems as a run would ask them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import tyro

from mstar.agents.config import Recipe
from mstar.agents.model_names import check_model
from mstar.agents.registry import unknown
from mstar.envs.families.base import Family
from mstar.envs.families.catalog import FAMILIES, FORMER
from mstar.envs.registry import open_source
from mstar.envs.task import SIZES
from mstar.experiments.cli.gallery import write_gallery, write_page
from mstar.experiments.cli.options import current_names, given_settings, with_settings
from mstar.experiments.cli.problems_shown import show, validate
from mstar.experiments.terminal import print_folded

USAGE = """usage: mstar envs list|show|validate|solve-rate|blind|gallery

  list               a line per family: id, topic and templates
  show ENV           problems as a run would ask them, with their solutions
  validate SOURCE    whether every answer can be verified and every image opens
  solve-rate ENV     how often a model solves each training problem
  blind [FAMILY ...] what can be answered without the image
  gallery            a sheet of images per family, and a page with worked solutions

  mstar envs PART --help
"""


# What a solve rate depends on, and how it is sampled.
SOLVE_RATE_SETTINGS = (
    "samples",
    "temperature",
    "max_new_tokens",
    "level",
    "families",
    "fields",
    "form",
    "answer_form",
    "instruction",
    "system",
    "image_size",
    "min_pixels",
    "max_pixels",
    "dtype",
    "seed",
    "batch_rows",
    "server",
    "threads",
)


@dataclass(frozen=True)
class SolveRate:
    """Measure how often a model solves each training problem, to train on those that fit it.

    A run with --solve-rate 0.1 0.9 and the same --env and --model then trains on the problems in
    this range alone. A killed pass goes on where it was.

    Attributes:
        env: an id, a path, or ``hub:NAME``.
        model: a folder, a hub name, or a run's folder.
        count: number of problems; 0 for all of a data set.
        out: file for the rates; by default in NAME.solve-rates beside the data, or in the folder
            solve-rates for generated problems.
    """

    env: tyro.conf.Positional[str]
    model: str = "embedded"
    count: int = 0
    out: Path | None = None


@dataclass(frozen=True)
class Gallery:
    """Write a sheet per family, three problems of each level, and a page with worked solutions.

    Attributes:
        out: a folder.
        size: side of an image in pixels, 96 to 448.
    """

    out: Path = Path("gallery")
    size: int = 224


@dataclass(frozen=True)
class BlindOptions:
    """How often problems are answered correctly without the image, open and as multiple choice.

    Attributes:
        families: their names; all if none are given.
        level: difficulty, 1 to 3.
        count: number of multiple-choice problems per family.
        json: print the rows as JSON.
    """

    families: tyro.conf.Positional[tuple[str, ...]] = ()
    level: int = 1
    count: int = 600
    json: bool = False


def run(arguments: list[str]) -> None:
    """Run one of ``PARTS``."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("list", [])
    if what in ("-h", "--help"):
        print(USAGE, end="")
        return
    if what not in PARTS:
        raise ValueError(unknown("word after mstar envs:", what, tuple(PARTS)))
    PARTS[what](rest)


def print_list(_: list[str]) -> None:
    """Print one line per family."""
    print_folded("\n".join(listing()))


def listing() -> list[str]:
    """One line per family: its id, topic and templates; one more for former versions."""
    return [
        *(
            f"{f'mstar/{name}-v{family.version}':26} {family.topic:12} {', '.join(family.wordings)}"
            for name, family in FAMILIES.items()
        ),
        f"The same problems in former words: {', '.join(f'mstar/{version}' for version in FORMER)}",
    ]


def solve_rate(arguments: list[str]) -> None:
    """Measure the solve rates of an environment's training problems, and print how many have which.

    Raises:
        ValueError: problems or a model that are not usable, or a file of other rates.
    """
    arguments = current_names(arguments)
    options = tyro.cli(
        with_settings(SolveRate, SOLVE_RATE_SETTINGS, Recipe.of(samples=4)),
        args=arguments,
        prog="mstar envs solve-rate",
        description=SolveRate.__doc__,
    )
    check_model(options.model)
    from mstar.experiments.evaluation.solve_rates import measure_solve_rates
    from mstar.experiments.evaluation.subject import open_subject

    given = given_settings(options, SOLVE_RATE_SETTINGS, arguments)
    changes = {"env": options.env, "samples": 4, **given}
    subject = open_subject(options.model, changes)
    found = measure_solve_rates(
        subject, options.count, options.out, lambda line: print(line, file=sys.stderr)
    )
    print_folded(found.text())


def print_blind(arguments: list[str]) -> None:
    """Print one row per family: the accuracy of each blind strategy."""
    options = tyro.cli(BlindOptions, args=arguments, prog="mstar envs blind")
    from mstar.envs.blind_baselines import BlindBaselines, measure_blind_baselines

    columns = [c.name for c in fields(BlindBaselines) if c.name not in ("family", "level")]
    if not options.json:
        print("  ".join(["family".ljust(16), *columns]))
    for name in options.families or FAMILIES:
        source = open_source(name, options.level)
        if not isinstance(source, Family):
            raise ValueError(f"{name} is not a family; for a data set see mstar envs validate")
        row = asdict(measure_blind_baselines(source, options.count))
        shares = [f"{row[column]:{len(column)}.2f}" for column in columns]
        print(json.dumps(row) if options.json else "  ".join([source.name.ljust(16), *shares]))


def draw_gallery(arguments: list[str]) -> None:
    """Write the sheets and the page of all families, and print where they are."""
    options = tyro.cli(Gallery, args=arguments, prog="mstar envs gallery")
    if options.size not in SIZES:
        raise ValueError(f"size must be {SIZES[0]} to {SIZES[-1]} pixels, got {options.size}")
    for path in write_gallery(FAMILIES, options.out, options.size):
        print(path)
    print(write_page(FAMILIES, options.out, options.size))


PARTS: dict[str, Callable[[list[str]], None]] = {
    "list": print_list,
    "show": show,
    "validate": validate,
    "solve-rate": solve_rate,
    "blind": print_blind,
    "gallery": draw_gallery,
}
