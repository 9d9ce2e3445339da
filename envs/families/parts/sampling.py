"""Random choices from short lists of options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


def choose(options: Sequence[Option], rng: np.random.Generator) -> Option:
    """One of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]


def choose_several(
    options: Collection[Option], count: int, rng: np.random.Generator
) -> list[Option]:
    """`count` different options in random order, each selection equally likely."""
    listed = list(options)
    return [listed[i] for i in rng.choice(len(listed), size=count, replace=False)]


def shuffled(options: Collection[Option], rng: np.random.Generator) -> list[Option]:
    """The options in random order, each order equally likely."""
    listed = list(options)
    return [listed[i] for i in rng.permutation(len(listed))]
