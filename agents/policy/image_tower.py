"""The image tower of a model: where it is, how it attends, and how it runs while it is frozen."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from accelerate.utils import recursively_apply
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
    gradients that no weight takes. Equal images of a batch are read once; see ``reading_once``.
    """
    for tower in image_towers(model):
        frozen = not any(weight.requires_grad for weight in tower.parameters())
        if frozen and "forward" not in vars(tower):
            tower.forward = torch.no_grad()(reading_once(tower.forward))


def reading_once(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward pass of a tower, that reads each of a batch's images once.

    Responses to one prompt are trained and scored side by side, each with the same images. Towers
    that take images another way than all patches as one sequence, with ``grid_thw`` (N, 3) for the
    patches of each, are left as they are.
    """
    taken = inspect.signature(forward).parameters.values()
    names = [each.name for each in taken if each.kind is not each.VAR_KEYWORD]
    if names[1:] != ["grid_thw"]:
        return forward

    @wraps(forward)
    def read(*given: torch.Tensor, grid_thw: torch.Tensor, **options: Any) -> Any:
        (patches,) = given or [options.pop(names[0])]
        lengths = grid_thw.prod(-1).tolist()
        first = first_equal(patches.split(lengths), grid_thw.tolist())
        distinct = sorted(set(first))
        if len(distinct) == len(first):
            return forward(patches, grid_thw, **options)
        images = patches.split(lengths)
        out = forward(torch.cat([images[i] for i in distinct]), grid_thw[distinct], **options)
        total = sum(lengths[i] for i in distinct)

        def repeated(values: torch.Tensor) -> torch.Tensor:
            """Rows of distinct images, as many for a patch everywhere, as rows of all images."""
            sizes = [lengths[i] * len(values) // total for i in distinct]
            pieces = dict(zip(distinct, values.split(sizes), strict=True))
            return torch.cat([pieces[i] for i in first])

        return recursively_apply(repeated, out)

    return read


def first_equal(images: Sequence[torch.Tensor], shapes: Sequence[Sequence[int]]) -> list[int]:
    """For each image the index of the first that equals it, which may be its own.

    Args:
        images: N tensors; only those with equal sums of their bits are compared.
        shapes: what else must be equal.
    """
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    sums = torch.stack([image.view(bits[image.element_size()]).sum() for image in images]).tolist()
    seen: dict[tuple[int, ...], list[int]] = {}
    first: list[int] = []
    for i, image in enumerate(images):
        alike = seen.setdefault((sums[i], *shapes[i]), [])
        equal = next((j for j in alike if torch.equal(images[j], image)), i)
        if equal == i:
            alike.append(i)
        first.append(equal)
    return first
