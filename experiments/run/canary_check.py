"""Check before a run starts whether its rewards would make it learn from junk responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mstar.agents.config import Recipe
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.experiments.rows import write_whole
from mstar.rewards.base import Scores
from mstar.rewards.diagnostics.canaries import CanaryReport, check_canaries
from mstar.rewards.panel import RewardPanel

GOLDENS = 8
SEARCHED = 200  # labelled problems to look for
FILE = "canaries.json"


@dataclass(frozen=True)
class CanaryCheck:
    """The result of scoring known good and junk responses with the run's panel.

    Attributes:
        problems: number of problems; each has one right ("golden") response.
        learned: by kind of response, the share that the run would learn from: responses that pass
            the gate or, for an online agent, get at least as much reward as the golden one.
        failures: a sentence for each response that scores higher than it may.
        junk: the kinds of junk that the run would learn from on most of the problems.
        deaf: whether the run would not learn from most of the golden responses.
        indifferent: reward models that give all responses, right ones and junk, the same score.
    """

    problems: int
    learned: Mapping[str, float]
    failures: tuple[str, ...]
    junk: tuple[str, ...]
    deaf: bool
    indifferent: tuple[str, ...] = ()

    @property
    def fatal(self) -> str | None:
        """Why the run must not start; None if it may."""
        if self.junk:
            return f"this run would learn from junk responses: {', '.join(self.junk)}"
        return "this run would not learn from right answers" if self.deaf else None

    def warnings(self) -> list[str]:
        """Lines for the terminal and the report; [] if nothing is wrong."""
        if not self.problems:
            return ["canaries: no labelled problem was found, so the rewards could not be checked"]
        told = [f"canaries: {self.fatal}"] if self.fatal else []
        told += [
            f"canaries: {name} gives right answers and junk the same score, and so tells nothing"
            for name in self.indifferent
        ]
        if self.failures:
            more = f", and {len(self.failures) - 1} more" if len(self.failures) > 1 else ""
            told.append(f"canaries: {self.failures[0]}{more} (see {FILE})")
        return told


def check_run(recipe: Recipe, task: Task, validation: Task) -> CanaryCheck:
    """Score known good and junk responses to a recipe's own problems with its panel.

    The golden responses are worked solutions, or reference answers where there are none. If the
    training problems are unlabelled, validation problems are used.
    """
    problems = _labelled(task, recipe.run.seed) or _labelled(validation, recipe.run.seed)
    report = _judged(task.panel, problems)
    rates = _learned(report, recipe)
    # A failure on one problem is only a warning; on most of them, the reward is broken.
    junk = tuple(kind for kind, share in rates.items() if kind != "golden" and share > 0.5)
    learns = recipe.run.agent != "sft"  # which learns from solutions only
    return CanaryCheck(
        len(problems),
        rates,
        report.failures,
        junk if learns else (),
        learns and rates.get("golden", 1.0) <= 0.5,
        tuple(name for name in report.table.names if _same(report.table[name])),
    )


def apply_check(check: CanaryCheck, recipe: Recipe, folder: Path | None) -> list[str]:
    """Store a check in the run's folder, if one is given, and return its warnings.

    Raises:
        ValueError: the run would learn from junk, and the recipe does not allow it.
    """
    if folder is not None:
        write_whole(folder / FILE, json.dumps(asdict(check), indent=2))  # other processes read it
    if check.fatal and recipe.run.canaries == "stop":
        raise ValueError(
            f"{check.fatal} (gate {recipe.selection.gate!r}, panel "
            f"{', '.join(recipe.rewards.panel)}; see {FILE} in the run's folder); choose "
            "another gate or weights, or --canaries warn for a control experiment"
        )
    return check.warnings()


def stored_check(folder: Path) -> CanaryCheck | None:
    """The check of a run's start; None before it, and for a run of a version without it."""
    path = folder / FILE
    return CanaryCheck(**json.loads(path.read_text())) if path.exists() else None


def stored_warnings(folder: Path) -> list[str]:
    """The warnings of that check."""
    check = stored_check(folder)
    return check.warnings() if check else []


def _labelled(task: Task, seed: int) -> list[Problem]:
    found: dict[str, Problem] = {}
    for index in range(SEARCHED):
        problem = task.problem(seed, index)
        if problem.answer is not None:
            found[problem.id] = problem
        if len(found) == GOLDENS:
            break
    return list(found.values())


def _judged(panel: RewardPanel, problems: Sequence[Problem]) -> CanaryReport:
    return check_canaries(panel, [problem.attempt(problem.solution) for problem in problems])


def _same(scores: Scores) -> bool:
    """Whether all scores are equal; abstentions aside, of which nothing can be said."""
    given = scores[~np.isnan(scores)]
    return len(given) > 1 and bool(given.min() == given.max())


def _learned(report: CanaryReport, recipe: Recipe) -> dict[str, float]:
    """The share of each kind of response that the run would learn from."""
    table, kinds = report.table, np.array(report.kinds, np.str_)
    golden = kinds == "golden"
    taken = table[recipe.selection.gate] == 1.0
    if recipe.learns_online:
        own = np.maximum.accumulate(
            np.where(golden, np.arange(len(kinds)), 0)
        )  # index of the golden response to each problem
        taken = np.where(golden, ~np.isnan(table.reward), table.reward >= table.reward[own])
    return {str(kind): float(taken[kinds == kind].mean()) for kind in dict.fromkeys(report.kinds)}
