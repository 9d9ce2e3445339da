"""report.html: one file that shows a run, made from its stored rows; it needs no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mstar.agents.config import Recipe
from mstar.envs.task import Task
from mstar.experiments import plots
from mstar.experiments.audit.errors import AuditSummary, summarise_verdicts
from mstar.experiments.audit.population import RunSubject
from mstar.experiments.evaluation.out_of_domain import FILE as OUT_OF_DOMAIN
from mstar.experiments.evaluation.variants import Line, by_variant, consistency, in_training
from mstar.experiments.page import page
from mstar.experiments.report.choices import choices_of, controller_summary
from mstar.experiments.report.responses import image_address, shortened, telling_responses
from mstar.experiments.report.summary import Comparison, compare, summarise
from mstar.experiments.report.verdict import duration, most_memory, verdict_of
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.canary_check import stored_warnings
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.verdicts import FILE as VERDICTS
from mstar.experiments.verdicts import called_bad, read_verdicts, verdict_file
from mstar.rewards import Correctness, RewardPanel

SHOWN = 8  # problems shown with all their responses


@dataclass(frozen=True, slots=True)
class Example:
    """A problem of a round with all its responses.

    Attributes:
        round: its number.
        problem: its id.
        question: as it was asked.
        answer: the reference answer.
        image: the first one as an address of itself.
        responses: the stored rows, with the text to show and the scores by name.
    """

    round: int
    problem: str
    question: str
    answer: str | None
    image: str
    responses: tuple[Row, ...]


def write_report(folder: RunFolder) -> Path:
    """Write report.html; returns its path."""
    recipe, rounds = folder.recipe(), folder.rounds()
    rows = read_rows(folder.path / "evaluation.jsonl")
    summary, audit = summarise(folder), audit_of(folder)
    responses = telling_responses(RunSubject(folder, folder.path / VERDICTS))
    written = page(
        "report/run_report.html.jinja",
        name=folder.path.name,
        path=str(folder.path),
        recipe=recipe,
        described=json.loads((folder.path / "recipe.json").read_text()),
        verdict=verdict_of(summary, rounds, audit, str(folder.path)),
        comparisons=summary.comparisons,
        families=_families(rows),
        rounds=rounds,
        figures=_figures(rounds, rows, read_rows(folder.path / OUT_OF_DOMAIN)),
        choices=choices_of(folder, rounds),
        controller=controller_summary(recipe.exploration.controller),
        responses=responses,
        tags=list(dict.fromkeys(tag for each in responses for tag in each.tags)),
        examples=_examples(folder, recipe, rounds),
        cost=rounds[-1]["cost"],
        duration=duration(rounds[-1]["cost"]["seconds"]),
        memory=most_memory(rounds),
        stages=_stages(rounds),
        variants=_variants(folder),
        alarms=[alarm for row in rounds for alarm in row.get("alarms", ())],
        warnings=stored_warnings(folder.path),
        lost=folder.lost_rollouts(),
        audit=audit,
        left_out=len(called_bad(verdict_file(Path(recipe.data.audit)))) if recipe.data.audit else 0,
    )
    path = folder.path / "report.html"
    path.write_text(written)
    return path


def audit_of(folder: RunFolder) -> AuditSummary | None:
    """What people said of the run; None where nobody was asked."""
    path = folder.path / VERDICTS
    return summarise_verdicts(path) if read_verdicts(path) else None


def _stages(rounds: Sequence[Row]) -> dict[str, float]:
    """Seconds of each stage over all rounds, the longest first."""
    found: dict[str, float] = {}
    for row in rounds:
        for stage, seconds in row["seconds"].items():
            found[stage] = found.get(stage, 0.0) + seconds
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _variants(folder: RunFolder) -> list[Line]:
    """Accuracy by phrasing in training and, if it was tested in several phrasings, in the test."""
    stored: list[Row] = []
    for row in folder.rounds():
        stored += folder.rollouts(row["number"], ["problem", "phrasing", "oracle"])
    tested = read_rows(folder.path / "variants.jsonl")
    return [*in_training(stored), *by_variant(tested), *consistency(tested)]


def _families(rows: list[Row]) -> list[Comparison]:
    names = dict.fromkeys((row["group"], row["family"]) for row in rows)
    return [compare(rows, group, "greedy", family) for group, family in names]


def _figures(rounds: list[Row], rows: list[Row], elsewhere: list[Row]) -> dict[str, Markup]:
    bars = {}
    for comparison in _families(rows):
        estimated = comparison.gain
        bars[comparison.group] = (estimated.mean, estimated.low, estimated.high)
    figures = {"gains": plots.gains(bars), "curves": plots.curves(rounds)}
    if "drift" in rounds[-1]["dynamics"]:  # runs of versions without guards have fewer metrics
        figures["trust"] = plots.trust(rounds)
        figures["agreement"] = plots.agreement(rounds)
    if elsewhere:
        figures["elsewhere"] = plots.elsewhere(rounds, elsewhere)
    if len(rounds) > 1:
        figures["exploration"] = plots.exploration(rounds)
        figures["selection"] = plots.selection(rounds)
    return {
        name: Markup(svg) for name, svg in figures.items()
    }  # safe: made by us, not by the policy


def _examples(folder: RunFolder, recipe: Recipe, rounds: list[Row]) -> list[Example]:
    """Problems of the first and the last round with all their responses."""
    trained = [row["number"] for row in rounds if row["plan"]]
    task = open_task(
        recipe, "train", panel=RewardPanel([Correctness()])
    )  # only its problems are used
    examples = []
    for number in dict.fromkeys([*trained[:1], *trained[-1:]]):
        stored = folder.rollouts(number)
        problems = list(dict.fromkeys(row["problem"] for row in stored))
        step = max(1, len(problems) // (SHOWN // 2) + 1)
        for problem in problems[::step]:
            responses = [row for row in stored if row["problem"] == problem]
            examples.append(
                Example(
                    number,
                    problem,
                    responses[0]["question"],
                    responses[0]["answer"],
                    _image(task, problem),
                    tuple(_response(row) for row in responses),
                )
            )
    return examples


def _response(row: Row) -> dict[str, Any]:
    scores = {k.removeprefix("score/"): v for k, v in row.items() if k.startswith("score/")}
    return {**row, "text": shortened(row["response"]), "scores": scores}


def _image(task: Task, problem: str) -> str:
    return image_address([image.render(336) for image in task.find(problem).images[:1]])
