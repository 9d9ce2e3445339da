"""Reward models that are models themselves, and so are made for a recipe."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mstar.agents.recipe import Recipe
from mstar.agents.step_judge import STEP_JUDGE, StepJudge
from mstar.rewards import REWARDS, RewardModel, RewardPanel
from mstar.rewards.process import ProcessReward


def process(recipe: Recipe) -> RewardModel:
    """The least step score of the recipe's step judge."""
    folder = str(STEP_JUDGE) if recipe.step_judge == "embedded" else recipe.step_judge
    return ProcessReward(_step_judge(folder, recipe.size).scores)


JUDGES: dict[str, Callable[[Recipe], RewardModel]] = {"process": process}


def panel_of(recipe: Recipe) -> RewardPanel:
    """The recipe's panel, those of its models loaded that are checkpoints.

    Raises:
        ValueError: a name that no reward model has.
        FileNotFoundError: there is no step judge in the recipe's folder.
    """
    if unknown := [name for name in recipe.panel if name not in {*REWARDS, *JUDGES}]:
        raise ValueError(f"no reward model {unknown}; known: {', '.join([*REWARDS, *JUDGES])}")
    models = [JUDGES[name](recipe) if name in JUDGES else REWARDS[name]() for name in recipe.panel]
    return RewardPanel(models, recipe.reward_weights)


@lru_cache(maxsize=1)  # the environments of a run share it
def _step_judge(folder: str, size: int) -> StepJudge:
    return StepJudge.load(folder, size)
