"""A base model in 4 bits under LoRA (QLoRA, Dettmers et al. 2023, arXiv 2305.14314).

On some CPUs, bitsandbytes asks the hub for a kernel when it is imported, if the package ``kernels``
is installed; ``HF_HUB_OFFLINE=1`` keeps it from that. Nothing here needs that kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import torch
from transformers import BitsAndBytesConfig
from transformers.utils import is_bitsandbytes_available

Quantization = Literal["none", "4bit"]


def four_bits(dtype: torch.dtype, kept: Sequence[str]) -> BitsAndBytesConfig:
    """How a model is loaded in 4 bits: NormalFloat, with scales that are quantized once more.

    Args:
        dtype: in which a layer computes, and of the weights that are kept as they are.
        kept: patterns of the names of modules whose weights stay as they are.
    """
    check_bitsandbytes()
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=list(kept),
    )


def keep_trainable(model: Any) -> None:
    """Keep bitsandbytes from packing weights for sampling on a CPU: no gradient passes them then.

    It would do so in the first forward pass without gradients, on CPUs that compute in bfloat16.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def check_bitsandbytes() -> None:
    """Check that the package is installed.

    Raises:
        ValueError: it is not.
    """
    if not is_bitsandbytes_available():
        raise ValueError(
            "a model in 4 bits needs bitsandbytes, which is not installed: "
            "pip install mstar-rl[bnb], or leave --quantize out"
        )


def is_quantized(weight: Any) -> bool:
    """Whether a weight is kept in 4 bits, two numbers in a byte."""
    return hasattr(weight, "quant_state")


def numbers_in(weight: Any) -> int:
    """How many numbers a weight holds, of a sharded or quantized one as well."""
    if is_quantized(weight):
        return prod(weight.quant_state.shape)
    return int(getattr(weight, "ds_numel", weight.numel()))


def keep_factors_in_float32(network: Any) -> None:
    """Let TRL leave LoRA's factors as they are.

    It rounds those of a model that says it is in 4 bits to bfloat16, in which small updates of a
    factor are lost.
    """
    if getattr(network, "is_loaded_in_4bit", False):
        network.is_loaded_in_4bit = False
