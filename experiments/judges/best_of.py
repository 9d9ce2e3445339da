"""How well a step judge selects one of N samples, compared with plain majority votes.

python -m mstar.experiments.judges.best_of --out FILE.jsonl
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import step_judge_in
from mstar.agents.rollout import by_problem, collect
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.seeds import mix
from mstar.experiments.judges.figures import selection_curves
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch
from mstar.experiments.stats import Estimate, estimate
from mstar.rewards.voting import answers_by_class

SIZES = (1, 2, 4, 8, 16)
RANKS = {  # the scores that a row may hold, and their names in tables
    "process": "lowest step",
    "product": "product of steps",
    "outcome": "outcome",
    "self_certainty": "certainty",
    "lines": "number of lines",  # a control that ignores the content and prefers worked solutions
}


@dataclass(frozen=True)
class BestOf:
    """The policy that samples, and the judges that select.

    Attributes:
        out: file for the rows, one per problem.
        model: the policy that samples.
        step_judge: folder of the judge; ``embedded`` is the one that ships.
        outcome_judge: folder of an outcome judge to compare with; none if left out.
        figure: SVG file for the curves; none if left out.
        problems: number of unseen problems of the default recipe's families, per seed.
        seeds: of problems and sampling.
    """

    out: Path
    model: str = "embedded"
    step_judge: str = "embedded"
    outcome_judge: str = ""
    figure: Path | None = None
    problems: int = 50
    seeds: tuple[int, ...] = (0, 1, 2)


def sampled(settings: BestOf, seed: int) -> list[Row]:
    """The samples of each problem of a seed: whether they are right, their answers and scores."""
    judges = ("process", "outcome") if settings.outcome_judge else ("process",)
    recipe = Recipe().replace(
        model=settings.model,
        step_judge=settings.step_judge,
        outcome_judge=settings.outcome_judge,
        seed=seed,
        panel=("correctness", "self_certainty", *judges),
    )
    task = open_task(recipe, "test")
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    temperatures = [1.0] * max(SIZES)
    rollouts = collect(
        sampler, task, task.draw(settings.problems), temperatures, mix(seed, 0, 6), 0
    )
    attempts = [r.problem.attempt(r.response.text) for r in rollouts]
    chains = step_judge_in(task.panel).scores(attempts)
    rows = []
    for problem, members in by_problem(rollouts).items():
        group = [rollouts[i] for i in members]
        said = answers_by_class([attempts[i] for i in members])
        rows.append(
            {
                "seed": seed,
                "problem": problem,
                "right": [r.scores["correctness"] == 1.0 for r in group],
                "answers": [answer or "" for answer in said],
                "product": [round(float(np.prod(chains[i])), 4) for i in members],
                "lines": [len(chains[i]) for i in members],
                **{
                    name: [round(r.scores[name], 4) for r in group]
                    for name in ("self_certainty", *judges)
                },
            }
        )
    return rows


def picked(row: Row, size: int) -> dict[str, float]:
    """For each way to select one of the first `size` samples, whether it selects a right one."""
    right, answers = row["right"][:size], row["answers"][:size]
    ways = {
        "mean": float(np.mean(right)),
        "majority": float(right[_vote(answers, np.ones(size))]),
    }
    for name, shown in RANKS.items():
        if name in row:
            scores = np.nan_to_num(np.array(row[name][:size], np.float64))
            ways[f"weighted vote, {shown}"] = float(right[_vote(answers, scores)])
            ways[f"best of N, {shown}"] = float(right[int(scores.argmax())])
    return {**ways, "any": float(any(right))}


def _vote(answers: Sequence[str], weights: np.ndarray) -> int:
    """The index of the first sample with the heaviest answer; samples without an answer don't vote.

    Equivalent answers count as one: the rows hold one text for each class of answers.
    """
    totals: dict[str, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        totals[answer] += float(weight) if answer else 0.0
    return answers.index(max(totals, key=lambda answer: totals[answer]))


def best_of_table(rows: Sequence[Row]) -> str:
    """The accuracy of each way to select, by N, as a markdown table with 95 % intervals.

    Args:
        rows: one per problem, of one or more seeds; intervals resample problems within a seed.
    """
    found = best_of_estimates(rows)
    lines = [
        f"| {way} | {' | '.join(percent(found[size][way]) for size in SIZES)} |"
        for way in found[SIZES[0]]
    ]
    return table("| selected by |" + "".join(f" N = {size} |" for size in SIZES), lines)


def best_of_estimates(rows: Sequence[Row]) -> dict[int, dict[str, Estimate]]:
    """The accuracy of each way to select, by N and way."""
    found: dict[int, dict[str, Estimate]] = {}
    for size in SIZES:
        right = _picked_by_seed(rows, size)
        found[size] = {
            way: estimate([np.array([row[way] for row in run]) for run in right])
            for way in right[0][0]
        }
    return found


def advantage(rows: Sequence[Row], way: str, other: str, size: int = max(SIZES)) -> Estimate:
    """The accuracy of one way to select minus that of another, on the same problems."""
    return _difference(_picked_by_seed(rows, size), way, other)


def advantages(rows: Sequence[Row]) -> str:
    """The gain of each way over plain votes at the largest N, in points, paired by problem.

    It is also compared with a vote weighted by the number of lines, which ignores their content.
    """
    ways = picked(rows[0], 1)
    votes = [vote for vote in ("majority", "weighted vote, number of lines") if vote in ways]
    runs = _picked_by_seed(rows, max(SIZES))
    lines = [
        f"| {way} | {' | '.join(percent(_difference(runs, way, vote), '+') for vote in votes)} |"
        for way in ways
        if way not in ("mean", "any", *votes)
    ]
    than = " | ".join(f"than {vote}" for vote in votes)
    return table(f"| N = {max(SIZES)}, in points | {than} |", lines)


def _difference(runs: Sequence[Sequence[dict[str, float]]], way: str, other: str) -> Estimate:
    return estimate([np.array([row[way] - row[other] for row in run]) for run in runs])


def _picked_by_seed(rows: Sequence[Row], size: int) -> list[list[dict[str, float]]]:
    return [[picked(row, size) for row in rows if row["seed"] == seed] for seed in _seeds(rows)]


def _seeds(rows: Sequence[Row]) -> list[int]:
    return sorted({row["seed"] for row in rows})


def best_of(settings: BestOf) -> list[Row]:
    """Sample and score; write the rows to ``settings.out`` and return them."""
    prepare_torch(1)
    rows = [row for seed in settings.seeds for row in sampled(settings, seed)]
    write_rows(settings.out, rows)
    if settings.figure is not None:
        settings.figure.write_text(selection_curves(best_of_estimates(rows)))
    return rows


if __name__ == "__main__":
    stored = best_of(tyro.cli(BestOf))
    Console().print(f"{best_of_table(stored)}\n\n{advantages(stored)}", soft_wrap=True)
