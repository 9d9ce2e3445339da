"""Agents: a policy, and the ways in which it learns from problems of `mstar.envs`.

An `Agent` runs rounds, each of them evaluated on the same validation problems: `SelfEvolving`
samples, judges, selects, fine-tunes, evaluates and adjusts; `star.py`, `sft.py` and `online/` are
other ways to learn. ``types.py`` has the data that passes between the parts, ``settings.py`` all
settings of a run.

What plugs in, each with one file and one line in a catalog: an agent (``catalog.AGENTS``), an
exploration controller or a mixing (``explore/``), a rollout engine (``sampling/``), a reward model
that is a neural network (``judges/``). ``policy/`` holds the model, ``monitor/`` evaluates it.
"""

import os
import sys
from importlib import import_module
from typing import Any

# TRL reports every trainer that is built. huggingface_hub reads the variable when it is imported,
# which may have happened already. Who sets the variable decides for themselves.
if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if (read := sys.modules.get("huggingface_hub.constants")) is not None:
        read.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]

# Imported when they are used: the command line lists agents and settings without torch.
_LAZY = {
    "AGENTS": "catalog",
    "Agent": "agent",
    "CONTROLLERS": "explore.catalog",
    "ExplorationController": "explore.base",
    "LiveTrainer": "sft_trainer",
    "LocalSampler": "sampling.local",
    "Metrics": "types",
    "Policy": "policy.policy",
    "Prompt": "sampling.base",
    "Recipe": "config",
    "Response": "sampling.base",
    "Rollout": "types",
    "RolloutEngine": "sampling.base",
    "Round": "types",
    "RoundSamples": "types",
    "SFTExample": "types",
    "SamplingPlan": "types",
    "SelfEvolving": "self_evolving",
    "agent_class": "catalog",
    "collect": "rollout",
    "select": "selection",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    """Import an exported name from the file that defines it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
