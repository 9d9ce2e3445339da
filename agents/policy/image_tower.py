"""The image tower of a model: where it is, how it attends, and how it runs while it is frozen."""

from __future__ import annotations

import inspect
import re
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

IMAGE_TOWER = r".*\b(vision_tower|vision_model|vision_backbone|visual)\b.*"

# By the word `flash` a tower hands over all images at once, with the lengths of its sequences.
BY_LENGTH = "flash_by_length"


def image_towers(model: Any) -> list[Any]:
    """The outermost modules of a model that belong to an image tower alone."""
    towers: dict[str, Any] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in towers)
        if not inside and re.fullmatch(IMAGE_TOWER, name):
            towers[name] = module
    return list(towers.values())


def attend_by_length(model: Any) -> None:
    """Let a tower that reads all images as one sequence attend in few calls; others stay as are.

    Qwen2-VL and later models cut that sequence into images, or into windows of images.
    transformers' ``sdpa`` makes one call for each piece of each layer: 7,168 of them for 16 images
    of 448 x 448 pixels in Qwen2.5-VL, which take longer than the arithmetic.
    """
    for tower in image_towers(model):
        configs = [
            module.config
            for module in tower.modules()
            if "cu_seqlens" in inspect.signature(module.forward).parameters
            and getattr(module, "config", None) is not None
        ]
        for config in configs:
            if config._attn_implementation == "sdpa":
                config._attn_implementation = BY_LENGTH


def attention_by_length(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    cu_seq_lens_q: torch.Tensor,
    max_length_q: int,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention inside each of N pieces of one sequence, in one call for pieces of one length.

    Args:
        module: whose attention it is.
        query: (1, H, S, D), as are key and value.
        key: see query.
        value: see query.
        attention_mask: none.
        cu_seq_lens_q: (N + 1,) ints from 0 to S, where the pieces begin and end.
        max_length_q: of a piece.
        scaling: of the products; None for 1 / sqrt(D).
        dropout: of the attention weights.

    Returns:
        (1, S, H, D), and None for the weights.
    """
    states = [each[0] for each in (query, key, value)]

    def attend(parts: list[torch.Tensor], length: int) -> torch.Tensor:
        """(n * length, H, D) from query, key and value (H, n * length, D) of n pieces."""
        q, k, v = (part.unflatten(1, (-1, length)).transpose(0, 1) for part in parts)
        out = scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        return out.transpose(1, 2).flatten(0, 1)

    pieces, length = len(cu_seq_lens_q) - 1, max_length_q
    if pieces * length == query.shape[2]:  # all are of one length; asked without a GPU's answer
        return attend(states, length)[None], None
    starts, lengths = cu_seq_lens_q[:-1], cu_seq_lens_q.diff()
    outputs: list[torch.Tensor] = []
    places: list[torch.Tensor] = []
    for length in sorted({*lengths.tolist()} - {0}):
        steps = torch.arange(length, device=starts.device)
        own = (starts[lengths == length][:, None] + steps).flatten()
        outputs.append(attend([each[:, own] for each in states], length))
        places.append(own)
    return torch.cat(outputs)[torch.cat(places).argsort()][None], None


AttentionInterface.register(BY_LENGTH, attention_by_length)


def run_frozen_towers_without_gradients(model: Any) -> None:
    """Let image towers whose weights are all frozen run without gradients in training.

    transformers makes the inputs of every embedding ask for gradients when activations are
    checkpointed, those of the tower as well: it would be run a second time and backwards, for
    gradients that no weight takes.
    """
    for tower in image_towers(model):
        frozen = not any(weight.requires_grad for weight in tower.parameters())
        if frozen and "forward" not in vars(tower):
            tower.forward = torch.no_grad()(tower.forward)
