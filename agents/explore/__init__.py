"""Exploration: what decides between rounds how the next one samples, and on which problems.

A controller plugs in with one file, a subclass of ``ExplorationController``, and one line in
``catalog.CONTROLLERS``; it moves temperature and threshold by what an evaluation found. A mixing
(``data_mix``, ``catalog.MIXINGS``) decides the shares of unlabelled problems and worked examples.
``sample_allocation`` spreads the samples of a round over its problems; ``samples`` and
``temperature_belief`` are the estimates that controllers use.
"""

from importlib import import_module
from typing import Any

from mstar.agents.explore.catalog import CONTROLLERS, MIXINGS

# Imported when they are used: these need the recipe, which needs the names in the catalog.
_LAZY = {
    "SWEEP": "base",
    "ExplorationController": "base",
    "Fixed": "base",
    "Mixing": "data_mix",
    "pass_at": "samples",
    "reward_pass_2_at": "samples",
    "samples_of": "samples",
}

__all__ = ["CONTROLLERS", "MIXINGS", *_LAZY]


def __getattr__(name: str) -> Any:
    """Import an exported name from the file that defines it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
