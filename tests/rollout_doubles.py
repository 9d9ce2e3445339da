"""Judged responses made by hand, for what reads rollouts."""

from __future__ import annotations

from typing import Any

from mstar.agents.sampling.base import Response
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem, Prompt
from mstar.rewards.base import Answer


def rollout(
    problem: str = "p",
    text: str = "Answer: 3",
    *,
    right: float = 1.0,
    reward: float = 0.5,
    temperature: float = 1.0,
    **more: Any,
) -> Rollout:
    """One response.

    Args:
        problem: its id.
        text: of the response.
        right: its score for correctness.
        reward: the combined one.
        temperature: 0 is greedy.
        **more: ``length`` in tokens, ``entropy``, and other scores by name.
    """
    length, entropy = more.pop("length", 5), more.pop("entropy", 1.0)
    return Rollout(
        problem=Problem(problem, (), "how many?", Answer("number", "3")),
        prompt=Prompt("how many?", (), problem),
        response=Response(text, tuple(range(length)), -1.0, entropy, 0.1, True),
        temperature=temperature,
        version=0,
        scores={"correctness": right, **more},
        reward=reward,
    )
