"""``mstar evaluate``: runs and models on test problems."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from mstar.agents.config import Recipe
from mstar.agents.model_names import check_model
from mstar.agents.settings import MIXTURE
from mstar.experiments.cli.options import current_names, given_settings, named, with_settings
from mstar.experiments.terminal import printable
from mstar.rewards.models.relaxed_accuracy import Scoring

# The settings that an evaluation depends on; those of a run hold where they are not given.
SETTINGS = (
    "test",
    "test_samples",
    "test_temperature",
    "max_new_tokens",
    "families",
    "extra_families",
    "test_harder",
    "level",
    "form",
    "show",
    "answer_form",
    "instruction",
    "system",
    "min_pixels",
    "max_pixels",
    "fields",
    "image_size",
    "phrasings",
    "seed",
    "dtype",
    "batch_rows",
    "server",
    "threads",
)
OF_A_MIXTURE = {"families", "extra_families", "test_harder"}


@dataclass(frozen=True)
class EvaluateOptions:
    """Accuracy of runs' policies and of models on test problems, with 95 % intervals.

    Attributes:
        subjects: folders of runs or models, or hub names.
        env: an environment, a path or hub:NAME to test on, and again for a further one; a run is
            tested on what it was trained for if there is none.
        benchmark: a published benchmark, asked and scored as its makers do; --data says where it
            is. All of its problems, unless --test gives a number.
        data: the file, the folder or hub:NAME of the benchmark's published files.
        scoring: what counts as right: our verifier, or the relaxed accuracy of ChartQA, for
            figures that stand beside published ones.
        by: a line for each family, level, template or skill (reading what is in the image, or
            reasoning about it), with the share of responses that --max-new-tokens cut.
        out: a folder for the rows; what is finished there is not evaluated again.
        variants: in how many phrasings to ask every problem, greedily; 0 asks as drawn only.
            --phrasings says what varies, everything if left out.
        json: print the result as JSON.
    """

    subjects: tyro.conf.Positional[tuple[str, ...]]
    env: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    benchmark: Literal["", "mathvista", "math-v", "chartqa"] = ""
    data: str = ""
    scoring: Scoring = "verifier"
    by: Literal["test", "family", "level", "template", "skill"] = "test"
    out: Path | None = None
    variants: int = 0
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar evaluate RUN|MODEL ... [--env ENV]``."""
    arguments = current_names(arguments)
    options = tyro.cli(
        with_settings(EvaluateOptions, SETTINGS, Recipe()),
        args=arguments,
        prog="mstar evaluate",
        description=(EvaluateOptions.__doc__ or "").partition("\n")[0],
    )
    changes = given_settings(options, SETTINGS, arguments)
    check(options, named(arguments))
    for name in options.subjects:
        check_model(name)
    if options.env and "fields" not in changes:
        changes["fields"] = ()  # those of a run are for its own data
    from mstar.experiments.evaluation.evaluate_subjects import (
        accuracy_table,
        ask_subject_variants,
        evaluate_subjects,
        opener,
    )
    from mstar.experiments.evaluation.subject import open_subject

    if options.variants:
        axes = changes.pop("phrasings", ())
        changes |= {"env": options.env[0]} if options.env else {}
        subject = open_subject(options.subjects[0], changes)
        print_variants(ask_subject_variants(subject, options.variants, axes), options.json)
        return
    subjects = [open_subject(name, changes) for name in options.subjects]
    found = evaluate_subjects(
        subjects,
        opener(
            options.env, options.scoring, options.benchmark, options.data, changes.get("test", 0)
        ),
        options.benchmark or options.scoring,
        options.by,
        options.out,
        lambda line: print(line, file=sys.stderr),
    )
    if options.json:
        print(json.dumps([each.as_json() for each in found]))
    else:
        print(printable(accuracy_table(found)))


def check(options: EvaluateOptions, flags: set[str]) -> None:
    """Refuse what would have no effect.

    Raises:
        ValueError: options that do not go together; the message says which, and what to do.
    """
    if not options.subjects:
        raise ValueError("mstar evaluate needs a run's folder or a model: mstar evaluate RUN|MODEL")
    if bool(options.benchmark) != bool(options.data):
        raise ValueError(
            "--benchmark and --data go together: mstar evaluate MODEL --benchmark mathvista --data "
            "FOLDER, with the files that the makers of the benchmark have published"
        )
    if options.benchmark and (options.env or options.variants or options.scoring != "verifier"):
        raise ValueError(
            "a benchmark has its own problems and scoring; leave out --env, --variants, --scoring"
        )
    idle = {"form", "answer_form", "instruction", "system", "level"} & flags
    if options.benchmark and idle:
        raise ValueError(f"a benchmark is asked as published; leave out {_flags(idle)}")
    if options.env and MIXTURE not in options.env and (idle := OF_A_MIXTURE & flags):
        raise ValueError(
            f"{_flags(idle)} is for the families of {MIXTURE}, which is not among --env; leave one "
            "of the two out"
        )
    if options.env and (idle := OF_A_MIXTURE & flags - {"families"}):
        raise ValueError(
            f"{_flags(idle)} adds to the test of a run, and --env takes its place; leave one out"
        )
    if "fields" in flags and not options.benchmark and len(options.env) != 1:
        raise ValueError("--fields says how one data set is read: give one --env with it")
    if not options.variants and "phrasings" in flags:
        raise ValueError("--phrasings is for --variants: give the number of phrasings as well")
    if options.variants and (len(options.subjects) > 1 or len(options.env) > 1):
        raise ValueError("--variants takes one run or model, and one --env at most")
    if options.variants and (options.out or options.scoring != "verifier" or "by" in flags):
        raise ValueError("--variants takes neither --out, --scoring nor --by; leave them out")


def print_variants(rows: Sequence[dict[str, object]], as_json: bool) -> None:
    """Accuracy by phrasing, and consistency."""
    from mstar.experiments.evaluation.variants import by_variant, consistency

    lines = [*by_variant(rows), *consistency(rows)]
    if as_json:
        print(json.dumps({"rows": rows, "table": [line.as_json() for line in lines]}))
        return
    for line in lines:
        print(f"{line.group:12} {line.variant:60} {line.estimate}")


def _flags(names: set[str]) -> str:
    return " and ".join(f"--{name.replace('_', '-')}" for name in sorted(names))
