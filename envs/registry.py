"""Names of problem sources: families and data sets by Gymnasium id, name, path or hub name.

``register_family`` and ``register_dataset`` give a source a Gymnasium id; ``open_source`` opens the
source behind a name.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract
from pathlib import Path
from typing import Any

import gymnasium

from mstar.envs.datasets.readers import READERS
from mstar.envs.datasets.source import DatasetSource, OnError
from mstar.envs.families.base import Family
from mstar.envs.families.catalog import FAMILIES, FIRST, FORMER, family_called
from mstar.envs.source import Mixture, ProblemSource
from mstar.rewards.own_modules import import_own

# As text, so that Gymnasium imports the environments and not this module, which they import.
ENTRY_POINT = "mstar.envs.env:ProblemEnv"
VECTOR_ENTRY_POINT = "mstar.envs.vector_env:ProblemVectorEnv"
ENTRY_POINT_GROUP = "mstar.envs"  # under which other packages list their families

FAMILY_CLASS_NAME = re.compile(r"[A-Z]\w*")
FAMILY_NAME = re.compile(r"(?:mstar/)?(\w+?)(?:-v(\d+))?")  # BarChart, mstar/BarChart-v1
MODULE_PREFIX = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):(?!/)(.+)")  # module:NAME, as in Gymnasium


def open_source(name: str | Mapping[str, Any], level: int = 1) -> ProblemSource:
    """Open the source of problems behind a name.

    Args:
        name: a family (``BarChart``, its newest version, or ``mstar/BarChart-v1``), a registered
            id, the path of a file or folder of problems, ``hub:NAME[:CONFIG][@REVISION]``, or a
            mapping with the arguments of ``DatasetSource.load``. ``module:NAME`` first imports the
            module, which is expected to register NAME.
        level: difficulty of a family, 1 to 3.

    Raises:
        ValueError: the name is unknown, or the source behind it cannot be used.
    """
    if isinstance(name, Mapping):
        return DatasetSource.load(**name)
    match = FAMILY_NAME.fullmatch(name)
    if match is not None and match[1] in FAMILIES:
        return family_called(match[1], None if match[2] is None else int(match[2]))(level)
    if name in gymnasium.registry:
        return _open_registered(name, level)
    if name.startswith("hub:") or Path(name).exists():
        return DatasetSource.load(name)
    match = MODULE_PREFIX.fullmatch(name)
    if match is not None:
        if match[2] not in (*FAMILIES, *gymnasium.registry):
            _import(match[1])
        return open_source(match[2], level)
    raise ValueError(_unknown_name(name))


def register_family(family: type[Family]) -> str:
    """Make a family available by name and register its id with Gymnasium.

    Registering the same class again is allowed, because reloading its module does that.

    Args:
        family: a subclass of ``Family``.

    Returns:
        The id, such as ``mstar/Lamps-v0``.

    Raises:
        TypeError: not a subclass of ``Family``, or an abstract method is not implemented.
        ValueError: the name is not in CamelCase, or another family already has it.
    """
    if not (isinstance(family, type) and issubclass(family, Family)) or isabstract(family):
        raise TypeError(
            "a family must be a subclass of Family with latent, vary, solve and draw, got "
            f"{family!r}"
        )
    if not FAMILY_CLASS_NAME.fullmatch(getattr(family, "name", "")):
        raise ValueError(
            f"{family.__qualname__} needs a name in CamelCase, such as 'Lamps', got "
            f"{getattr(family, 'name', None)!r}"
        )
    known = FAMILIES.get(family.name)
    if known is not None and _qualified_name(known) != _qualified_name(family):
        raise ValueError(
            f"the family name {family.name!r} is already taken by {_qualified_name(known)}; give "
            f"{_qualified_name(family)} another name"
        )
    FAMILIES[family.name] = family
    # The module is part of the source's name so that a spawned process can import the family.
    importable = family.__module__.startswith(("mstar.", "__main__"))
    source = family.name if importable else f"{family.__module__}:{family.name}"
    return _register(family.name, family.version, {"source": source})


def register_dataset(
    id: str,
    source: str,
    fields: str | Mapping[str, Any] | None = None,
    image_folder: str | None = None,
    on_error: OnError = "raise",
    pictures: str | None = None,
) -> None:
    """Register a data set with Gymnasium, so that ``gymnasium.make(id)`` poses its problems.

    The data set is read when an environment is first made.

    Args:
        id: such as ``me/Charts-v0``.
        source: a file, a folder, or ``hub:NAME[:CONFIG][@REVISION]``; a path is stored absolute.
        fields: see ``DatasetSource.load``.
        image_folder: see ``DatasetSource.load``; stored absolute.
        on_error: ``raise`` or ``skip``.
        pictures: the former name of `image_folder`, accepted until version 0.3.

    Raises:
        ValueError: the file or folder does not exist, or `fields` holds other than JSON values.
    """
    if not source.startswith("hub:"):
        if not Path(source).exists():
            raise ValueError(f"{source}: no such file or folder; working in {Path.cwd()}")
        source = str(Path(source).resolve())
    folder = image_folder or pictures
    description = {
        "source": source,
        "fields": fields,
        "image_folder": None if folder is None else str(Path(folder).resolve()),
        "on_error": on_error,
    }
    try:
        json.dumps(description)
    except TypeError as error:
        raise ValueError(
            f"fields must be JSON values, so that runs can store them: {error}"
        ) from None
    gymnasium.register(
        id,
        entry_point=ENTRY_POINT,
        vector_entry_point=VECTOR_ENTRY_POINT,
        kwargs={"source": description},
    )


def register_all() -> None:
    """Register the built-in families, their mixtures, and the families of installed packages.

    A package lists its families under the entry-point group ``mstar.envs``: either the class, or a
    module that calls ``register_family``. An entry point that fails to load causes a warning and is
    skipped, so that one broken package does not disable the others.
    """
    for family in list(FAMILIES.values()):
        register_family(family)
    for version, former in FORMER.items():
        _register(former.name, former.version, {"source": version})
    _register("Mixture", 1, {"families": [FIRST.get(name, name) for name in FAMILIES]})
    _register("Mixture", 2, {"families": list(FAMILIES)})
    for point in entry_points(group=ENTRY_POINT_GROUP):
        _load_entry_point(point)


def registered_ids() -> Sequence[str]:
    """Gymnasium ids of this package's environments and of registered data sets."""
    return [name for name, spec in gymnasium.registry.items() if spec.entry_point == ENTRY_POINT]


def _open_registered(name: str, level: int) -> ProblemSource:
    kwargs = gymnasium.registry[name].kwargs
    if "families" in kwargs:
        return Mixture([open_source(family, level) for family in kwargs["families"]])
    if "source" not in kwargs:
        raise ValueError(f"{name} is not one of this package's environments: {registered_ids()}")
    return open_source(kwargs["source"], kwargs.get("level", level))


def _import(module: str) -> None:
    try:
        import_own(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"there is no module {error.name!r} to import families from; install it, or run in the "
            "folder that holds it"
        ) from error


def _load_entry_point(point: EntryPoint) -> None:
    try:
        loaded = point.load()
        if isinstance(loaded, type):
            register_family(loaded)
    except Exception as error:  # another package may raise anything
        distribution = point.dist.name if point.dist else "unknown"
        warnings.warn(
            f"the entry point {point.name!r} = {point.value!r} of the distribution "
            f"{distribution!r} could not be loaded, so its environments are missing: "
            f"{type(error).__name__}: {error}",
            stacklevel=4,
        )


def _register(name: str, version: int, kwargs: dict[str, Any]) -> str:
    id = f"mstar/{name}-v{version}"
    gymnasium.registry.pop(id, None)  # Gymnasium warns when an id is overwritten
    gymnasium.register(
        id, entry_point=ENTRY_POINT, vector_entry_point=VECTOR_ENTRY_POINT, kwargs=kwargs
    )
    return id


def _qualified_name(family: type[Family]) -> str:
    return f"{family.__module__}.{family.__qualname__}"


def _unknown_name(name: str) -> str:
    """The message for a name that means nothing, with the nearest known names."""
    looks_like_a_path = os.sep in name and not name.startswith("mstar/")
    if looks_like_a_path or Path(name).suffix in READERS:
        return f"{name}: no such file or folder; working in {Path.cwd()}"
    known = {short.lower(): short for short in [*registered_ids(), *FAMILIES]}
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(known[word] for word in near)}?" if near else "."
    return (
        f"no environment, file or folder is called {name!r}{hint} Known: "
        f"{', '.join(registered_ids())}; or a path to problems, or hub:NAME"
    )
