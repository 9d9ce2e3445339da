"""Random choices from short lists of options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


def choose(options: Sequence[Option], rng: np.random.Generator) -> Option:
    """One of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]


def shuffled(options: Collection[Option], rng: np.random.Generator) -> list[Option]:
    """The options in random order, each order equally likely."""
    listed = list(options)
    return [listed[i] for i in rng.permutation(len(listed))]
