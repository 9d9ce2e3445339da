"""Problems by name: a family, a registered id, a file, a folder, or ``hub:NAME``."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium

from mstar.envs.datasets.readers import READERS
from mstar.envs.datasets.source import DatasetSource, OnError
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.registry import ENTRY_POINT, VECTOR_ENTRY_POINT
from mstar.envs.source import Mixture, ProblemSource

FAMILY = re.compile(r"(?:mstar/)?(\w+?)(?:-v(\d+))?")
MODULE = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):(?!/)(.+)")  # as Gymnasium has it


def open_source(name: str | Mapping[str, Any], level: int = 1) -> ProblemSource:
    """The problems that a name or a description means.

    Args:
        name: a family (``BarChart`` or ``mstar/BarChart-v0``), a registered id, the path of a
            file or folder of problems, ``hub:NAME[:CONFIG][@REVISION]``, or what
            ``DatasetSource.load`` takes, by name. ``module:NAME`` imports a module first, which
            registers the family or id behind it.
        level: difficulty of a family, 1 to 3.

    Raises:
        ValueError: nothing is called so, or what is there can't be used.
    """
    if isinstance(name, Mapping):
        return DatasetSource.load(**name)
    family = FAMILY.fullmatch(name)
    if family is not None and family[1] in FAMILIES:
        kind = FAMILIES[family[1]]
        if family[2] is not None and int(family[2]) != kind.version:
            raise ValueError(f"there is no {name}: {kind.name} is at version {kind.version}")
        return kind(level)
    if name in gymnasium.registry:
        return _registered(name, level)
    if name.startswith("hub:") or Path(name).exists():
        return DatasetSource.load(name)
    module = MODULE.fullmatch(name)
    if module is not None:
        if module[2] not in (*FAMILIES, *gymnasium.registry):
            _import(module[1])
        return open_source(module[2], level)
    raise ValueError(_unknown(name))


def register_dataset(
    id: str,
    source: str,
    fields: str | Mapping[str, Any] | None = None,
    pictures: str | None = None,
    on_error: OnError = "raise",
) -> None:
    """Register a data set with Gymnasium: ``gymnasium.make(id)`` then poses its problems.

    It is read when an environment is first made.

    Args:
        id: such as ``me/Charts-v0``.
        source: a file, a folder, or ``hub:NAME[:CONFIG][@REVISION]``; a path is kept absolute.
        fields: as for ``DatasetSource.load``, as are the two that follow.
        pictures: the folder of the pictures, where it is not that of the problems.
        on_error: ``raise`` or ``skip``.

    Raises:
        ValueError: no such file or folder, or fields that are not JSON values.
    """
    if not source.startswith("hub:"):
        if not Path(source).exists():
            raise ValueError(f"{source}: no such file or folder; working in {Path.cwd()}")
        source = str(Path(source).resolve())
    described = {
        "source": source,
        "fields": fields,
        "pictures": None if pictures is None else str(Path(pictures).resolve()),
        "on_error": on_error,
    }
    try:
        json.dumps(described)
    except TypeError as error:
        raise ValueError(f"fields must be JSON values, so that runs can be kept: {error}") from None
    gymnasium.register(
        id,
        entry_point=ENTRY_POINT,
        vector_entry_point=VECTOR_ENTRY_POINT,
        kwargs={"source": described},
    )


def known_ids() -> Sequence[str]:
    """The ids that ``open_source`` takes: of this package, and of registered data sets."""
    return [name for name, spec in gymnasium.registry.items() if spec.entry_point == ENTRY_POINT]


def _import(module: str) -> None:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a command is not started from where the user's module lies
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"there is no module {error.name!r} to import families from; install it, or run where "
            "it lies"
        ) from error


def _registered(name: str, level: int) -> ProblemSource:
    kwargs = gymnasium.registry[name].kwargs
    if "families" in kwargs:
        return Mixture([open_source(family, level) for family in kwargs["families"]])
    if "source" not in kwargs:
        raise ValueError(f"{name} is not one of this package's environments: {known_ids()}")
    return open_source(kwargs["source"], kwargs.get("level", level))


def _unknown(name: str) -> str:
    a_path = os.sep in name and not name.startswith("mstar/")
    if a_path or Path(name).suffix in READERS:
        return f"{name}: no such file or folder; working in {Path.cwd()}"
    known = {short.lower(): short for short in [*known_ids(), *FAMILIES]}
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(known[word] for word in near)}?" if near else "."
    return (
        f"no environment, file or folder is called {name!r}{hint} Known: "
        f"{', '.join(known_ids())}; or a path to problems, or hub:NAME"
    )
