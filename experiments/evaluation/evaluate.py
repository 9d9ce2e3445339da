"""Test a policy greedily and by sampling, one row per problem, so that runs can be paired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mstar.agents.rollout import by_problem, collect
from mstar.agents.sampling.base import Sampler
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.experiments.rows import Row
from mstar.experiments.stats import Estimate, estimate

METRICS = ("greedy", "pass@1", "pass@k")


def evaluate(
    sampler: Sampler,
    task: Task,
    problems: Sequence[Problem],
    samples: int,
    seed: int,
    temperature: float = 1.0,
    **labels: str,
) -> list[Row]:
    """One greedy answer to each problem, and `samples` answers sampled at a temperature.

    Returns:
        One row per problem: id, family, level, template, skill (see ``skill_of``), ``greedy`` and
        ``samples`` (whether each answer is right), ``cut`` (whether the limit on the length cut
        each answer, the greedy one first), the greedy response, and the labels.
    """
    rollouts = collect(sampler, task, problems, [0.0] + [temperature] * samples, seed, version=0)
    return [
        {**labels, **_row([rollouts[i] for i in members])}
        for members in by_problem(rollouts).values()
    ]


def _row(rollouts: list[Rollout]) -> Row:
    right = [r.scores["correctness"] == 1.0 for r in rollouts]
    problem = rollouts[0].problem
    return {
        "id": problem.id,
        "family": problem.tags.get("family", ""),
        "level": problem.tags.get("level", ""),
        "template": problem.template,
        "skill": skill_of(problem),
        "greedy": right[0],
        "samples": right[1:],
        "cut": [not r.response.finished for r in rollouts],
        "response": rollouts[0].response.text,
        "tokens": sum(len(r.response.tokens) for r in rollouts),
    }


def skill_of(problem: Problem) -> str:
    """What a problem asks for: ``reading`` what is in the image, or ``reasoning`` about it.

    Whether the exact solution computes anything decides; "" if none is known.
    """
    kinds = {step.kind for step in problem.steps}
    return "" if not kinds else "reasoning" if "compute" in kinds else "reading"


def values(rows: Sequence[Row], metric: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The value of a metric for each row, (N,), in the order of the rows.

    Args:
        rows: from ``evaluate``.
        metric: ``greedy``; ``pass@1``, the share of the samples that are right; ``pass@k``,
            whether any is; or ``cut``, the share of all answers that the limit cut.
    """
    if metric == "greedy":
        return np.array([row["greedy"] for row in rows], float)
    if metric == "pass@1":
        return np.array([sum(row["samples"]) / len(row["samples"]) for row in rows], float)
    if metric == "pass@k":
        return np.array([any(row["samples"]) for row in rows], float)
    if metric == "cut":
        return np.array([sum(row["cut"]) / len(row["cut"]) for row in rows], float)
    raise ValueError(f"metric {metric!r} is not known; use one of {METRICS} or 'cut'")


def gain(base: Sequence[Sequence[Row]], evolved: Sequence[Sequence[Row]], metric: str) -> Estimate:
    """The paired difference, evolved minus base, over runs.

    Raises:
        ValueError: the two sides of a run answered different problems.
    """
    differences = []
    for before, after in zip(base, evolved, strict=True):
        if [row["id"] for row in before] != [row["id"] for row in after]:
            raise ValueError("base and evolved answered different problems: they cannot be paired")
        differences.append(values(after, metric) - values(before, metric))
    return estimate(differences)
