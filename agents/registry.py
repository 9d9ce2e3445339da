"""Classes by name, imported only when they are used: the command line lists names without torch."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Collection, Mapping
from typing import Any

from mstar.rewards.own_modules import import_own

Entry = str | type  # "module:Class", or the class itself


def resolve(kind: str, entries: Mapping[str, Entry], name: str) -> Any:
    """The class that a name stands for.

    Args:
        kind: what the class is, for the message.
        entries: classes by name.
        name: a key of `entries`; or ``module:Class``, for a class of yours that is not among them.

    Raises:
        ValueError: no class has this name; there is no such module, or no such class in it.
    """
    check_name(kind, entries, name)
    entry = entries.get(name, name)
    if not isinstance(entry, str):
        return entry
    try:
        if name not in entries:
            import_own(entry.partition(":")[0])
        return pkgutil.resolve_name(entry)
    except (ImportError, AttributeError) as error:
        if name in entries:
            raise  # one of ours
        raise ValueError(f"{kind} {name!r} cannot be loaded: {error}") from error


def check_name(kind: str, entries: Mapping[str, Entry], name: str) -> None:
    """Raise ValueError where ``resolve`` would not know a name; imports nothing."""
    if name not in entries and ":" not in name:
        raise ValueError(unknown(kind, name, entries))


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """The message for an unknown name: the nearest known one, and all of them."""
    hint = did_you_mean(name, known) or "."
    return f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question for the nearest known name, to stand behind a message; "" if none is near."""
    near = [each for each in known if sorted(each) == sorted(name)]  # letters in another order
    near = near or difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
