"""How well Monte-Carlo labels agree with exact ones on the steps of unseen problems.

python -m mstar.experiments.judges.label_agreement --out FILE.jsonl
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.judges.monte_carlo import monte_carlo
from mstar.agents.sampling.local import LocalSampler
from mstar.experiments.judges.evaluation import evaluation_items
from mstar.experiments.judges.examples import JudgeExamples
from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch
from mstar.experiments.stats import estimate


@dataclass(frozen=True)
class LabelAgreement:
    """The policy whose completions label steps, and the problems.

    Attributes:
        out: file for the rows, one per response.
        model: the policy that completes.
        completions: number per prefix of a response.
        problems: number per seed; each gives its solution, a corrupted one and a sample.
        seeds: of problems and sampling.
    """

    out: Path
    model: str = "embedded"
    completions: int = 8
    problems: int = 40
    seeds: tuple[int, ...] = (0, 1, 2)


def compared(settings: LabelAgreement) -> list[Row]:
    """The exact and the Monte-Carlo label of every step, one row per response."""
    prepare_torch(1)
    examples = JudgeExamples(model=settings.model, samples=1)
    recipe = examples.recipe()
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    rows: list[Row] = []
    for seed in settings.seeds:
        task = open_task(recipe.replace(seed=seed), "test")
        asked = evaluation_items(examples, "test", settings.problems, [seed])
        problems = {question.example.problem.id: question.example.problem for question in asked}
        places = {name: place for place, name in enumerate(problems)}
        prompts = [task.prompt(problem) for problem in problems.values()]
        pairs = [(places[q.example.problem.id], q.example) for q in asked]
        found = monte_carlo(sampler, prompts, pairs, settings.completions, "soft", seed)
        for question, other in zip(asked, found, strict=True):
            example = question.example
            rows.append(
                {
                    "seed": seed,
                    "problem": example.problem.id,
                    "source": question.source,
                    "kind": example.kind,
                    "exact": list(example.right),
                    "share": list(other.right),
                }
            )
    write_rows(settings.out, rows)
    return rows


def agreement_table(rows: Sequence[Row]) -> str:
    """How often the labels agree on steps before the last, as a markdown table.

    ``hard`` calls a step right if any completion reached the answer, ``soft`` if half of them did.
    The last step is verified by both. Intervals resample responses within a seed.

    Args:
        rows: one per response.
    """
    head = "| steps | hard labels agree | soft labels agree | mean share of right completions | n |"
    lines = []
    for name, wanted in (("right so far", 1.0), ("wrong so far", 0.0)):
        cells = []
        for least in (1e-9, 0.5, None):
            runs = []
            for seed in sorted({row["seed"] for row in rows}):
                pairs = [
                    share
                    for row in rows
                    if row["seed"] == seed
                    for label, share in zip(row["exact"][:-1], row["share"][:-1], strict=True)
                    if label == wanted
                ]
                values = np.array(pairs, np.float64)
                runs.append(values if least is None else ((values >= least) == bool(wanted)) * 1.0)
            cells.append(estimate(runs))
        lines.append(f"| {name} | {' | '.join(map(percent, cells))} | {cells[0].n} |")
    return table(head, lines)


if __name__ == "__main__":
    Console().print(agreement_table(compared(tyro.cli(LabelAgreement))), soft_wrap=True)
