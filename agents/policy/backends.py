"""Which parts of torch and torchvision are used, and what is avoided in them.

torchvision is checked before transformers imports it: with one that cannot be imported, no model
class of transformers can be either.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch


def torchvision_available() -> bool:
    """Whether torchvision is installed.

    Raises:
        ImportError: it is, and cannot be imported, as a build for another torch cannot.
    """
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # a build for another torch raises RuntimeError
        raise ImportError(
            f"torchvision is installed but cannot be imported ({error}); install the build that "
            f"belongs to torch {torch.__version__} from the same index, or uninstall it: most "
            "models do not need it"
        ) from error
    return True


TORCHVISION = torchvision_available()


def attend_without_plans() -> None:
    """Let torch attend by its own kernels on GPUs, and not by those of cuDNN.

    cuDNN compiles a plan for every new shape (pytorch/pytorch#155958, #190388), which takes one to
    four seconds of an update at a real model's size (experiments/results/gpu), and nearly every
    batch here has a length of its own.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def multiply_by_head_once(model: Any) -> None:
    """Let a model compute the logits of the last tokens of many rows in one matrix product.

    These tokens are a slice of longer rows, (N, 1, size). With frozen weights, as under LoRA, torch
    multiplies such a slice row by row, and for bfloat16 on a CPU it first copies the weights of the
    head, vocabulary x size, N times: 32 prompts of a model with 49,152 tokens took seven CPU-s and
    1.7 GB more.
    """
    head = model.get_output_embeddings()
    if head is not None:
        head.register_forward_pre_hook(_contiguous)


def _contiguous(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (inputs[0].contiguous(), *inputs[1:])
