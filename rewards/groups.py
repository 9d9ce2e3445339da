"""Attempts at one problem, for the reward models that compare them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mstar.rewards.base import Attempt


def rows_by_group(attempts: Sequence[Attempt]) -> list[NDArray[np.int64]]:
    """Row numbers of each group, in order of first appearance; rows without a group are left out.

    >>> a, b = (Attempt("How many?", "3", group=group) for group in "ab")
    >>> [rows.tolist() for rows in rows_by_group([a, b, a, Attempt("How many?", "3")])]
    [[0, 2], [1]]
    """
    rows: dict[str, list[int]] = {}
    for row, attempt in enumerate(attempts):
        if attempt.group:
            rows.setdefault(attempt.group, []).append(row)
    return [np.array(members, np.int64) for members in rows.values()]
