"""``mstar envs show`` and ``mstar envs validate``: problems as a run would ask them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from mstar.agents.config import Recipe
from mstar.agents.model_names import check_model
from mstar.envs.datasets.field_map import dataset_description, parse_field_options
from mstar.envs.datasets.source import DatasetSource, OnError
from mstar.envs.families.base import SPLITS
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Prompt, Split
from mstar.envs.registry import open_source
from mstar.envs.source import ProblemSource
from mstar.envs.task import Task
from mstar.envs.variants.phrasing import phrase_all
from mstar.experiments.cli.options import current_names, given_settings, with_settings
from mstar.experiments.terminal import print_folded, printable

# How problems are asked; the settings of ``mstar train`` that these commands take as well.
ASKING = ("form", "show", "answer_form", "instruction", "system", "min_pixels", "max_pixels")
SHOWING = ("level", "fields", *ASKING, "phrasings", "image_size", "seed")


@dataclass(frozen=True)
class Show:
    """Print problems of an environment as a run with the same settings asks them.

    Attributes:
        env: an id, a family's name, a path, or ``hub:NAME``.
        count: number of problems.
        split: of a data set; the first that has any problems if none is named.
        out: folder for the images; without it none are written.
        model: a folder or hub name; how many tokens each image costs it is printed.
    """

    env: tyro.conf.Positional[str]
    count: int = 3
    split: Split | None = None
    out: Path | None = None
    model: str = ""


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
    """

    source: tyro.conf.Positional[str]
    fields: tuple[str, ...] = ()
    json: bool = False
    model: str = ""


def show(arguments: list[str]) -> None:
    """Print some problems as they are asked, with their solutions.

    Raises:
        ValueError, OSError: problems, settings or a model that cannot be used.
    """
    arguments = current_names(arguments)
    options: Any = tyro.cli(
        with_settings(Show, SHOWING, Recipe()),
        args=arguments,
        prog="mstar envs show",
        description=Show.__doc__,
    )
    recipe = Recipe.of(**given_settings(options, SHOWING, arguments))
    described = dataset_description(options.env, recipe.data.fields)
    source = open_source(described, level=recipe.data.level)
    task = _task(source, options.split or _first_split(source), recipe)
    tokens = _token_counter(options.model, recipe)
    seed = recipe.run.seed
    drawn = [task.problem(seed, index) for index in range(options.count)]
    for index, problem in enumerate(phrase_all(drawn, recipe.data.phrasings, seed)):
        prompt = task.prompt(problem)
        print(printable(f"{problem.id}\n{_asked(prompt)}\n\nsolution:\n{_solution(problem)}\n"))
        if tokens is not None:
            counts = [tokens(image.size) for image in prompt.images]
            print(f"image tokens: {', '.join(map(str, counts))}\n")
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(problem.images):
                path = options.out / f"{index:04d}-{number}.png"
                image.render(448).save(path)
                print(f"{path}\n")


def validate(arguments: list[str]) -> None:
    """Print the findings, and the first problem as it is asked.

    Raises:
        ValueError: a problem has an error, or cannot be asked under the settings.
    """
    arguments = current_names(arguments)
    options: Any = tyro.cli(
        with_settings(Validate, ASKING, Recipe()),
        args=arguments,
        prog="mstar envs validate",
        description=Validate.__doc__,
    )
    recipe = Recipe.of(**given_settings(options, ASKING, arguments))
    from mstar.envs.datasets.validate import validate_dataset

    name = options.source
    if name in FAMILIES or name.startswith("mstar/"):
        raise ValueError(
            f"{name} is a generated family, which mstar's own tests check; validate takes a file, "
            "a folder or hub:NAME. mstar envs blind shows what can be answered without the image"
        )
    tokens = _token_counter(options.model, recipe)
    given = parse_field_options(options.fields)
    on_error: OnError = "skip" if given.pop("on_error", None) == "skip" else "raise"
    image_folder = given.pop("image_folder", None)
    report = validate_dataset(name, given or None, image_folder, on_error)
    asked = "" if report.errors else _first_asked(name, options.fields, recipe)
    sizes = report.image_sizes
    counts = {f"{w} x {h}": tokens((w, h)) for w, h in sizes} if tokens is not None else {}
    if options.json:
        more = {"image_tokens": counts, "asked": asked}
        more = {name: value for name, value in more.items() if value}
        print(json.dumps(report.as_json() | more, indent=2))
    else:
        print_folded(report.text())
        for size, count in counts.items():
            print(f"image tokens of {size} pixels: {count}")
        if asked:
            print(printable(f"\nthe first problem as it is asked:\n{asked}"))
    if report.errors:
        raise ValueError(f"{name} has errors; see above")


def _first_asked(name: str, fields: tuple[str, ...], recipe: Recipe) -> str:
    """The first problem's prompt, once every split can be asked under the recipe's settings."""
    source = open_source(dataset_description(name, fields))
    assert isinstance(source, DatasetSource)
    splits = [split for split in SPLITS if source.problems[split]]
    tasks = [_task(source, split, recipe) for split in splits]
    return _asked(tasks[0].prompt(tasks[0].problem(0, 0))) if tasks else ""


def _task(source: ProblemSource, split: Split, recipe: Recipe) -> Task:
    """The problems of a split, asked as the recipe says."""
    return Task(source=source, split=split, **recipe.data.asking)


def _token_counter(name: str, recipe: Recipe) -> Callable[[tuple[int, int]], int] | None:
    """How many tokens an image of a width and a height costs the model; None without a model."""
    if not name:
        return None
    check_model(name)
    from mstar.agents.policy.embedded import EMBEDDED
    from mstar.agents.policy.pixels import PixelBounds, image_tokens
    from mstar.agents.policy.policy import vision_language_config
    from mstar.agents.policy.processors import load_processor

    folder = str(EMBEDDED) if name == "embedded" else name
    processor = load_processor(folder, vision_language_config(folder))
    bounds = PixelBounds(recipe.model.min_pixels, recipe.model.max_pixels)
    bounds.allow(processor.image_processor)
    return partial(image_tokens, processor, bounds)


def _first_split(source: ProblemSource) -> Split:
    if not isinstance(source, DatasetSource):
        return "train"
    return next(split for split in SPLITS if source.problems[split])


def _asked(prompt: Prompt) -> str:
    """The system turn, and the question with ``[image 1]`` where the first image stands."""
    shown = [f"[image {part + 1}]" if isinstance(part, int) else part for part in prompt.parts()]
    text = "".join(shown) if prompt.places else "\n".join(shown)
    return f"system: {prompt.system}\n{text}" if prompt.system else text


def _solution(problem: Problem) -> str:
    return problem.solution if problem.answer else "(unlabelled)"
