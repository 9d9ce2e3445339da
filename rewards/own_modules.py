"""Modules of a user's own, named on the command line or in a recipe."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType


def import_own(name: str) -> ModuleType:
    """A module that can be imported, or that lies in the working folder.

    The command ``mstar`` does not look there by itself. The folder comes last and for this import
    alone: nothing in it hides an installed package, or passes for one that is not installed.

    Raises:
        ModuleNotFoundError: there is no such module in either place.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:  # another module, which this one imports
            raise
    before = [*sys.path]
    sys.path.append(os.getcwd())
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = before
