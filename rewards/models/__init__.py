"""Reward models, one file each; a reward model is what plugs in here.

A reward model is a class with a ``name`` and ``score(attempts)``, which returns one float in
[0, 1] per attempt, or NaN where it abstains (``mstar.rewards.base.RewardModel``). To add one,
write a file with the class, whose docstring names its source, and add a line to ``REWARDS`` in
``mstar.rewards.registry``: panels, ``--panel``, TRL and the contract tests then find it by name.
Models that need another model to score (``OutcomeReward``, ``ProcessReward``, ``ImageAblation``,
``SelfJudge``) are constructed in ``mstar.agents.judges``.
"""

from mstar.rewards.models.brevity import Brevity
from mstar.rewards.models.controls import MajorityOnly, RandomReward
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.models.endpoint import Endpoint
from mstar.rewards.models.format import Format
from mstar.rewards.models.grounding import CounterfactualGrounding, ImageAblation, TwinGrounding
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.process import ProcessReward
from mstar.rewards.models.repetition import Repetition
from mstar.rewards.models.self_certainty import SelfCertainty
from mstar.rewards.models.self_consistency import SelfConsistency
from mstar.rewards.models.self_judge import SelfJudge

__all__ = [
    "Brevity",
    "Correctness",
    "CounterfactualGrounding",
    "Endpoint",
    "Format",
    "ImageAblation",
    "MajorityOnly",
    "OutcomeReward",
    "ProcessReward",
    "RandomReward",
    "Repetition",
    "SelfCertainty",
    "SelfConsistency",
    "SelfJudge",
    "TwinGrounding",
]
