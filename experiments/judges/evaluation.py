"""How well a judge locates the first error of responses to unseen problems.

python -m mstar.experiments.judges.evaluation --out FILE.jsonl
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge
from mstar.agents.judges.step_labels import (
    LabelledResponse,
    correct_solution,
    corrupted_solution,
    outcome_label,
)
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Split
from mstar.experiments.judges.errors import SOURCES, error_table, first_error_f1
from mstar.experiments.judges.examples import JudgeExamples, samples_of
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch
from mstar.rewards.models.process import first_error

THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 50))


@dataclass(frozen=True)
class EvaluationOptions:
    """The judge to evaluate, and the responses it is given.

    Attributes:
        out: file for the rows, one per response.
        judge: folder of the judge.
        examples: the policy whose samples are judged, and the problems.
        problems: number of unseen problems per seed.
        seeds: of problems and sampling.
    """

    out: Path
    judge: Path = STEP_JUDGE
    examples: tyro.conf.OmitArgPrefixes[JudgeExamples] = field(
        default_factory=lambda: JudgeExamples(problems=200)
    )
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class EvaluationItem:
    """A labelled response to be judged.

    Attributes:
        seed: of its problem.
        source: ``exact``, a correct solution; ``slip``, a corrupted one; or ``own``, a sample of
            the policy.
        example: the response.
    """

    seed: int
    source: str
    example: LabelledResponse


def evaluation_items(
    settings: JudgeExamples, split: Split, problems: int, seeds: Sequence[int]
) -> list[EvaluationItem]:
    """Exact solutions, corrupted ones, and the policy's own samples, seed by seed.

    A problem without a worked solution has samples only, labelled at their end.
    """
    recipe = settings.recipe()
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    found: list[EvaluationItem] = []
    for seed in seeds:
        rng = np.random.default_rng([settings.seed, seed])
        tasks = [
            open_task(settings.recipe(number).replace(seed=seed), split)
            for number in range(len(settings.levels))
        ]
        task = tasks[0]  # its prompts are the same as those of the others
        drawn = [problem for each in tasks for problem in each.draw(problems // len(tasks))]
        own = samples_of(sampler, drawn, [task.prompt(p) for p in drawn], settings.samples, seed)
        asked: list[tuple[str, LabelledResponse | None]] = []
        if settings.target == "process":
            worked = [problem for problem in drawn if problem.steps]
            asked += [("exact", correct_solution(problem)) for problem in worked]
            asked += [("slip", corrupted_solution(problem, rng)) for problem in worked]
        for example in (one for group in own for one in group if one):
            known = settings.target == "process" and example.problem.steps
            asked.append(("own", example if known else outcome_label(example)))
        found += [EvaluationItem(seed, source, example) for source, example in asked if example]
    return found


def judged_rows(judge: StepJudge, asked: Sequence[EvaluationItem]) -> list[Row]:
    """One row per response: its first error, the judge's scores, and the error that it finds.

    A step without a label is ignored: its score is set to 1.

    Args:
        judge: has the threshold to use.
        asked: the responses.
    """
    responses = ["\n".join(question.example.steps) for question in asked]
    attempts = [
        question.example.problem.attempt(response)
        for question, response in zip(asked, responses, strict=True)
    ]
    rows = []
    for question, steps in zip(asked, judge.scores(attempts), strict=True):
        example = question.example
        counted = np.where(np.isnan(example.right), 1.0, steps)
        rows.append(
            {
                "seed": question.seed,
                "problem": example.problem.id,
                "family": example.problem.tags.get("family", ""),
                "source": question.source,
                "kind": example.kind,
                "first_error": example.first_error,
                "seen": first_error(counted, judge.threshold),
                "scores": [round(float(score), 4) for score in counted],
            }
        )
    return rows


def best_threshold(rows: Sequence[Row]) -> float:
    """The threshold with the best mean F1 over the sources of the responses.

    Args:
        rows: of validation problems: choosing the threshold on test problems would bias the result.
    """
    sources = [
        chosen
        for known in SOURCES.values()
        if (chosen := [r for r in rows if r["source"] in known])
    ]

    def quality(threshold: float) -> float:
        return sum(
            first_error_f1(
                [
                    {**row, "seen": first_error(np.array(row["scores"]), threshold)}
                    for row in chosen
                ],
                resamples=0,
            ).f1
            for chosen in sources
        )

    return max(THRESHOLDS, key=quality)


def evaluate_judge(settings: EvaluationOptions) -> list[Row]:
    """Evaluate a judge on test problems; its rows are written to a file and returned."""
    prepare_torch(1)
    judge = StepJudge.load(settings.judge)
    examples = settings.examples
    asked = evaluation_items(examples, "test", examples.problems, settings.seeds)
    rows = judged_rows(judge, asked)
    write_rows(settings.out, rows)
    return rows


if __name__ == "__main__":
    Console().print(error_table(evaluate_judge(tyro.cli(EvaluationOptions))), soft_wrap=True)
