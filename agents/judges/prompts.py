"""The prompts that judges read: an attempt's images and question, without its response."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from mstar.envs.problem import Prompt
from mstar.envs.task import INSTRUCTION
from mstar.envs.wrappers import GRAY
from mstar.rewards.base import Attempt


def attempt_prompt(attempt: Attempt, size: int) -> Prompt:
    """The prompt of an attempt: its images, its question and the plain instruction.

    Args:
        attempt: whose response is ignored.
        size: side in pixels at which drawings are rendered.
    """
    images = tuple(image.render(size) for image in attempt.images)
    return Prompt(f"{attempt.question}\n{INSTRUCTION}", images, attempt.group)


def with_gray_images(prompt: Prompt) -> Prompt:
    """The same prompt with gray images of the same sizes."""
    gray = tuple(Image.new("RGB", image.size, GRAY) for image in prompt.images)
    return replace(prompt, images=gray)
