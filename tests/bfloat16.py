"""A mark for tests that compute attention in bfloat16."""

from __future__ import annotations

import pytest
import torch


def attention_works_in_bfloat16() -> bool:
    """Whether torch can compute it; with fewer instructions than the processor has, it refuses."""
    half = torch.zeros(1, 1, 64, 16, dtype=torch.bfloat16)
    try:
        torch.nn.functional.scaled_dot_product_attention(half, half, half)
    except RuntimeError:
        return False
    return True


needs_bfloat16 = pytest.mark.skipif(
    not attention_works_in_bfloat16(), reason="torch refuses attention in bfloat16 here"
)
