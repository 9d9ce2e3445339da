"""Wrappers: the reward as a vector, and observations with something left out or added."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray
from PIL import Image

from mstar.envs.canvas import on_canvas
from mstar.envs.problem import Problem
from mstar.envs.task import Info, Observation

GRAY = (127, 127, 127)  # what a picture that shows nothing shows

Environment = gymnasium.Env[Observation, str]


class VectorReward(gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs):
    """The scores as a (K,) float32 reward, the way MO-Gymnasium has it.

    The names and the space are the environment's ``reward_names`` and ``reward_space``; where a
    reward model abstained its number is 0.0 and ``info["valid"]`` says so.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
    """

    def __init__(self, env: Environment) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Judge the response; the reward is (K,) float32 in [0, 1]."""
        observation, _, terminated, truncated, info = self.env.step(action)
        reward: NDArray[np.float32] = np.array(list(info["rewards"].values()), np.float32)
        return observation, reward, terminated, truncated, info


class _Shown(gymnasium.Wrapper[Observation, str, Observation, str], RecordConstructorArgs):
    """Shows the problem in another way; spaces, problems and scores stay as they are.

    ``info["images"]`` is changed along with the observation, so that nothing leaks through it.

    Args:
        env: a ``ProblemEnv``, wrapped or not.
    """

    picture = True  # whether it is shown
    question = True
    caption = False

    def __init__(self, env: Environment) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Pose a problem; see ``ProblemEnv.reset``."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._shown(observation), {**info, "images": self._images(info["images"])}

    def step(self, action: str) -> tuple[Observation, Any, bool, bool, Info]:
        """Judge the response; see ``ProblemEnv.step``."""
        observation, *rest = self.env.step(action)
        return self._shown(observation), *rest  # type: ignore[return-value]

    def _shown(self, observation: Observation) -> Observation:
        size = observation["image"].shape[0]
        problem: Problem = self.get_wrapper_attr("problem")
        prompt = observation["prompt"]
        if not self.question:
            prompt = prompt.removeprefix(problem.question).lstrip("\n")
        if self.caption:
            prompt = f"{caption(problem)}\n{prompt}"
        image = observation["image"] if self.picture else on_canvas([_gray((size, size))], size)
        return {"image": image, "prompt": prompt}

    def _images(self, images: tuple[Image.Image, ...]) -> tuple[Image.Image, ...]:
        return images if self.picture else tuple(_gray(image.size) for image in images)


class ImageOnly(_Shown):
    """The picture and the instruction, without the question: what is it worth to guess what?"""

    question = False


class Blank(_Shown):
    """A gray picture of the same size: what the question alone gives away."""

    picture = False


class Caption(_Shown):
    """A description before the question, beside the picture: reasoning with perception given."""

    caption = True


class CaptionOnly(_Shown):
    """The description in place of the picture: reasoning alone."""

    picture = False
    caption = True


def caption(problem: Problem) -> str:
    """What a right reading of the picture states, in one line.

    The perceiving steps of the exact solution, or else all that is known of the picture.

    Raises:
        ValueError: nothing is known of it, as of most stored problems.
    """
    read = [step.text for step in problem.steps if step.kind == "perceive"]
    known = read or [f"{key}: {value}" for key, value in problem.latent.items() if key != "ask"]
    if not known:
        raise ValueError(f"nothing describes the picture of {problem.id}: it has no steps")
    return "The picture shows: " + "; ".join(known) + "."


def _gray(size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, GRAY)
