"""Merge LoRA into the weights while a policy samples, and undo it exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from mstar.agents.policy.quantization import is_quantized
from mstar.agents.policy.sharding import is_sharded


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """Add LoRA's updates to the weights for a while: a forward pass then costs that of the base.

    The weights of the base are copied and put back, so they are the same bits afterwards;
    subtracting the update would leave its rounding. They keep their place in memory, from which
    CUDA graphs read them. While merged, the layers under LoRA take twice their memory. Does nothing
    to a model without LoRA, with sharded weights, or in 4 bits, which no sum with LoRA fits into.

    Test: ``test_merging_is_undone_to_the_bit``.
    """
    modules = () if is_sharded(model) else model.modules()
    layers = [each for each in modules if isinstance(each, LoraLayer) and _takes_a_sum(each)]
    kept: list[tuple[Any, torch.Tensor]] = []
    try:
        with torch.no_grad():
            for layer in layers:
                kept.append((layer, layer.get_base_layer().weight.data.clone()))
                _merge(layer)
        yield
    finally:
        for layer, weight in reversed(kept):  # layers may share a weight
            layer.get_base_layer().weight.data.copy_(weight)
            layer.merged_adapters = []


def _takes_a_sum(layer: Any) -> bool:
    return not is_quantized(layer.get_base_layer().weight)


def _merge(layer: Any) -> None:
    weight = layer.get_base_layer().weight.data
    for adapter in layer.active_adapters:
        update = layer.get_delta_weight(adapter)
        precision = torch.promote_types(weight.dtype, update.dtype)
        weight.copy_(weight.to(precision) + update.to(precision))
    layer.merged_adapters = list(layer.active_adapters)  # peft then reads the base layer alone


def merged_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """All weights of a model with LoRA, by the names that they have without it.

    To be read while the model is ``merged``.
    """
    for name, weight in model.get_base_model().named_parameters():
        if ".lora_" not in name:
            yield name.replace(".base_layer", ""), weight.data
