"""When two computations of one log-probability agree."""

from __future__ import annotations

import math

import torch

# Nats by which rounding moves the log-probability of one token between two implementations of a
# model, with other kernels and other batches, by the precision of the weights.
ROUNDING = {torch.float32: 0.02, torch.bfloat16: 0.3}


def same_sum(found: float, expected: float, tokens: int, dtype: torch.dtype) -> bool:
    """Whether two log-probabilities of the same tokens differ by rounding only; NaN never does.

    Tokens round independently of each other, so that the difference of their sums grows with the
    root of their number. Inputs that are left out, and weights that are others, move every token
    and grow with the number itself.

    Args:
        found: sum over the tokens, in nats.
        expected: the same by the other implementation.
        tokens: how many.
        dtype: in which either was computed; the coarser of the two.
    """
    allowed = ROUNDING.get(dtype, ROUNDING[torch.bfloat16]) * math.sqrt(tokens)
    return abs(found - expected) <= allowed
