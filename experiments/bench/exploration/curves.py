"""Measure which of a policy's K samples are right at each temperature, and how they rank.

python -m mstar.experiments.bench.exploration.curves --out FILE.jsonl
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.rollout import by_problem, collect
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.seeds import mix
from mstar.agents.selection import ranking_score
from mstar.agents.types import Rollout
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch

TEMPERATURES = (0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.6)
RANKS = ("self_certainty", "process")


@dataclass(frozen=True)
class Curves:
    """The policy to measure.

    Attributes:
        out: file for the rows; rows of other policies in it are kept.
        policy: the name of the policy in the rows.
        model: ``embedded``, a folder or a hub name.
        problems: number of problems, from the default recipe's validation split.
        samples: K, the number of samples per problem and temperature; all temperatures use the same
            uniform numbers.
        seed: of problems and sampling.
    """

    out: Path
    policy: str = "base"
    model: str = "embedded"
    problems: int = 120
    samples: int = 16
    seed: int = 0


def curves(settings: Curves, temperatures: Sequence[float] = TEMPERATURES) -> list[Row]:
    """One row per problem and temperature.

    Returns:
        ``right``: K characters, 1 for a right sample. Under the name of each ranking score: the
        indices of the samples, the best first, as one hexadecimal digit each.
    """
    prepare_torch(1)
    panel = ("correctness", *RANKS)
    recipe = Recipe().replace(model=settings.model, seed=settings.seed, panel=panel)
    task = open_task(recipe, "validation")
    problems = task.draw(settings.problems)
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    rows: list[Row] = []
    for temperature in temperatures:
        # One call per temperature, so that sample k uses the same random numbers at each of them.
        seed, repeated = mix(settings.seed, 0, 7), [temperature] * settings.samples
        rollouts = collect(sampler, task, problems, repeated, seed, version=0)
        for members in by_problem(rollouts).values():
            group = [rollouts[i] for i in members]
            rows.append({"policy": settings.policy, "temperature": temperature, **_row(group)})
    return rows


def _row(group: Sequence[Rollout]) -> Row:
    orders = {
        rank: np.argsort([-ranking_score(r, rank) for r in group], kind="stable") for rank in RANKS
    }
    return {
        "problem": group[0].problem.id,
        "right": "".join(str(int(r.scores["correctness"] == 1.0)) for r in group),
        **{rank: "".join(f"{number:x}" for number in order) for rank, order in orders.items()},
        "entropy": round(float(np.mean([r.response.entropy for r in group])), 4),
    }


if __name__ == "__main__":
    asked = tyro.cli(Curves)
    from mstar.experiments.rows import read_rows

    kept = [row for row in read_rows(asked.out) if row["policy"] != asked.policy]
    write_rows(asked.out, [*kept, *curves(asked)])
    Console().print(f"{asked.out}: {asked.policy}")
