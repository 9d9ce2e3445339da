"""Vision-language models of a few thousand random weights, saved the way a hub model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from tiny_architectures import save_architecture, text_sizes, vision_sizes
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
    SiglipVisionConfig,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from mstar.agents.policy.embedded import ASSISTANT, CHAT_TEMPLATE, END, PAD, USER

Architecture = Literal["llava", "llava_window", "idefics3", "qwen2_vl", "qwen2_5_vl"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)


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


def save_tiny_model(architecture: Architecture, folder: Path, seed: int = 0) -> Path:
    """Write a random model and its processor to `folder` as a hub model is laid out."""
    if architecture in ("qwen2_vl", "qwen2_5_vl"):
        return save_architecture(architecture, folder, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if architecture == "llava":
            model, processor = llava()
        elif architecture == "llava_window":
            model, processor = llava(window=24)
        else:
            model, processor = idefics3()
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
