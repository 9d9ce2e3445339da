"""Seeds made of seeds, so that every use of chance has one of its own."""

from __future__ import annotations

import numpy as np


def mix(*numbers: int) -> int:
    """One seed of several numbers, by ``SeedSequence``."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
