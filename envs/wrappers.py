"""Gymnasium wrappers: a vector reward, and observations with parts removed.

A description in place of the image, or beside it, is an option of the task: ``show="caption"``.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray
from PIL import Image

from mstar.envs.canvas import on_canvas
from mstar.envs.env import Info, Observation
from mstar.envs.problem import Problem

GRAY = (127, 127, 127)  # RGB of a blank image

Environment = gymnasium.Env[Observation, str]


class VectorReward(gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs):
    """The scores as a (K,) float32 reward, following MO-Gymnasium's convention.

    Names and space are the environment's ``reward_names`` and ``reward_space``. If a reward model
    abstained, its entry is 0.0 and ``info["valid"]`` is False for it.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
    """

    def __init__(self, env: Environment) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Score the response; the reward is (K,) float32 in [0, 1]."""
        observation, _, terminated, truncated, info = self.env.step(action)
        reward: NDArray[np.float32] = np.array(list(info["rewards"].values()), np.float32)
        return observation, reward, terminated, truncated, info


class _ObservationVariant(
    gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs
):
    """Changes the observation; spaces, problems and scores stay the same.

    ``info["images"]`` is changed in the same way, so that it does not give the image away.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
    """

    image = True  # whether it is shown
    question = True

    def __init__(self, env: Environment) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start an episode; see ``ProblemEnv.reset``."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._changed(observation), {**info, "images": self._images(info["images"])}

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Score the response; see ``ProblemEnv.step``."""
        observation, *rest = self.env.step(action)
        return self._changed(observation), *rest  # type: ignore[return-value]

    def _changed(self, observation: Observation) -> Observation:
        size = observation["image"].shape[0]
        problem: Problem = self.get_wrapper_attr("problem")
        prompt = observation["prompt"]
        if not self.question:
            prompt = prompt.removeprefix(problem.question).lstrip("\n")
        image = observation["image"] if self.image else on_canvas([_gray((size, size))], size)
        return {"image": image, "prompt": prompt}

    def _images(self, images: tuple[Image.Image, ...]) -> tuple[Image.Image, ...]:
        return images if self.image else tuple(_gray(image.size) for image in images)


class ImageOnly(_ObservationVariant):
    """The image and the instruction without the question: measures guessing from the image."""

    question = False


class Blank(_ObservationVariant):
    """A gray image of the same size: measures what the question alone gives away."""

    image = False


def _gray(size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, GRAY)
