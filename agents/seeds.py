"""Seeds made of seeds, so that every use of chance has one of its own."""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def mix(*numbers: int) -> int:
    """One seed of several numbers, by ``SeedSequence``."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def named(key: str) -> int:
    """A number in [0, 2^64) of a name: the first 8 bytes of its sha256."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big")
