"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL for pictures alone, so that torchvision is not needed.

Their own processors cannot be built without torchvision, because of the video processor inside.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoProcessor, Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3VLConfig
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.processing_utils import ProcessorMixin

QWEN_CONFIGS = (Qwen2VLConfig, Qwen2_5_VLConfig, Qwen3VLConfig)


class QwenImageProcessor(Qwen2VLProcessor):
    """Image processor and tokenizer of a Qwen-VL model; pictures are placed as Qwen places them."""

    text_kwargs = {"return_token_type_ids": False}  # noqa: RUF012 (transformers declares it so)

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
    ) -> None:
        self.image_token = "<|image_pad|>"
        self.video_token = "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        # Past the parent, which would ask for the video processor.
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def register() -> None:
    """Let ``AutoProcessor`` load folders that a ``QwenImageProcessor`` was saved to."""
    for config in QWEN_CONFIGS:
        AutoProcessor.register(config, QwenImageProcessor, exist_ok=True)
