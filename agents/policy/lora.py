"""How the layers of LoRA compute: what peft does, in fewer passes over the memory of a GPU."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear, LoraLayer
from peft.tuners.lora.layer import LoraVariant


def compute_in_few_passes(model: Any) -> None:
    """Let the layers of LoRA in a model read and write large tensors no more often than they must.

    Under autocast, peft brings the input of each layer to float32, the precision of its factors,
    only to have it cast back at once: here autocast alone casts. What LoRA adds to the output of a
    layer, peft computes, scales and adds one after the other: here it is one product, added in
    place. Layers with a variant of LoRA, such as DoRA, and quantized ones keep their own sum.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module._cast_input_dtype = _cast_without_autocast
        if type(module) is Linear:
            for adapter in module.lora_A:
                module.lora_variant.setdefault(adapter, AddedInPlace())


def _cast_without_autocast(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    under_autocast = torch.is_autocast_enabled(values.device.type)
    return values if under_autocast else values.to(dtype)


class AddedInPlace(LoraVariant):
    """LoRA as it is, whose second product is scaled and added to the layer's output in place."""

    @staticmethod
    def init(module: Any, adapter_name: str, **_: Any) -> None:
        """Nothing is added to a layer."""

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """The output of a layer with LoRA.

        Args:
            module: the layer.
            active_adapter: by its name.
            x: (..., I) input.
            result: (..., O) output of the layer without LoRA; it is written over.
        """
        inner: torch.Tensor = module.lora_A[active_adapter](module.lora_dropout[active_adapter](x))
        second, scale = module.lora_B[active_adapter], float(module.scaling[active_adapter])
        if result.dim() != 3 or result.dtype != inner.dtype or second.bias is not None:
            outer: torch.Tensor = second(inner)
            return result + outer * scale
        factor = second.weight.to(result.dtype).T.expand(len(result), -1, -1)
        return result.baddbmm_(inner, factor, alpha=scale)

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        """The weight with LoRA's update."""
        return orig_weight + _update(module, active_adapter, orig_weight.dtype)

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> None:
        """Add LoRA's update to the weight."""
        orig_weight.data += _update(module, active_adapter, orig_weight.dtype)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        """The weight without LoRA's update."""
        return orig_weight - _update(module, active_adapter, orig_weight.dtype)


def _update(module: Any, adapter: str, dtype: torch.dtype) -> torch.Tensor:
    update: torch.Tensor = module.get_delta_weight(adapter)
    return update.to(dtype)
