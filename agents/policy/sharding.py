"""Shard, gather and load FSDP2 / ZeRO weights.

Weights are whole on every process until the first trainer starts and shards them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import get_total_norm


def prune_no_split_modules(model: Any) -> None:
    """Drop layer classes that the model does not have from those that FSDP is to wrap.

    FSDP raises if it does not find one of them. An image tower may lack some, and in a model that
    an earlier trainer has sharded they have other names.
    """
    present = {type(module).__name__ for module in model.modules()}
    model._no_split_modules = [name for name in model._no_split_modules if name in present]


def prepare_for_round(model: Any) -> None:
    """Set up a sharded model to be trained round by round; does nothing to others.

    All weights are resharded after a forward pass, so that they are always read and loaded as
    shards. A weight that a batch did not use gets a gradient of 0: a batch without images skips
    the image tower, for which the other processes would wait, and torch cannot resume an optimizer
    that has state for some of the weights only.
    """
    if isinstance(model, FSDPModule):
        model.set_reshard_after_forward(True)
        model.set_reduce_scatter_unused_params(True)


def is_sharded(model: Any) -> bool:
    """Whether FSDP holds the weights of a model, or of a part of it, in shards."""
    return any(isinstance(module, FSDPModule) for module in model.modules())


def are_finite(weights: Iterable[torch.Tensor]) -> bool:
    """Whether all weights, of which this process may hold shards, are finite.

    Their norm is not, where one of them is not; it takes a launch for many weights, and one wait.
    """
    whole = [weight.detach() for weight in weights]
    own = [weight.to_local() if isinstance(weight, DTensor) else weight for weight in whole]
    return bool(get_total_norm(own).isfinite())


@contextmanager
def gathered(model: Any) -> Iterator[None]:
    """Gather all weights on every process for a while; all processes must enter together.

    Processes generate responses of different lengths, so they cannot gather layer by layer.
    """
    sharded = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for module in sharded:
        module.set_reshard_after_forward(False, recurse=False)
        module.unshard()
    try:
        yield
    finally:
        for module in sharded:
            module.reshard()
            module.set_reshard_after_forward(True, recurse=False)


def copy_into_shard(weight: torch.Tensor, value: torch.Tensor) -> None:
    """Copy a value into a weight in place; of a full value, this process's shard into its shard.

    Args:
        weight: full or sharded.
        value: full, or sharded like the weight; the same shape.
    """
    if isinstance(weight, DTensor) and not isinstance(value, DTensor):
        on_device = value.to(weight.device)
        mesh, placements = weight.device_mesh, weight.placements
        value = distribute_tensor(on_device, mesh, placements, src_data_rank=None)
    weight.copy_(value)
