"""Load processors; those of Qwen-VL models for images alone, so that torchvision is not needed.

The processors of Qwen2-VL, Qwen2.5-VL and Qwen3-VL contain a video processor, and cannot be built
without torchvision because of it.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoProcessor, Qwen2_5_VLConfig, Qwen2VLConfig, Qwen3VLConfig
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

QWEN_CONFIGS = (Qwen2VLConfig, Qwen2_5_VLConfig, Qwen3VLConfig)


class QwenImageProcessor(Qwen2VLProcessor):
    """Image processor and tokenizer of a Qwen-VL model; images are placed as Qwen places them."""

    text_kwargs = {"return_token_type_ids": False}  # noqa: RUF012 (transformers declares it so)

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
    ) -> None:
        self.image_token = "<|image_pad|>"
        self.video_token = "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        # Skips the parent's __init__, which requires the video processor.
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def load_processor(name: str, config: Any) -> Any:
    """Load the processor of a model, set to pad on the left.

    Args:
        name: folder or hub name of the model.
        config: its configuration.
    """
    for qwen in QWEN_CONFIGS:  # folders to which a QwenImageProcessor was saved name its class
        AutoProcessor.register(qwen, QwenImageProcessor, exist_ok=True)
    loader = AutoProcessor
    if isinstance(config, QWEN_CONFIGS) and not is_torchvision_available():
        loader = QwenImageProcessor
    processor = loader.from_pretrained(name, trust_remote_code=False)
    processor.tokenizer.padding_side = "left"
    return processor
