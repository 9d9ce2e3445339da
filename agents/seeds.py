"""Derive seeds from other seeds, so that every use of randomness has its own."""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def mix(*numbers: int) -> int:
    """One seed from several numbers, by ``SeedSequence``."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def named(key: str) -> int:
    """A number in [0, 2^64) from a name: the first 8 bytes of its SHA-256."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big")
