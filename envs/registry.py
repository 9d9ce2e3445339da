"""Families as Gymnasium ids: those of this package, and those that other packages bring along."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from typing import Any

import gymnasium

from mstar.envs.families.base import Family
from mstar.envs.families.catalog import FAMILIES, NOT_MIXED

ENTRY_POINT = "mstar.envs.env:ProblemEnv"
VECTOR_ENTRY_POINT = "mstar.envs.vector_env:ProblemVectorEnv"
GROUP = "mstar.envs"  # of the entry points that name families
NAME = re.compile(r"[A-Z]\w*")


def register_family(family: type[Family]) -> str:
    """Make a family known by name, and register its id with Gymnasium.

    Args:
        family: a subclass of ``Family``; it may be registered again, as a module that is loaded
            anew does.

    Returns:
        The id, such as ``mstar/Lamps-v0``.

    Raises:
        TypeError: no subclass of ``Family``, or one with a method missing.
        ValueError: a name that is not in CamelCase, or that another family has.
    """
    if not (isinstance(family, type) and issubclass(family, Family)) or isabstract(family):
        raise TypeError(
            f"a family must be a subclass of Family with latent, build and vary, got {family!r}"
        )
    if not NAME.fullmatch(getattr(family, "name", "")):
        raise ValueError(
            f"{family.__qualname__} needs a name in CamelCase, such as 'Lamps', got "
            f"{getattr(family, 'name', None)!r}"
        )
    known = FAMILIES.get(family.name)
    if known is not None and _place(known) != _place(family):
        raise ValueError(
            f"there is a family {family.name!r} already, {_place(known)}; call {_place(family)} "
            "otherwise"
        )
    FAMILIES[family.name] = family
    # With its module, so that a process that is spawned finds it too.
    own = family.__module__.startswith(("mstar.", "__main__"))
    source = family.name if own else f"{family.__module__}:{family.name}"
    return _register(family.name, family.version, {"source": source})


def register_all() -> None:
    """Register the families of this package, their mixture, and what entry points name.

    An entry point of the group ``mstar.envs`` is a family, or a module that registers some. One
    that can't be loaded is warned of and left out, so that it breaks nobody else's.
    """
    for family in list(FAMILIES.values()):
        register_family(family)
    _register("Mixture", 0, {"families": [n for n in FAMILIES if n not in NOT_MIXED]})
    for point in entry_points(group=GROUP):
        _load(point)


def _load(point: EntryPoint) -> None:
    try:
        found = point.load()
        if isinstance(found, type):
            register_family(found)
    except Exception as error:  # whatever another package does wrong
        whose = point.dist.name if point.dist else "unknown"
        warnings.warn(
            f"the entry point {point.name!r} = {point.value!r} of the distribution {whose!r} could "
            f"not be loaded, so its environments are missing: {type(error).__name__}: {error}",
            stacklevel=4,
        )


def _register(name: str, version: int, kwargs: dict[str, Any]) -> str:
    id = f"mstar/{name}-v{version}"
    gymnasium.registry.pop(id, None)  # one that is registered again is no mistake
    gymnasium.register(
        id, entry_point=ENTRY_POINT, vector_entry_point=VECTOR_ENTRY_POINT, kwargs=kwargs
    )
    return id


def _place(family: type[Family]) -> str:
    return f"{family.__module__}.{family.__qualname__}"
