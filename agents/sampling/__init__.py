"""Rollout engines: they sample responses to prompts from the policy.

An engine plugs in with one file, a subclass of ``RolloutEngine`` that implements ``generate`` and
``from_config``, and one line in ``catalog.ENGINES``. ``local`` decodes in this process, with a
cache that stores each prompt once; ``vllm`` runs vLLM in this process; ``server`` asks a vLLM
server. Beside them, ``likelihood`` scores given responses and ``completion`` continues given
prefixes.
"""

from importlib import import_module
from typing import Any

from mstar.agents.sampling.base import Response, RolloutEngine, Sampler
from mstar.envs.problem import Prompt

# Imported when they are used: the policy, on which these build, needs `Prompt` of this room.
_LAZY = {
    "ENGINES": "catalog",
    "LocalSampler": "local",
    "ColocatedSampler": "colocated",
    "ServerSampler": "server",
    "complete": "completion",
    "log_probabilities": "likelihood",
    "sampler_of": "engine",
}

__all__ = [
    "ENGINES",
    "ColocatedSampler",
    "LocalSampler",
    "Prompt",
    "Response",
    "RolloutEngine",
    "Sampler",
    "ServerSampler",
    "complete",
    "log_probabilities",
    "sampler_of",
]


def __getattr__(name: str) -> Any:
    """Import an exported name from the file that defines it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
