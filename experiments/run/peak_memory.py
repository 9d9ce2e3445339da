"""The most memory that a process has taken."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import torch


def peak_memory() -> int:
    """Bytes that this process has taken at most since it began, of the memory its policy is in.

    On a GPU those of torch's tensors there; without one all of the process, with Python and its
    libraries. 0 where the system does not say.
    """
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if find_spec("resource") is None:
        return 0
    import resource  # of Unix

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else 1024 * found
