"""Names of models: a folder, or a model on the Hugging Face hub. Loads no torch."""

from __future__ import annotations

import re
from pathlib import Path

from mstar.agents.registry import did_you_mean
from mstar.envs.hub import hub_answers

ON_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")  # NAME or OWNER/NAME
FILES = ("config.json", "adapter_config.json", "recipe.json")  # of a model, an adapter, a run


def check_model(name: str) -> None:
    """Raise FileNotFoundError where a name is neither a folder nor a model that can be had.

    The hub is asked whether it answers, and only for a name that could be one of its models. So a
    misspelt folder is told within seconds, with the nearest one beside it.

    Args:
        name: ``embedded``, the folder of a model or of a run, or a hub name.
    """
    folder = Path(name)
    if name == "embedded" or any((folder / file).exists() for file in FILES):
        return
    parent = folder.parent
    beside = [str(p) for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    hint = did_you_mean(name, [each for each in beside if each != str(folder)])
    if folder.is_dir():
        raise FileNotFoundError(
            f"model {name!r} is a folder and holds none of {', '.join(FILES)}{hint}; check the path"
        )
    if not ON_HUB.fullmatch(name):
        raise FileNotFoundError(
            f"model {name!r} is neither a folder with a config.json nor a name on the hub{hint}; "
            "check the path"
        )
    if not hub_answers() and not _cached(name):
        raise FileNotFoundError(
            f"model {name!r} is neither a folder with a config.json nor a hub model that can be "
            f"reached{hint}; check the path, or the name and the network"
        )


def _cached(name: str) -> bool:
    """Whether the hub's cache on this machine has a model."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, FILES[0]), str)
