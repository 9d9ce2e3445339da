"""The rollout engine of a recipe."""

from __future__ import annotations

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.registry import resolve
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.sampling.catalog import ENGINES


def sampler_of(policy: Policy, recipe: Recipe) -> RolloutEngine:
    """The engine that samples from a policy as a recipe says.

    Raises:
        ConnectionError: the recipe names a server, and there is none.
        ValueError: the engine needs something that is not installed.
    """
    made: RolloutEngine = resolve("engine", ENGINES, recipe.sampling.engine_name).from_config(
        policy, recipe
    )
    return made
