"""The problems of a recipe, as the environment that poses and judges them."""

from __future__ import annotations

from mstar.agents.recipe import Recipe
from mstar.envs.open import open_source
from mstar.envs.problem import Split
from mstar.envs.source import Mixture, ProblemSource
from mstar.envs.vector_env import ProblemVectorEnv

MIXTURE = "mstar/Mixture-v0"


def open_env(recipe: Recipe, split: Split, families: tuple[str, ...] = ()) -> ProblemVectorEnv:
    """The recipe's problems of one split, judged by its panel."""
    if recipe.env == MIXTURE or families:
        names = families or recipe.families
        source: ProblemSource = Mixture([open_source(name, level=recipe.level) for name in names])
    else:
        source = open_source(recipe.env, level=recipe.level)
    return ProblemVectorEnv(
        source=source,
        num_envs=1,
        panel=recipe.panel,
        split=split,
        size=recipe.size,
        seed=recipe.seed,
    )
