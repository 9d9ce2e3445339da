"""Restore rollouts from the stored rows of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mstar.agents.sampling.base import Response
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.envs.variants.phrasing import Phrasing, phrase
from mstar.experiments.rows import Row
from mstar.rewards.base import Attempt

SCORE = "score/"


def rollouts_of(rows: Sequence[Row], task: Task) -> list[Rollout]:
    """The rollouts of stored rows; of their tokens only the number is stored.

    Args:
        rows: from ``read_rollouts``.
        task: finds the problems, makes their prompts, and says by its panel which responses count.
    """
    problems: dict[tuple[str, str], Problem] = {}
    for row in rows:
        if (asked := _asked(row)) not in problems:
            problems[asked] = phrase(task.find(asked[0]), Phrasing.read(asked[1]))
    prompts = {asked: task.prompt(problem) for asked, problem in problems.items()}
    restored = [
        Rollout(
            problem=problems[_asked(row)],
            prompt=prompts[_asked(row)],
            response=_response(row),
            temperature=row["temperature"],
            version=row["version"],
            scores={k.removeprefix(SCORE): v for k, v in row.items() if k.startswith(SCORE)},
            reward=row["reward"],
        )
        for row in rows
    ]
    return [
        replace(each, counts=task.panel.counts(attempt_of(row, each)))
        for row, each in zip(rows, restored, strict=True)
    ]


def attempt_of(row: Row, rollout: Rollout) -> Attempt:
    """The attempt that the reward models scored for a stored response."""
    return rollout.problem.attempt(
        row["response"],
        certainty=row["certainty"],
        logprob=row["logprob"],
        finished=row["finished"],
    )


def _asked(row: Row) -> tuple[str, str]:
    """The id and the phrasing of a row's problem; rows of older versions have no phrasing."""
    return row["problem"], row.get("phrasing", "")


def _response(row: Row) -> Response:
    return Response(
        row["response"],
        (0,) * row["tokens"],
        row["logprob"],
        row["entropy"],
        row["certainty"],
        row["finished"],
    )
