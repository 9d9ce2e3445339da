"""The word for what comparing two answers says."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """Whether two answers say the same, and why, in a few words.

    Attributes:
        same: None where it could not be decided.
        reason: such as ``equal``, ``wrong unit`` or ``outside tolerance``.
    """

    same: bool | None
    reason: str
