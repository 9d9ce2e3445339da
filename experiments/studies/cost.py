"""What the runs of a study cost: practice, measuring, and what went beyond the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mstar.experiments.rows import Row
from mstar.experiments.studies.rows import RunRows, StudyRows


@dataclass(frozen=True)
class Spending:
    """What a run of an arm cost, the mean over its seeds.

    Attributes:
        arm: of the study.
        seeds: how many runs.
        rounds: of practice.
        updates: of the optimizer.
        responses: sampled for practice.
        tokens: generated for practice.
        probed: of these tokens, those of the temperatures that a controller asked for.
        overshoot: tokens beyond the budget, of which a round is never cut short; 0 without one.
        flops: of practice, estimated.
        seconds: of practice, wall time beside whatever else ran.
        measured_tokens: generated for the measurement that all arms have in common.
        measured_seconds: of it.
    """

    arm: str
    seeds: int
    rounds: float
    updates: float
    responses: float
    tokens: float
    probed: float
    overshoot: float
    flops: float
    seconds: float
    measured_tokens: float
    measured_seconds: float


def spendings(rows: StudyRows) -> list[Spending]:
    """What the runs of every arm cost."""
    return [spending(arm, list(rows.of(arm).values())) for arm in rows.arms]


def spending(arm: str, runs: Sequence[RunRows]) -> Spending:
    """The mean bill of runs."""
    bills = [practice(run.rounds[-1]) for run in runs]

    def mean(numbers: Sequence[float]) -> float:
        return float(np.mean(numbers))

    return Spending(
        arm,
        len(runs),
        mean([run.rounds[-1]["number"] for run in runs]),
        mean([updates(run.rounds) for run in runs]),
        mean([bill["responses"] for bill in bills]),
        mean([bill["tokens"] for bill in bills]),
        mean([sum(probed(r, run.recipe.sampling.temperature) for r in run.rounds) for run in runs]),
        mean(
            [
                max(0, bill["tokens"] - run.recipe.run.token_budget)
                if run.recipe.run.token_budget
                else 0
                for run, bill in zip(runs, bills, strict=True)
            ]
        ),
        mean([bill["flops"] for bill in bills]),
        mean([bill["seconds"] for bill in bills]),
        mean([run.rounds[-1]["cost"]["measured_tokens"] for run in runs]),
        mean([run.rounds[-1]["cost"]["measured_seconds"] for run in runs]),
    )


def updates(rounds: Sequence[Row]) -> int:
    """Of the optimizer in all; an agent that begins a new one every round counts from 0 again."""
    counts = [0, *(row["tuned"]["updates"] for row in rounds if row["tuned"])]
    return sum(now - before if now > before else now for before, now in pairwise(counts))


def probed(row: Row, first: float) -> float:
    """Tokens of a round's measurement at other temperatures than the plan's.

    Args:
        row: of the round.
        first: the temperature that a run begins with, which its round 0 does not tell.
    """
    look, plan = row["dynamics"], row["plan"]
    present = plan["temperature"] if plan else first
    asked = [spread for heat, spread in look["spread"].items() if float(heat) != present]
    responses = look["problems"] * look["samples"]
    return sum((float(spread["length"] * responses) for spread in asked), 0.0)


def practice(row: Row) -> dict[str, float]:
    """What had been spent on practice by the end of a round: all less measuring."""
    cost = row["cost"]
    return {
        name: cost[name] - cost[f"measured_{name}"]
        for name in ("responses", "tokens", "flops", "seconds")
    }
