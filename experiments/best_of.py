"""What a step judge adds when one of N samples must be picked: best-of-N beside plain votes.

python -m mstar.experiments.best_of --out FILE.jsonl
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.collect import by_problem, collect
from mstar.agents.recipe import Recipe
from mstar.agents.sampler import LocalSampler
from mstar.agents.seeds import mix
from mstar.experiments.problems import open_env
from mstar.experiments.run_folder import Row, write_rows
from mstar.experiments.stats import estimate
from mstar.experiments.train import load_policy, prepare_torch
from mstar.rewards.self_consistency import answers_by_class

SIZES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class BestOf:
    """What is asked.

    Attributes:
        out: file for the rows, one a problem.
        model: the policy that samples.
        step_judge: folder of the judge; ``embedded`` is the one that ships.
        problems: unseen ones of the default recipe's families, per seed.
        seeds: of problems and sampling.
    """

    out: Path
    model: str = "embedded"
    step_judge: str = "embedded"
    problems: int = 50
    seeds: tuple[int, ...] = (0, 1, 2)


def sampled(settings: BestOf, seed: int) -> list[Row]:
    """The samples of each problem of a seed: which are right, their answers and their scores."""
    recipe = replace(
        Recipe(),
        model=settings.model,
        step_judge=settings.step_judge,
        seed=seed,
        panel=("correctness", "process", "self_certainty"),
    )
    env = open_env(recipe, "test")
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.batch_rows)
    heat = [1.0] * max(SIZES)
    rollouts = collect(sampler, env, env.draw(settings.problems), heat, mix(seed, 0, 6), 0)
    rows = []
    for problem, members in by_problem(rollouts).items():
        group = [rollouts[i] for i in members]
        said = answers_by_class([r.problem.attempt(r.response.text) for r in group])
        rows.append(
            {
                "seed": seed,
                "problem": problem,
                "right": [r.scores["correctness"] == 1.0 for r in group],
                "answers": [answer or "" for answer in said],
                "process": [r.scores["process"] for r in group],
                "self_certainty": [r.scores["self_certainty"] for r in group],
            }
        )
    return rows


def picked(row: Row, size: int) -> dict[str, float]:
    """Whether each way to pick one of the first `size` samples picks a right one."""
    right, answers = row["right"][:size], row["answers"][:size]
    scores = np.nan_to_num(np.array(row["process"][:size], np.float64))
    sure = np.nan_to_num(np.array(row["self_certainty"][:size], np.float64))
    return {
        "mean": float(np.mean(right)),
        "majority": float(right[_vote(answers, np.ones(size))]),
        "weighted vote": float(right[_vote(answers, scores)]),
        "best by process": float(right[int(scores.argmax())]),
        "best by certainty": float(right[int(sure.argmax())]),
        "any": float(any(right)),
    }


def _vote(answers: Sequence[str], weights: np.ndarray) -> int:
    """The first sample with the answer that weighs most; no answer has no vote.

    Equivalent answers are one answer: the rows hold the wording that stands for each class.
    """
    totals: dict[str, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        totals[answer] += float(weight) if answer else 0.0
    return answers.index(max(totals, key=lambda answer: totals[answer]))


def best_of_table(rows: Sequence[Row]) -> str:
    """The share right of each way to pick, by N, as a markdown table with 95 % intervals.

    Args:
        rows: a row a problem, of one or more seeds; intervals resample problems within a seed.
    """
    runs = [[row for row in rows if row["seed"] == seed] for seed in _seeds(rows)]
    ways = list(picked(rows[0], 1))
    lines = [f"| N | {' | '.join(ways)} |", "|---" * (len(ways) + 1) + "|"]
    for size in SIZES:
        found = [[picked(row, size) for row in run] for run in runs]
        cells = [estimate([np.array([row[way] for row in run]) for run in found]) for way in ways]
        shown = [f"{100 * c.mean:.1f} [{100 * c.low:.1f}, {100 * c.high:.1f}]" for c in cells]
        lines.append(f"| {size} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _seeds(rows: Sequence[Row]) -> list[int]:
    return sorted({row["seed"] for row in rows})


def best_of(settings: BestOf) -> list[Row]:
    """Sample and score; the rows are stored and returned."""
    prepare_torch(1)
    rows = [row for seed in settings.seeds for row in sampled(settings, seed)]
    write_rows(settings.out, rows)
    return rows


if __name__ == "__main__":
    Console().print(best_of_table(best_of(tyro.cli(BestOf))), soft_wrap=True)
