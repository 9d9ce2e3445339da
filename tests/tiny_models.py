"""Vision-language models of a few thousand random weights, saved the way a hub model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    SiglipVisionConfig,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from mstar.agents.policy.embedded import ASSISTANT, CHAT_TEMPLATE, END, PAD, USER
from mstar.agents.policy.processors import QwenImageProcessor

Architecture = Literal["llava", "llava_window", "idefics3", "qwen2_vl", "qwen2_5_vl"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

WIDTH, LAYERS, HEADS = 48, 2, 4
# Large enough that what a random model says depends on its picture and changes from token to token.
SPREAD = 0.35


def byte_tokenizer(*extra: str) -> PreTrainedTokenizerFast:
    """One token a byte, the four roles and `extra` special tokens; pads on the left."""
    special = [PAD, END, USER, ASSISTANT, *extra]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, *extra],
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def text_sizes(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What the text models have in common."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": SPREAD,
        "tie_word_embeddings": True,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
    }


def vision_sizes(image_size: int, patch: int) -> dict[str, Any]:
    """What the SigLIP-form towers have in common."""
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": image_size,
        "patch_size": patch,
        "initializer_range": SPREAD,
    }


def llava(window: int | None = None) -> tuple[Any, Any]:
    """A SigLIP tower and a Llama; 32 px, patches of 8, so 16 tokens an image.

    With a `window` it is a Mistral, whose cache forgets what is further back.
    """
    tokenizer = byte_tokenizer("<image>")
    processor = LlavaProcessor(
        image_processor=SiglipImageProcessorPil(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )
    config = LlavaConfig(
        vision_config=SiglipVisionConfig(**vision_sizes(32, 8), vision_use_head=False),
        text_config=LlamaConfig(**text_sizes(tokenizer))
        if window is None
        else MistralConfig(**text_sizes(tokenizer), sliding_window=window),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        image_seq_length=16,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaForConditionalGeneration(config), processor


def idefics3() -> tuple[Any, Any]:
    """An Idefics3 without image splitting; 32 px, patches of 4, shuffled by 2: 16 tokens."""
    tokenizer = byte_tokenizer(
        "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"
    )
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(
            size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
        ),
        tokenizer,
        image_seq_len=16,
        chat_template=CHAT_TEMPLATE,
    )
    config = Idefics3Config(
        vision_config=vision_sizes(32, 4),
        text_config=LlamaConfig(**text_sizes(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Idefics3ForConditionalGeneration(config), processor


def qwen(architecture: Architecture) -> tuple[Any, Any]:
    """A Qwen2-VL or Qwen2.5-VL; patches of 14 merged by 2, as many tokens as the picture asks."""
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = byte_tokenizer(*marks)
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(marks))
    processor = QwenImageProcessor(
        Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=16 * 28 * 28),
        tokenizer,
        chat_template=CHAT_TEMPLATE.replace(
            "<image>", "<|vision_start|><|image_pad|><|vision_end|>"
        ),
    )
    rope = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 10000.0}
    text = {**text_sizes(tokenizer), "rope_parameters": rope}
    marks_of = {
        "vision_start_token_id": start,
        "vision_end_token_id": end,
        "image_token_id": image,
        "video_token_id": video,
        "tie_word_embeddings": True,
    }
    if architecture == "qwen2_vl":
        tower = {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": WIDTH}
        config = Qwen2VLConfig(text_config=text, vision_config=tower, **marks_of)
        return Qwen2VLForConditionalGeneration(config), processor
    tower = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(text_config=text, vision_config=tower, **marks_of)
    return Qwen2_5_VLForConditionalGeneration(config), processor


def save_tiny_model(architecture: Architecture, folder: Path, seed: int = 0) -> Path:
    """Write a random model and its processor to `folder` as a hub model is laid out."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if architecture == "llava":
            model, processor = llava()
        elif architecture == "llava_window":
            model, processor = llava(window=24)
        elif architecture == "idefics3":
            model, processor = idefics3()
        else:
            model, processor = qwen(architecture)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
