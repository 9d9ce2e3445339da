"""A field map as it is written on a command line: ``answer=gold question='{hint} {question}'``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mstar.envs.datasets.field_map import KEYS

READING = ("pictures", "on_error")  # what ``DatasetSource.load`` takes beside the map
SAYABLE = ("schema", *KEYS, *READING)


def described(name: str, said: Sequence[str]) -> str | Mapping[str, Any]:
    """A data set and how it is read, for ``open_source``; the name alone where nothing is said.

    Args:
        name: a path, or ``hub:NAME[:CONFIG][@REVISION]``.
        said: ``KEY=VALUE`` each. The keys are those of ``FieldMap``, ``schema`` for a form to
            start from, ``pictures`` for their folder and ``on_error`` for ``raise`` or ``skip``.
            Nothing behind the ``=`` unmaps a field.

    Raises:
        ValueError: what is no ``KEY=VALUE``, an unknown key, or fields of what is no data set.

    >>> described("hub:me/Charts", ["answer=gold", "unit==cm", "on_error=skip"])
    {'source': 'hub:me/Charts', 'fields': {'answer': 'gold', 'unit': '=cm'}, 'on_error': 'skip'}
    """
    if not said:
        return name
    if not (name.startswith("hub:") or Path(name).exists()):
        raise ValueError(
            f"fields say how a data set is read, and {name!r} is neither a file, a folder nor "
            "hub:NAME"
        )
    fields = read_fields(said)
    reading = {key: fields.pop(key) for key in READING if key in fields}
    return {"source": name, "fields": fields or None, **reading}


def read_fields(said: Sequence[str]) -> dict[str, str | None]:
    """The keys and values of ``KEY=VALUE`` texts.

    Raises:
        ValueError: what is no ``KEY=VALUE``, an unknown key, or one that is said twice.
    """
    found: dict[str, str | None] = {}
    for one in said:
        key, equals, value = one.partition("=")
        key = "image" if key == "images" else key
        if not equals or key not in SAYABLE:
            raise ValueError(
                f"can't read the field {one!r}: write KEY=COLUMN, such as answer=gold, type=number "
                f"or unit==cm; keys are {', '.join(SAYABLE)}"
            )
        if key in found:
            raise ValueError(f"the field {key!r} is said twice: {found[key]!r} and {value!r}")
        found[key] = value or None
    return found
