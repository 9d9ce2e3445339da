"""report.html: one file that shows a run, made from its stored rows."""

from __future__ import annotations

import base64
import inspect
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from PIL import Image

from mstar.agents.config import Recipe
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.registry import resolve
from mstar.envs.task import Task
from mstar.experiments import plots
from mstar.experiments.evaluation.evaluate import METRICS, gain, values
from mstar.experiments.evaluation.out_of_domain import FILE as OUT_OF_DOMAIN
from mstar.experiments.evaluation.variants import Line, by_variant, consistency, in_training
from mstar.experiments.markdown import interval
from mstar.experiments.page import page
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.canary_check import stored_warnings
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import Estimate, estimate
from mstar.experiments.terminal import printable
from mstar.rewards import Correctness, RewardPanel

SHOWN = 12  # problems shown with their rollouts
IMAGE_SIZE = 168  # pixels


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of base and evolved on the same problems."""

    group: str
    metric: str
    base: Estimate
    evolved: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run."""

    comparisons: tuple[Comparison, ...]

    def text(self) -> str:
        """One line per metric, for the terminal."""
        return "\n".join(
            f"{c.group:12} {c.metric:7} {100 * c.base.mean:5.1f} % -> {100 * c.evolved.mean:5.1f} %"
            f"   {100 * c.gain.mean:+.1f} points {interval(c.gain, '+')}   n = {c.gain.n}"
            for c in self.comparisons
        )

    def as_json(self) -> list[Row]:
        """The same as JSON values."""
        return [asdict(comparison) for comparison in self.comparisons]


def summarise(folder: RunFolder) -> Summary:
    """Base against evolved for each group of test problems and each metric.

    Raises:
        ValueError: the run has not been tested yet.
    """
    rows = read_rows(folder.path / "evaluation.jsonl")
    if not rows:
        raise ValueError(
            f"{folder.path} has no evaluation yet; run `mstar train --out {folder.path}` to its end"
        )
    groups = dict.fromkeys(row["group"] for row in rows)
    return Summary(tuple(compare(rows, group, metric) for group in groups for metric in METRICS))


def compare(rows: list[Row], group: str, metric: str, family: str | None = None) -> Comparison:
    """One metric on the test problems of a group, or of one family in it."""
    chosen = [r for r in rows if r["group"] == group and family in (None, r["family"])]
    base = [r for r in chosen if r["policy"] == "base"]
    evolved = [r for r in chosen if r["policy"] == "evolved"]
    return Comparison(
        group if family is None else family,
        metric,
        estimate([values(base, metric)]),
        estimate([values(evolved, metric)]),
        gain([base], [evolved], metric),
    )


def write_report(folder: RunFolder) -> Path:
    """Write report.html; returns its path."""
    recipe, rounds = folder.recipe(), folder.rounds()
    rows = read_rows(folder.path / "evaluation.jsonl")
    written = page(
        "run/report.html.jinja",
        name=folder.path.name,
        recipe=recipe,
        described=json.loads((folder.path / "recipe.json").read_text()),
        comparisons=summarise(folder).comparisons,
        families=_families(rows),
        rounds=rounds,
        figures=_figures(rounds, rows, read_rows(folder.path / OUT_OF_DOMAIN)),
        exploration=_exploration(folder, rounds),
        controller=controller_summary(recipe.exploration.controller),
        examples=_examples(folder, recipe, rounds),
        cost=rounds[-1]["cost"],
        variants=_variants(folder),
        alarms=[alarm for row in rounds for alarm in row.get("alarms", ())],
        warnings=stored_warnings(folder.path),
        lost=folder.lost_rollouts(),
    )
    path = folder.path / "report.html"
    path.write_text(written)
    return path


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


def controller_summary(name: str) -> str:
    """The description of an exploration controller: the first paragraph of its docstring."""
    documented = inspect.getdoc(resolve("controller", CONTROLLERS, name)) or ""
    return " ".join(documented.partition("\n\n")[0].split())


def _exploration(folder: RunFolder, rounds: list[Row]) -> list[dict[str, Any]]:
    """The controller's measurements after each round, and its choices for the next one.

    Returns:
        One row per round. ``measured`` holds temperature, Reward-Pass@2 and pass@1 on validation
        problems for every evaluated temperature. ``chosen`` and ``threshold`` belong to the next
        round's plan; they are None after the last round. ``largest`` is the largest number of
        responses to one problem of the round.
    """
    found = []
    for row, following in zip(rounds, [*rounds[1:], None], strict=True):
        plan = following["plan"] if following else None
        problems = [each["problem"] for each in folder.rollouts(row["number"], ["problem"])]
        found.append(
            {
                "round": row["number"],
                "measured": [
                    (float(temperature), spread["reward_pass_2"], spread["pass_1"])
                    for temperature, spread in row["dynamics"]["spread"].items()
                ],
                "chosen": plan["temperature"] if plan else None,
                "threshold": plan["threshold"] if plan else None,
                "largest": max(Counter(problems).values(), default=0),
            }
        )
    return found


def _examples(folder: RunFolder, recipe: Recipe, rounds: list[Row]) -> list[dict[str, Any]]:
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
                {
                    "round": number,
                    "problem": problem,
                    "question": responses[0]["question"],
                    "answer": responses[0]["answer"],
                    "image": _image(task, problem),
                    "responses": [_response(row) for row in responses],
                }
            )
    return examples


def _response(row: Row) -> dict[str, Any]:
    scores = {k.removeprefix("score/"): v for k, v in row.items() if k.startswith("score/")}
    return {"text": printable(row["response"]), "scores": scores, "kept": row["kept"], "row": row}


def _image(task: Task, problem: str) -> str:
    """The problem's first image as a data URL; a white one for a problem in words only."""
    images = task.find(problem).images
    image = images[0].render(IMAGE_SIZE) if images else Image.new("RGB", (1, 1), "white")
    image.thumbnail((320, 320))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
