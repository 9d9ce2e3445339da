"""Reward models that are models themselves, and how they are trained.

One plugs in with a function that makes it from a recipe, and one line in ``catalog.JUDGES``; its
name can then stand in a recipe's panel. ``step_judge`` is the process reward model, trained by
``training`` on the labels of ``step_labels`` (exact) or ``monte_carlo`` (estimated by completions),
and during a run by ``refresh``. ``image_ablation`` measures what the images add.
"""

from mstar.agents.judges.catalog import JUDGES, panel_of, reward_models
from mstar.agents.judges.image_ablation import ImageGap
from mstar.agents.judges.refresh import JudgeRefresh
from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge

__all__ = [
    "JUDGES",
    "STEP_JUDGE",
    "ImageGap",
    "JudgeRefresh",
    "StepJudge",
    "panel_of",
    "reward_models",
]
