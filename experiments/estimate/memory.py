"""The memory of a run by what it holds, from the shapes of its model and its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from mstar.agents.config import Recipe
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.packing import can_pack, longest_row
from mstar.agents.policy.pixels import PixelBounds
from mstar.agents.policy.policy import Policy, vision_language_config
from mstar.agents.policy.processors import load_processor
from mstar.agents.policy.quantization import numbers_in
from mstar.agents.sampling.fixed_decoding import rounded_up
from mstar.agents.settings import Optimizer
from mstar.envs.problem import Prompt

# Bytes of an optimizer's state beside each trained weight: fixed, or None for two numbers of the
# weight's own width. Adafactor keeps a row and a column of each matrix; paged states stand on the
# CPU where the GPU has no room.
STATE_BYTES: dict[Optimizer, float | None] = {
    "adamw_torch_fused": None,
    "adamw_torch": None,
    "adafactor": 0.0,
    "adamw_bnb_8bit": 2.0,
    "paged_adamw_32bit": 0.0,
    "paged_adamw_8bit": 0.0,
}
# Of a number in 4 bits, with a scale of 8 bits for 64 numbers and one of 32 for 256 of those.
QUANTIZED_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
TILE = (4096, 32768)  # positions and words whose logits TRL's fused head has at the same time
# Tiles beside each other where TRL's head has no Triton: the logits, eight of the same size that
# ``_backward_tile`` makes of them, and a mask of a byte each.
TILES_WITHOUT_TRITON = 8.25
SCORED_ROWS = 16  # responses of which ``log_probabilities`` has all logits at the same time
DRAWN_TOGETHER = 128  # rows of which ``draw_tokens`` has four tensors as wide as the vocabulary
DRAWN = 7  # such tensors in ``sample_tokens``, one of them in float64 counted twice


@dataclass(frozen=True, slots=True)
class PromptShape:
    """The longest of some prompts.

    Attributes:
        tokens: with those of the images.
        patches: of its images, as the image tower reads them.
    """

    tokens: int
    patches: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on the device of each process.

    Attributes:
        weights: of the policy, its share while they are sharded.
        whole: of the policy while it samples, when every process has all weights.
        merged: the copy of the weights under LoRA while it is merged into them.
        reference: of the base policy that online agents compare with.
        gradients: of the trained weights.
        added_up: whether an update adds up the gradients of several passes. Those of a single one
            come as its activations go, so that both are never there as a whole.
        moments: of the optimizer.
        activations: kept between a forward pass and its backward pass.
        passing: the most that is there for a moment in a backward pass: logits, or the activations
            of a layer that are computed again.
        cache: keys and values of the responses that are sampled at the same time.
        drawing: logits, and what is made of them, while tokens are drawn.
        scoring: logits while responses are scored after a round.
        copies: of weights and moments, which a thread writes to the disk while the policy is
            measured; in the memory of the host, and counted where that is the device.
        first: the weights to which a first round returns that ran out of memory; likewise.
    """

    weights: int
    whole: int
    merged: int
    reference: int
    gradients: int
    added_up: bool
    moments: int
    activations: int
    passing: int
    cache: int
    drawing: int
    scoring: int
    copies: int
    first: int

    @property
    def training(self) -> int:
        """The most that is held in an update."""
        before = self.activations + self.passing + self.gradients * self.added_up
        held = self.weights + self.reference + self.moments + self.first
        return held + max(before, self.gradients)

    @property
    def sampling(self) -> int:
        """The most that is held while responses are sampled or scored; gradients are not."""
        held = self.whole + self.reference + self.moments + self.copies
        return held + max(self.merged + self.cache + self.drawing, self.scoring)

    @property
    def most(self) -> int:
        """The most that is held at any time."""
        return max(self.training, self.sampling)


def empty_policy(recipe: Recipe) -> Policy:
    """The recipe's policy with shapes and no numbers: on torch's ``meta`` device.

    Raises:
        FileNotFoundError, ValueError: as for ``Policy.load``; only the configuration and the
            processor of the model are read.
    """
    name = str(EMBEDDED) if recipe.model.name == "embedded" else recipe.model.name
    config = vision_language_config(name)
    processor = load_processor(name, config)
    pixels = PixelBounds(recipe.model.min_pixels, recipe.model.max_pixels)
    pixels.allow(processor.image_processor)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(
            config, dtype=getattr(torch, recipe.model.dtype)
        )
        policy = Policy(model, processor, pixels)
        if recipe.model.lora_rank:
            return policy.with_lora(recipe.model.lora_rank)
    if not recipe.model.trains_image_tower:
        policy.freeze_image_tower()
    return policy


def longest(policy: Policy, prompts: Sequence[Prompt]) -> PromptShape:
    """The most tokens and the most patches of prompts, each encoded by the policy's processor."""
    encoded = [policy.encode([prompt]) for prompt in prompts]
    size = getattr(getattr(policy.network.config, "vision_config", None), "patch_size", 0)
    side = size[0] if isinstance(size, list | tuple) else size
    return PromptShape(
        max(each["input_ids"].shape[1] for each in encoded),
        max(_patches(each.get("pixel_values"), side) for each in encoded),
    )


def _patches(pixels: Any, side: int) -> int:
    """Patches of an image tensor: a row each (Qwen-VL), or cut from (..., height, width)."""
    if pixels is None:
        return 0
    if pixels.ndim == 2 or not side:
        return int(pixels.shape[0])
    return int(prod(pixels.shape[:-3]) * prod(pixels.shape[-2:]) // side**2)


def memory_of(
    recipe: Recipe,
    policy: Policy,
    prompt: PromptShape,
    device: str = "cuda",
    processes: int = 1,
) -> Memory:
    """The memory of a run.

    Activations are those of transformers' layers, counted below; libraries, their workspaces and
    what is lost between blocks come on top. A model whose layers are built otherwise may take more
    or less.

    Args:
        recipe: all settings.
        policy: of ``empty_policy``, or a loaded one.
        prompt: the longest.
        device: type of the device: ``cuda``, ``cpu`` and so on.
        processes: among which weights, gradients and moments are sharded, and each batch is split.
    """
    every = list(policy.model.parameters())
    trained = [weight for weight in every if weight.requires_grad]
    weights, learned = _weight_bytes(recipe, policy), _bytes(trained)
    state = STATE_BYTES[recipe.optim.optimizer]
    moments = int(2 * learned if state is None else state * sum(each.numel() for each in trained))
    rows = max(1, recipe.optim.batch // recipe.optim.passes // processes)
    length = _row_tokens(recipe, policy, prompt, rows)
    kept, again = _activations(recipe, policy, prompt, length)
    text = policy.network.config.get_text_config()
    together = min(recipe.sampling.batch_rows, recipe.sampling.prompts * recipe.sampling.samples)
    scored = min(SCORED_ROWS, recipe.evaluation.validation_problems) * recipe.max_new_tokens
    adapted, on_host = bool(recipe.model.lora_rank), device == "cpu"
    unmerged = not adapted or recipe.model.quantize != "none" or processes > 1
    return Memory(
        weights=weights // processes,
        whole=weights,
        merged=0 if unmerged else _bytes(_under_lora(policy)),
        reference=weights if _has_reference(recipe) else 0,
        gradients=learned // processes,
        added_up=recipe.optim.passes > 1,
        moments=moments // processes,
        activations=rows * kept,
        passing=max(rows * again, _tiled_logits(recipe, text, rows, length, device)),
        cache=_cached_tokens(recipe, prompt, together, device) * _cache_bytes(text, _width(recipe)),
        drawing=_drawn_logits(recipe, together, device) * text.vocab_size,
        # As the model gives them, in float32, and one tensor more for their normalizer.
        scoring=(8 if _width(recipe) == 4 else 10) * scored * text.vocab_size,
        # LoRA's factors are small, and written at once.
        copies=(weights + moments) * (on_host and not adapted and processes == 1),
        first=learned * on_host,
    )


def _row_tokens(recipe: Recipe, policy: Policy, prompt: PromptShape, rows: int) -> int:
    """Tokens of a pass over `rows` responses for each of them; GRPO and RLOO pack their prompts."""
    packs = recipe.learns_online and recipe.run.agent != "online-dpo" and can_pack(policy)
    if not packs:
        return prompt.tokens + recipe.max_new_tokens
    room = (longest_row(policy, prompt.tokens) - prompt.tokens) // (recipe.max_new_tokens + 1)
    prompts = -(-rows // max(1, min(room, recipe.sampling.samples)))
    return -(-prompts * prompt.tokens // rows) + recipe.max_new_tokens + 1


def _has_reference(recipe: Recipe) -> bool:
    """Whether a base policy stands beside the one that is trained; LoRA is switched off instead."""
    if not recipe.learns_online or (recipe.model.lora_rank and recipe.run.agent != "online-dpo"):
        return False
    return recipe.run.agent == "online-dpo" or recipe.kl_coefficient > 0


def _tiled_logits(recipe: Recipe, text: Any, rows: int, length: int, device: str) -> int:
    """Tiles of logits, the gradient of what they are made from, and of the head if it is trained.

    With Triton, that is on GPUs, there is one tile, of the positions of responses; without it are
    several, of all positions. See ``kernels/chunked_logprob.py`` of TRL 1.16.
    """
    positions = rows * (recipe.max_new_tokens if device == "cuda" else length)
    tile = min(TILE[0], positions) * min(TILE[1], text.vocab_size)
    width = _width(recipe) if device == "cuda" else 4 * TILES_WITHOUT_TRITON
    head = 0 if recipe.model.lora_rank else text.vocab_size * text.hidden_size
    return int(width * tile) + 4 * int(positions * text.hidden_size + head)


def _cached_tokens(recipe: Recipe, prompt: PromptShape, together: int, device: str) -> int:
    """Tokens whose keys and values are there at the same time.

    Responses share those of their prompt, unless attention is eager. On GPUs, buffers that keep
    their place hold those of the prompts once more, of rounded lengths, and where responses wait
    for a row, of twice as many prompts.
    """
    new, samples = recipe.max_new_tokens, recipe.sampling.samples
    prompts = min(recipe.sampling.prompts, -(-together // samples))
    if recipe.model.attention == "eager":
        return together * (prompt.tokens + new) + prompts * prompt.tokens
    if device == "cuda":
        waiting = together < recipe.sampling.prompts * samples
        places = min(2 * prompts, together) if waiting else prompts
        read = prompts * prompt.tokens + places * rounded_up(prompt.tokens, 64)
        return read + rounded_up(together, 8) * rounded_up(new, 16)
    return prompts * prompt.tokens + together * new


def _drawn_logits(recipe: Recipe, together: int, device: str) -> int:
    """Bytes for every word of the vocabulary while `together` tokens are drawn."""
    if device == "cuda" and recipe.model.attention != "eager":
        return _width(recipe) * together + 4 * 4 * min(DRAWN_TOGETHER, together)
    return 4 * DRAWN * together


def _weight_bytes(recipe: Recipe, policy: Policy) -> int:
    """All weights; those under LoRA in 4 bits, where the recipe says so."""
    total = _bytes(list(policy.model.parameters()))
    if recipe.model.quantize == "none":
        return total
    under_lora = _under_lora(policy)
    quantized = QUANTIZED_BYTES * sum(map(numbers_in, under_lora))
    return total - _bytes(under_lora) + int(quantized)


def _under_lora(policy: Policy) -> list[torch.Tensor]:
    named = policy.model.named_parameters()
    return [weight for name, weight in named if name.endswith("base_layer.weight")]


def _bytes(weights: Sequence[torch.Tensor]) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights)


def _width(recipe: Recipe) -> int:
    """Bytes of a number in a forward pass."""
    return 2 if recipe.optim.bf16 or recipe.model.dtype == "bfloat16" else 4


def _cache_bytes(text: Any, width: int) -> int:
    """Keys and values of one token in all layers."""
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return 2 * int(text.num_hidden_layers * heads * _head_width(text)) * width


def _activations(
    recipe: Recipe, policy: Policy, prompt: PromptShape, length: int
) -> tuple[int, int]:
    """Bytes of one row, in the text model and a trained tower.

    Returns:
        What is kept for the backward pass; and what a layer takes while it is computed again, 0
        without checkpointing.
    """
    config, width = policy.network.config, _width(recipe)
    text = config.get_text_config()
    eager, adapted = recipe.model.attention == "eager", bool(recipe.model.lora_rank)
    copied = adapted and not recipe.optim.bf16
    towers = [(text, length, True)]
    tower = getattr(config, "vision_config", None)
    if recipe.model.trains_image_tower and not adapted and tower is not None:
        towers.append((tower, prompt.patches, False))
    kept, again = 0, 0
    for shape, tokens, gated in towers:
        layers = getattr(shape, "num_hidden_layers", None) or shape.depth
        layer = tokens * _layer_bytes(shape, gated, width, copied)
        if eager:  # scores and their softmax, which fused attention computes again
            layer += 2 * tokens**2 * _heads(shape) * width
        if recipe.optim.gradient_checkpointing:
            kept += layers * tokens * shape.hidden_size * width
            again = max(again, layer)
        else:
            kept += layers * layer
    return kept, again


def _layer_bytes(shape: Any, gated: bool, width: int, copied: bool) -> int:
    """Bytes that a layer keeps of one token for its backward pass.

    As transformers' layers are written: each of two norms keeps its input in float32, its result,
    and what the linear layers behind it read; attention keeps queries, keys and values of all
    heads, its result, and that once more as the output layer reads it; a gated feed-forward part
    keeps gate, its activation, the other factor and the product, another one its input and result.
    Compare Korthikanti et al. 2022 (arXiv 2205.05198, section 4) for layers with dropout. LoRA in
    float32 beside weights in bfloat16 copies the input of each of its seven layers (`copied`),
    unless autocast brings its factors to bfloat16.
    """
    hidden, heads = shape.hidden_size, _heads(shape) * _head_width(shape)
    inner = _inner(shape)
    norms = 2 * hidden * (4 + 2 * width)
    attention = 5 * heads * width
    feed_forward = (4 if gated else 2) * inner * width
    copies = 4 * (5 * hidden + heads + inner) if copied and width == 2 else 0
    return int(norms + attention + feed_forward + copies)


def _heads(shape: Any) -> int:
    return int(getattr(shape, "num_attention_heads", None) or shape.num_heads)


def _head_width(shape: Any) -> int:
    return int(getattr(shape, "head_dim", None) or shape.hidden_size // _heads(shape))


def _inner(shape: Any) -> int:
    """Width of the feed-forward part; of the experts that read a token, in a mixture of experts."""
    experts = getattr(shape, "num_experts_per_tok", None)
    if experts:
        width = getattr(shape, "moe_intermediate_size", None) or shape.intermediate_size
        return int(experts * width)
    inner = getattr(shape, "intermediate_size", None)
    return int(inner or shape.hidden_size * shape.mlp_ratio)
