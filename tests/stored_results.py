"""The packed rows of a folder of ``experiments/results``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mstar.experiments.packed_rows import PACKED, unpack
from mstar.experiments.rows import Row

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"


@cache
def packed(name: str) -> dict[str, list[Row]]:
    """All rows of a folder by the name of their file; not to be changed."""
    files = unpack(RESULTS / name / PACKED)
    assert files, f"{name} has no packed rows"
    return files
