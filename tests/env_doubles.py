"""Judges, a source and environments for the tests of the environments."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mstar.envs import Problem, ProblemEnv, ProblemVectorEnv, Split
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel

LIGHT = ["repetition", "brevity"]  # judges that need no verifier


class Length:
    """Scores by length; abstains on an empty response."""

    name = "length"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array(
            [len(a.response) / 40_000 if a.response else np.nan for a in attempts], np.float32
        )


class Alike:
    """The share of a group's responses that are equal; abstains where the group is one."""

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
    """Three problems that were not drawn: pictures of other shapes, no steps, no gold."""

    name = "stored"
    size: int | None = 3

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        pictures = (Stub(200, 50), Stub(60, 60))[: index % 3 + 1]
        return Problem(f"stored/{split}/{index % 3}", pictures, "Σ of both, in €?", None)


class Stub:
    """A black picture of its own size."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def render(self, size: int | None = None) -> Image.Image:
        return Image.new("RGB", (self.width, self.height))


def env(**setting: Any) -> ProblemEnv:
    chosen = {"panel": RewardPanel([Length(), Alike()]), **setting}
    if "families" not in chosen:
        chosen.setdefault("source", "BarChart")
    return ProblemEnv(**chosen)


def vector_env(num_envs: int = 6, **setting: Any) -> ProblemVectorEnv:
    chosen = {"source": "BarChart", "panel": RewardPanel([Length(), Alike()]), **setting}
    return ProblemVectorEnv(num_envs, **chosen)
