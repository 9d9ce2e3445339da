"""``mstar compare``: run a study by its name, or compare finished runs."""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.registry import unknown
from mstar.experiments.cli.options import current_names, given
from mstar.experiments.studies.catalog import STUDIES
from mstar.experiments.studies.plan import PLAN, Plan, check, saved_plan
from mstar.experiments.studies.runner import Failure, RunnerOptions, execute
from mstar.experiments.studies.study import Study


@dataclass(frozen=True)
class CompareOptions:
    """A table of base against evolved over runs that differ in their seed.

    Attributes:
        runs: folders of finished runs; or the name of a study, whose options --help then shows.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]


@dataclass(frozen=True)
class StudyOptions:
    """Run every arm of a study with every seed, and compare the arms.

    Finished runs in the folder are not run again, and killed ones are resumed. The page covers all
    runs in the folder.

    Attributes:
        recipe: any field given here holds for all arms.
        arms: labels of the arms to run.
        seeds: of the runs.
        jobs: number of runs at the same time; 0 runs as many as the cores allow.
        out: the study's folder.
        run: run what is not finished; --no-run only makes the tables and the page from finished
            runs, even if the study has changed since.
        tune: tune the learning rate of every arm first, if the study has a grid.
        keep_checkpoints: of finished runs.
        rows: also pack the rows that the page needs into this folder; when interrupted, those of
            the finished runs.
        json: print all tables as JSON.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    arms: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    jobs: int = 0
    out: Path = Path()
    run: bool = True
    tune: bool = True
    keep_checkpoints: bool = False
    rows: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> None:
    """``mstar compare STUDY [--FIELD VALUE ...]`` or ``mstar compare RUN [RUN ...]``."""
    if arguments and arguments[0] in STUDIES:
        return run_study(arguments[0], current_names(arguments[1:]))
    known = ", ".join(STUDIES)
    if arguments and not arguments[0].startswith("-") and not Path(arguments[0]).exists():
        nearest = unknown("study", arguments[0], STUDIES)
        raise ValueError(f"{nearest}. Nor is there a run's folder {arguments[0]!r}")
    options = tyro.cli(
        CompareOptions,
        args=arguments,
        prog="mstar compare",
        description=f"Base against evolved over finished runs, or one study:\n\n{known}.",
    )
    from mstar.experiments.evaluation.compare import compare_runs

    if not options.runs:
        raise ValueError(
            f"mstar compare needs the folder of at least one finished run, or a study: {known}"
        )
    print(compare_runs(options.runs))
    return None


def run_study(name: str, arguments: list[str]) -> None:
    """Tune, run and compare the arms of a study.

    Raises:
        ValueError: the study cannot be run as asked, or some of its runs failed.
    """
    study = STUDIES[name]
    options = parsed(name, arguments, StudyOptions(study.base, out=Path("runs") / name))
    from mstar.experiments.studies.page import write_page
    from mstar.experiments.studies.rows import keep, load
    from mstar.experiments.studies.tables import as_json

    plan = planned(name, options, arguments, saved_plan(options.out, name))
    console = Console(stderr=True)
    failures = carried_out(plan, options, console) if options.run else []
    there = saved_plan(options.out, name) or plan
    said = [str(failure) for failure in failures]
    wrong = "\n".join([f"{len(said)} runs failed; the same command tries them again", *said])
    try:
        rows = load(there, options.out)
    except ValueError as nothing:
        raise ValueError(wrong if said else nothing) from None
    page = write_page(rows, options.out, said)
    if options.rows is not None:
        keep(rows, options.out, options.rows)
    print(json.dumps(as_json(rows)) if options.json else (page.parent / "study.md").read_text())
    console.print(f"page: {page}", highlight=False, soft_wrap=True)
    if said:
        raise ValueError(wrong)


def carried_out(plan: Plan, options: StudyOptions, console: Console) -> list[Failure]:
    """Tune if the study has a grid, run what is not finished, and return the runs that failed."""
    from mstar.experiments.packed_rows import PACKED
    from mstar.experiments.studies.rows import keep, load
    from mstar.experiments.studies.tuning import chosen, tune

    if (options.out / PACKED).exists() and not (options.out / PLAN).exists():
        raise ValueError(
            f"{options.out} holds packed rows, which cannot be continued: give --no-run to see "
            "their tables, or unpack them with `python -m mstar.experiments.packed_rows "
            f"{options.out / PACKED} runs/{plan.name}` and give --out runs/{plan.name}"
        )
    jobs = options.jobs or max(1, (os.cpu_count() or 1) // options.recipe.run.threads)
    runner_options = RunnerOptions(jobs, options.keep_checkpoints, console)
    tuned = options.tune and plan.study.tuning is not None
    failures = tune(plan, options.out, runner_options) if tuned else []
    plan = replace(plan, rates=chosen(options.out) if tuned else {})
    runs = [r for r in plan.runs(options.out) if not tuned or r.arm in plan.rates]
    if unset := check(runs):
        without = f"of a version of mstar without {', '.join(unset)}"
        console.print(f"some runs there are {without}: the defaults stand for them", soft_wrap=True)
    plan.save(options.out)
    try:
        return failures + execute(runs, options.out, runner_options)
    except KeyboardInterrupt:
        if options.rows is not None and any(run.finished for run in runs):
            keep(load(plan, options.out), options.out, options.rows)  # before the process is killed
        raise


def parsed(name: str, arguments: list[str], default: StudyOptions) -> StudyOptions:
    """The options of a study from the command line."""
    study = STUDIES[name]
    arms = "\n\n".join(textwrap.wrap(f"Arms: {', '.join(study.arms)}.", 90))
    return tyro.cli(
        StudyOptions,
        args=arguments,
        prog=f"mstar compare {name}",
        description=f"{study.question}\n\n{arms}",
        default=default,
        config=(tyro.conf.OmitArgPrefixes,),
    )


def planned(name: str, options: StudyOptions, arguments: list[str], before: Plan | None) -> Plan:
    """The plan with the options given; others are taken from an earlier run in the folder."""
    study: Study = STUDIES[name]
    if "seed" in (changes := given(options.recipe, arguments)):
        raise ValueError("a study has several seeds: give --seeds 0 1 2, not --seed")
    arms = options.arms or (before.arms if before else study.usual)
    seeds = options.seeds or (before.seeds if before else study.seeds)
    return Plan(name, arms, seeds, {**(before.changes if before else {}), **changes})
