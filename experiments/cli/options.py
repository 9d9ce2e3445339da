"""The settings of a recipe as they are given on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mstar.agents.config import RENAMED, SETTINGS, Recipe


def current_names(arguments: Sequence[str]) -> list[str]:
    """The arguments with flags that were renamed in version 0.2 under their present names.

    >>> current_names(["--keep", "3", "--mix-in=0.5"])
    ['--top-k', '3', '--unlabelled-start=0.5']
    """
    found = []
    for word in arguments:
        flag, sign, value = word.partition("=")
        name = flag[2:].replace("-", "_")
        renamed = flag.startswith("--") and name in RENAMED
        found.append(f"--{RENAMED[name].replace('_', '-')}{sign}{value}" if renamed else word)
    return found


def given(recipe: Recipe, arguments: Sequence[str]) -> dict[str, Any]:
    """The settings of a recipe that were named on the command line, with their values."""
    flags = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    names = {flag.lstrip("-").replace("-", "_") for flag in flags}
    values = recipe.settings()
    return {name: values[name] for name in SETTINGS if names & {name, f"no_{name}"}}
