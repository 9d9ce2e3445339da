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
    **labels: str,
) -> list[Row]:
    """One greedy answer to each problem, and `samples` answers sampled at temperature 1.

    Returns:
        One row per problem: id, family, level, ``greedy`` and ``samples`` (whether each answer is
        right), the greedy response, and the labels.
    """
    rollouts = collect(sampler, task, problems, [0.0] + [1.0] * samples, seed, version=0)
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
        "greedy": right[0],
        "samples": right[1:],
        "response": rollouts[0].response.text,
        "tokens": sum(len(r.response.tokens) for r in rollouts),
    }


def values(rows: Sequence[Row], metric: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The value of a metric for each row, (N,), in the order of the rows.

    Args:
        rows: from ``evaluate``.
        metric: ``greedy``; ``pass@1``, the share of the samples that are right; or ``pass@k``,
            whether any is.
    """
    if metric == "greedy":
        return np.array([row["greedy"] for row in rows], float)
    if metric == "pass@1":
        return np.array([sum(row["samples"]) / len(row["samples"]) for row in rows], float)
    if metric == "pass@k":
        return np.array([any(row["samples"]) for row in rows], float)
    raise ValueError(f"metric {metric!r} is not known; use one of {METRICS}")


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
