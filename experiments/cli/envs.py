"""``mstar envs``: list the environments, show their problems, and check data sets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from mstar.agents.config import DataConfig, Recipe
from mstar.agents.registry import unknown
from mstar.envs.datasets.field_map import dataset_description, parse_field_options
from mstar.envs.datasets.source import DatasetSource, OnError
from mstar.envs.families.base import SPLITS, Family
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Prompt, Split
from mstar.envs.registry import open_source
from mstar.envs.shown import Shown
from mstar.envs.source import ProblemSource
from mstar.envs.task import SIZES, Task
from mstar.experiments.cli.gallery import write_gallery, write_page
from mstar.experiments.cli.options import current_names, given_settings, with_settings
from mstar.experiments.terminal import print_folded, printable

DRAWN_SIZE = DataConfig().image_size  # pixels
PARTS = ("list", "show", "validate", "solve-rate", "blind", "gallery")
USAGE = """usage: mstar envs list|show|validate|solve-rate|blind|gallery

  list               a line per family: id, topic and templates
  show ENV           problems with their solutions
  validate SOURCE    whether every answer can be verified and every image opens
  solve-rate ENV     how often a model solves each training problem
  blind [FAMILY ...] what can be answered without the image
  gallery            a sheet of images per family, and a page with worked solutions

  mstar envs PART --help
"""


@dataclass(frozen=True)
class Show:
    """Print problems of an environment, and write their images.

    Attributes:
        env: an id, a family's name, a path, or ``hub:NAME``.
        count: number of problems.
        level: of generated problems.
        split: of a data set; the first that has any problems if none is named.
        show: what stands for the image in the question, as for ``mstar train``.
        fields: how a data set is read, as for ``mstar envs validate``.
        out: folder for the images; without it none are written.
        model: a folder or hub name; how many tokens each image costs it is printed.
        min_pixels: of an image, as for ``mstar train``.
        max_pixels: of an image, as for ``mstar train``.
    """

    env: tyro.conf.Positional[str]
    count: int = 3
    level: int = 1
    split: Split | None = None
    show: Shown = "image"
    fields: tuple[str, ...] = ()
    out: Path | None = None
    model: str = ""
    min_pixels: int = 0
    max_pixels: int = 0


@dataclass(frozen=True)
class Validate:
    """Check every problem of a source; the exit status is 0 only if none has an error.

    Attributes:
        source: a path, or ``hub:NAME``.
        fields: which column holds what, where that can't be told: ``KEY=COLUMN`` each, such as
            ``answer=gold question='{hint} {question}' type=number unit==cm tolerance=0.05
            split=part``; ``==`` is followed by what holds for all rows. ``schema=mathvista`` starts
            from a published form, ``image_folder=FOLDER`` says where the images are, and
            ``on_error=skip`` accepts rows that hold no problem, which training then leaves out.
        json: print everything as JSON.
        model: a folder or hub name; how many tokens the smallest, a middle and the largest image
            cost it is printed.
        min_pixels: of an image, as for ``mstar train``.
        max_pixels: of an image, as for ``mstar train``.
    """

    source: tyro.conf.Positional[str]
    fields: tuple[str, ...] = ()
    json: bool = False
    model: str = ""
    min_pixels: int = 0
    max_pixels: int = 0


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
    if what == "list":
        print_folded("\n".join(listing()))
    elif what == "show":
        show(tyro.cli(Show, args=rest, prog="mstar envs show"))
    elif what == "validate":
        validate(tyro.cli(Validate, args=rest, prog="mstar envs validate"))
    elif what == "solve-rate":
        solve_rate(rest)
    elif what == "blind":
        print_blind(tyro.cli(BlindOptions, args=rest, prog="mstar envs blind"))
    elif what == "gallery":
        wanted = tyro.cli(Gallery, args=rest, prog="mstar envs gallery")
        if wanted.size not in SIZES:
            raise ValueError(f"size must be {SIZES[0]} to {SIZES[-1]} pixels, got {wanted.size}")
        for path in write_gallery(FAMILIES, wanted.out, wanted.size):
            print(path)
        print(write_page(FAMILIES, wanted.out, wanted.size))
    elif what in ("-h", "--help"):
        print(USAGE, end="")
    else:
        raise ValueError(unknown("word after mstar envs:", what, PARTS))


def listing() -> list[str]:
    """One line per family: its id, topic and templates."""
    return [
        f"{f'mstar/{name}-v{family.version}':26} {family.topic:12} {', '.join(family.wordings)}"
        for name, family in FAMILIES.items()
    ]


def show(options: Show) -> None:
    """Print some problems with their solutions."""
    source = open_source(dataset_description(options.env, options.fields), level=options.level)
    split = options.split or _first_split(source)
    task = Task(source=source, split=split, show=options.show, size=DRAWN_SIZE, instruction="")
    tokens = _token_counter(options)
    for index in range(options.count):
        problem = task.problem(0, index)
        prompt = task.prompt(problem)
        print(printable(f"{problem.id}\n{_question(prompt)}\n{_solution(problem)}\n"))
        if tokens is not None:
            counts = [tokens(image.size) for image in prompt.images]
            print(f"image tokens: {', '.join(map(str, counts))}\n")
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(problem.images):
                path = options.out / f"{index:04d}-{number}.png"
                image.render(448).save(path)
                print(f"{path}\n")


def _token_counter(options: Show | Validate) -> Callable[[tuple[int, int]], int] | None:
    """How many tokens an image of a width and a height costs the model; None without a model."""
    if not options.model:
        return None
    from mstar.agents.policy.embedded import EMBEDDED
    from mstar.agents.policy.pixels import PixelBounds, image_tokens
    from mstar.agents.policy.policy import vision_language_config
    from mstar.agents.policy.processors import load_processor

    name = str(EMBEDDED) if options.model == "embedded" else options.model
    processor = load_processor(name, vision_language_config(name))
    bounds = PixelBounds(options.min_pixels, options.max_pixels)
    bounds.allow(processor.image_processor)
    return partial(image_tokens, processor, bounds)


def _first_split(source: ProblemSource) -> Split:
    if not isinstance(source, DatasetSource):
        return "train"
    return next(split for split in SPLITS if source.problems[split])


def validate(options: Validate) -> None:
    """Print the findings; ValueError if a problem has an error."""
    from mstar.envs.datasets.validate import validate_dataset

    if options.source in FAMILIES or options.source.startswith("mstar/"):
        raise ValueError(
            f"{options.source} is a generated family, which mstar's own tests check; validate "
            "takes a file, a folder or hub:NAME. mstar envs blind shows what can be answered "
            "without the image"
        )
    given = parse_field_options(options.fields)
    on_error: OnError = "skip" if given.pop("on_error", None) == "skip" else "raise"
    image_folder = given.pop("image_folder", None)
    report = validate_dataset(options.source, given or None, image_folder, on_error)
    tokens = _token_counter(options)
    sizes = report.image_sizes
    counts = {f"{w} x {h}": tokens((w, h)) for w, h in sizes} if tokens is not None else {}
    if options.json:
        print(json.dumps(report.as_json() | ({"image_tokens": counts} if counts else {}), indent=2))
    else:
        print_folded(report.text())
        for size, count in counts.items():
            print(f"image tokens of {size} pixels: {count}")
    if report.errors:
        raise ValueError(f"{len(report.errors)} errors in {options.source}; see above")


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
    from mstar.experiments.evaluation.solve_rates import measure_solve_rates
    from mstar.experiments.evaluation.subject import open_subject

    given = given_settings(options, SOLVE_RATE_SETTINGS, arguments)
    changes = {"env": options.env, "samples": 4, **given}
    subject = open_subject(options.model, changes)
    found = measure_solve_rates(
        subject, options.count, options.out, lambda line: print(line, file=sys.stderr)
    )
    print_folded(found.text())


def print_blind(options: BlindOptions) -> None:
    """Print one row per family: the accuracy of each blind strategy."""
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


def _question(prompt: Prompt) -> str:
    """The question with ``[image 1]`` where the first image stands, and so on."""
    shown = [f"[image {part + 1}]" if isinstance(part, int) else part for part in prompt.parts()]
    return "".join(shown) if prompt.places else "\n".join(shown)


def _solution(problem: Problem) -> Any:
    return problem.solution if problem.answer else "(unlabelled)"
