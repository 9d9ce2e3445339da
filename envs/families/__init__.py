"""Procedural families of problems, unlimited in number and exactly solved.

A family is one file with one subclass of ``Family``. It defines how to sample a latent state
(``latent``), how to change it into a counterfactual of the same question (``vary``), the answer and
exact steps (``solve``), and the image (``draw``); the wordings of its questions and its difficulty
parameters are class attributes. The base assembles the problems. To add a family, add the file and
one line in ``catalog.FAMILIES``: its environment ``mstar/{name}-v{version}`` is registered, and
every contract test runs on it. A family of another package calls ``register_family`` instead.
``parts`` holds what families draw and sample with.
"""

from mstar.envs.families.base import Difficulty, Family, Latent, Style
from mstar.envs.families.parts.drawing import COLORS, Drawing
from mstar.envs.families.solution import (
    Solution,
    add_ones,
    compute,
    conclude,
    distractors,
    perceive,
)

__all__ = [
    "COLORS",
    "Difficulty",
    "Drawing",
    "Family",
    "Latent",
    "Solution",
    "Style",
    "add_ones",
    "compute",
    "conclude",
    "distractors",
    "perceive",
]
