"""Does what responses at one temperature say about another hold? Both are sampled, and compared.

python -m mstar.experiments.bench.exploration.evidence --out FILE.jsonl
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console

from mstar.agents.explore.base import LADDER
from mstar.agents.explore.importance import DRAWS, EFFECTIVE, Discovery, discovery
from mstar.agents.explore.samples import pass_at, samples_of
from mstar.agents.rollout import collect
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.types import Samples
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch
from mstar.experiments.studies.catalog import EXPLORATION

TEMPERATURES = (0.4, 0.6, 0.85, 1.0, 1.3)


@dataclass(frozen=True)
class EvidenceCheck:
    """The policy to check.

    Attributes:
        out: file for the rows.
        model: ``embedded``, a folder or a hub name.
        problems: of the validation split of the study ``exploration``.
        samples: of each problem at each temperature, drawn with numbers of its own.
        seed: of problems and sampling.
    """

    out: Path
    model: str = "embedded"
    problems: int = 240
    samples: int = 8
    seed: int = 0


def check(settings: EvidenceCheck, temperatures: Sequence[float] = TEMPERATURES) -> list[Row]:
    """One row for each temperature sampled at and each other one: estimate and what was found.

    Returns:
        ``estimate`` of discovery by importance weights, ``found`` by samples there, both with their
        standard errors over problems, and the weights' ``effective`` share.
    """
    prepare_torch(1)
    recipe = EXPLORATION.base.replace(
        model=settings.model,
        seed=settings.seed,
        panel=("correctness",),
        rank="reward",
    )
    task = open_task(recipe, "validation")
    problems = task.draw(settings.problems)
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    sampler.record_ladder(LADDER)
    parts: dict[float, Samples] = {}
    for place, temperature in enumerate(temperatures):
        asked = [temperature] * settings.samples
        rollouts = collect(sampler, task, problems, asked, settings.seed + place, version=0)
        (parts[temperature],) = samples_of(rollouts, "reward")
    return [
        _row(parts[own], parts[other])
        for own in temperatures
        for other in temperatures
        if own != other
    ]


def _row(own: Samples, other: Samples) -> Row:
    estimated = discovery(own, other.temperature)
    assert isinstance(estimated, Discovery), "enough samples were drawn"
    unseen = 1 - np.nanmean(own.right, axis=1)
    found = unseen * pass_at(other, DRAWS)
    return {
        "own": own.temperature,
        "other": other.temperature,
        "problems": len(own.right),
        "samples": own.right.shape[1],
        "estimate": round(float(estimated.values.mean()), 4),
        "estimate_error": round(_error(estimated.values), 4),
        "found": round(float(found.mean()), 4),
        "found_error": round(_error(found), 4),
        "effective": round(estimated.effective, 3),
    }


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def evidence_table(rows: Sequence[Row]) -> str:
    """Estimates and what was found, in points with 95 % intervals over problems, as markdown."""
    lines = []
    for row in rows:
        told, found = _interval(row, "estimate"), _interval(row, "found")
        share, used = row["effective"], "yes" if row["effective"] >= EFFECTIVE else "no"
        lines.append(f"| {row['own']} | {row['other']} | {told} | {found} | {share:.2f} | {used} |")
    return table("| sampled at | about | estimate | found there | effective share | used |", lines)


def _interval(row: Row, key: str) -> str:
    middle, reach = 100 * row[key], 196 * row[f"{key}_error"]
    return f"{middle:.1f} [{middle - reach:.1f}, {middle + reach:.1f}]"


if __name__ == "__main__":
    asked = tyro.cli(EvidenceCheck)
    checked = check(asked)
    write_rows(asked.out, checked)
    Console().print(evidence_table(checked), soft_wrap=True)
