"""Weights that a launch keeps in pieces over the processes: cut, put together, filled.

They are whole until the first trainer starts, which has FSDP2 or ZeRO-3 cut them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor


def name_layers(model: Any) -> None:
    """Leave only layers that are there in the list of those that FSDP is to cut.

    It wants to find each of them. An image tower may come without some, and in a model that an
    earlier trainer has had cut they have other names.
    """
    there = {type(module).__name__ for module in model.modules()}
    model._no_split_modules = [name for name in model._no_split_modules if name in there]


def settle(model: Any) -> None:
    """What a model that has been cut needs to be trained round by round; harmless to others.

    No part stays whole behind a forward pass, so that weights are always read and filled in pieces.
    A weight that a batch did not use has a gradient of 0: a batch without pictures leaves out the
    image tower, which the other processes would wait for, and torch does not resume an optimizer
    that knows only some of the weights.
    """
    if isinstance(model, FSDPModule):
        model.set_reshard_after_forward(True)
        model.set_reduce_scatter_unused_params(True)


@contextmanager
def whole(model: Any) -> Iterator[None]:
    """While this lasts, this process has all weights; every process must come here.

    Each writes responses of its own, and cannot wait for the others at every layer.
    """
    parts = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()
            part.set_reshard_after_forward(True, recurse=False)


def fill(weight: torch.Tensor, value: torch.Tensor) -> None:
    """Copy a value into a weight, or of a whole value this process's piece into its piece."""
    if isinstance(weight, DTensor) and not isinstance(value, DTensor):
        on_device = value.to(weight.device)
        mesh, cut = weight.device_mesh, weight.placements
        value = distribute_tensor(on_device, mesh, cut, src_data_rank=None)
    weight.copy_(value)
