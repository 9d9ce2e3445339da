"""Experiments: everything that runs agents, and everything that is made from their results.

``cli`` is the command ``mstar``, one file a command; ``run`` one run from recipe to report;
``studies`` several runs and their comparison; ``bench`` speed, and the regret of exploration
controllers; ``judges`` and ``pretrain`` made the models that ship; ``results`` holds what was
measured. What plugs in, one entry each: a recipe (``run.recipes.RECIPES``) and a study
(``studies.catalog.STUDIES``).
"""

from importlib import import_module
from typing import Any

# Imported on first use, so that the command line answers without loading torch.
_LAZY = {
    "RECIPES": "run.recipes",
    "STUDIES": "studies.catalog",
    "RunFolder": "run.run_folder",
    "load_policy": "run.train",
    "open_task": "run.problems",
    "train": "run.train",
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    """Import an exported name from the file that defines it."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
