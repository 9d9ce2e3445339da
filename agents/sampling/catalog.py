"""Rollout engines by name; a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import RolloutEngine

# "module:callable" of the policy and the recipe, imported when it is used.
ENGINES: dict[str, str] = {
    "local": "mstar.agents.sampling.local:LocalSampler.from_config",
    "vllm": "mstar.agents.sampling.vllm:ServerSampler.from_config",
}


def sampler_of(policy: Policy, recipe: Recipe) -> RolloutEngine:
    """The recipe's rollout engine: a vLLM server if the recipe names one, else this process.

    Raises:
        ConnectionError: there is no server at the recipe's address.
    """
    name = "vllm" if recipe.sampling.server else "local"
    engine: Callable[[Policy, Recipe], RolloutEngine] = resolve_name(ENGINES[name])
    return engine(policy, recipe)
