"""Reward models, a source, tasks and environments for the tests of ``envs``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mstar.envs import Problem, ProblemEnv, ProblemVectorEnv, Split, Task
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel

LIGHT = ["repetition", "brevity"]  # reward models that need no verifier


class Length:
    """The length of a response over 40,000; abstains if it is empty."""

    name = "length"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array(
            [len(a.response) / 40_000 if a.response else np.nan for a in attempts], np.float32
        )


class Alike:
    """The share of the group with the same response; abstains for a group of one."""

    name = "alike"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        groups: dict[str, list[str]] = {}
        for a in attempts:
            groups.setdefault(a.group, []).append(a.response)
        return np.array(
            [
                groups[a.group].count(a.response) / len(groups[a.group])
                if len(groups[a.group]) > 1
                else np.nan
                for a in attempts
            ],
            np.float32,
        )


class Stored:
    """Three stored problems: images of other shapes, no steps, no answer."""

    name = "stored"
    size: int | None = 3

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        images = (Stub(200, 50), Stub(60, 60))[: index % 3 + 1]
        return Problem(f"stored/{split}/{index % 3}", images, "Σ of both, in €?", None)


class Stub:
    """A black image of its own size; counts how often it is rendered."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.rendered = width, height, 0

    def render(self, size: int | None = None) -> Image.Image:
        self.rendered += 1
        return Image.new("RGB", (self.width, self.height))


def options(**chosen: Any) -> dict[str, Any]:
    """Options of a task, with a source and a panel unless others are chosen."""
    filled = {"panel": RewardPanel([Length(), Alike()]), **chosen}
    if "families" not in filled:
        filled.setdefault("source", "BarChart")
    return filled


def task(**chosen: Any) -> Task:
    return Task(**options(**chosen))


def env(render_mode: str | None = None, **chosen: Any) -> ProblemEnv:
    return ProblemEnv(render_mode=render_mode, **options(**chosen))


def vector_env(
    num_envs: int = 6, group_size: int = 1, render_mode: str | None = None, **chosen: Any
) -> ProblemVectorEnv:
    return ProblemVectorEnv(
        num_envs, group_size=group_size, render_mode=render_mode, **options(**chosen)
    )
