"""Rollout engines by name: to add one, write a class and add a line here."""

from __future__ import annotations

from mstar.agents.registry import Entry

# Subclasses of ``RolloutEngine``, made by ``from_config`` of a policy and a recipe.
ENGINES: dict[str, Entry] = {
    "local": "mstar.agents.sampling.local:LocalSampler",
    "vllm": "mstar.agents.sampling.colocated:ColocatedSampler",
    "server": "mstar.agents.sampling.server:ServerSampler",
}
