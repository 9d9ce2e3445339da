"""Put an untrained image tower in front of a language model, in SmolVLM's form (Idefics3)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from mstar.agents.model_names import check_model

IMAGE = "<image>"
# The tokens that the processor of Idefics3 writes around the places of an image.
IMAGE_TOKENS = ("<fake_token_around_image>", IMAGE, "<global-img>", "<end_of_utterance>")
# Chat templates of language models take texts; this makes one of each turn, with a token in the
# place of each image, and is followed by the model's own template.
FLATTEN = (
    "{%- set flat = namespace(turns=[]) -%}"
    "{%- for message in messages -%}"
    "{%- set told = namespace(text='') -%}"
    "{%- if message['content'] is string -%}{%- set told.text = message['content'] -%}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- set told.text = told.text ~ ('<image>' if part['type'] == 'image' else part['text']) -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- set flat.turns = flat.turns + [{'role': message['role'], 'content': told.text}] -%}"
    "{%- endfor -%}"
    "{%- set messages = flat.turns -%}"
)


@dataclass(frozen=True, slots=True)
class Tower:
    """The form of the image tower, that of SigLIP, and of what follows it.

    Attributes:
        image_size: side in pixels that every image is enlarged or reduced to.
        patch: side of a patch, in pixels.
        width: hidden size, a multiple of `heads`.
        layers: of the transformer.
        heads: of attention.
        shuffle: so many patches in a row, and in a column, become one token (pixel shuffle).
    """

    image_size: int = 224
    patch: int = 16
    width: int = 384
    layers: int = 8
    heads: int = 6
    shuffle: int = 2

    def __post_init__(self) -> None:
        if self.image_size % (self.patch * self.shuffle) or self.width % self.heads:
            raise ValueError(
                f"{self}: patch x shuffle must divide the image size, and heads the width"
            )

    @property
    def tokens(self) -> int:
        """Number of tokens of an image."""
        return (self.image_size // (self.patch * self.shuffle)) ** 2


def assemble(language_model: str, tower: Tower, seed: int) -> tuple[Any, Any]:
    """An Idefics3 of random tower and connector around a language model, and its processor.

    Args:
        language_model: a folder, a hub name, or a GGUF file.
        tower: its form.
        seed: of the random weights.

    Raises:
        FileNotFoundError: there is no such file, folder or model.
        ValueError: the model cannot be used.
    """
    tokenizer, language = load_language_model(language_model)
    if not tokenizer.chat_template:
        raise ValueError(
            f"{language_model} has no chat template, so it was not made to answer; give an "
            "instruction-tuned model"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    tokenizer.add_special_tokens({"additional_special_tokens": list(IMAGE_TOKENS)})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _joined(language, tokenizer, tower)
    return model, _processor(tokenizer, tower)


def load_language_model(name: str) -> tuple[Any, Any]:
    """The tokenizer and the model, in float32.

    Raises:
        FileNotFoundError, ValueError: as of ``assemble``.
    """
    where, options = name, {}
    if name.lower().endswith(".gguf"):
        if not Path(name).is_file():
            raise FileNotFoundError(f"there is no file {name}")
        if find_spec("gguf") is None:
            raise ValueError(
                "reading a GGUF file needs the package gguf: pip install mstar-rl[gguf]"
            )
        where, options = str(Path(name).parent), {"gguf_file": Path(name).name}
    try:
        if not options:
            check_model(name)
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False, **options)
        model = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, trust_remote_code=False, use_safetensors=True, **options
        )
    except OSError as error:
        raise FileNotFoundError(
            f"language model {name!r} is neither a folder with a model in safetensors, nor a GGUF "
            f"file, nor on the hub: {str(error).splitlines()[0]}"
        ) from error
    return tokenizer, model


def _joined(language: Any, tokenizer: Any, tower: Tower) -> Any:
    text = language.config.to_dict()
    # Of a GGUF file: the weights are no longer quantised, and trainers refuse those that are.
    text.pop("quantization_config", None)
    config = Idefics3Config(
        vision_config={
            "hidden_size": tower.width,
            "intermediate_size": 3 * tower.width,
            "num_hidden_layers": tower.layers,
            "num_attention_heads": tower.heads,
            "image_size": tower.image_size,
            "patch_size": tower.patch,
        },
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        scale_factor=tower.shuffle,
        tie_word_embeddings=language.config.tie_word_embeddings,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Idefics3ForConditionalGeneration(config)
    for part in (model.model.vision_model, model.model.connector):
        for name, weight in part.named_parameters():
            if weight.ndim == 2 and "position" not in name:
                # transformers' default is for wider models, in which attention starts less flat.
                torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    embedded = language.get_input_embeddings().weight.detach()
    with torch.no_grad():  # image tokens are as large as words, or attention overlooks the words
        model.model.connector.modality_projection.proj.weight *= embedded.pow(2).mean().sqrt()
    model.model.text_model.load_state_dict(language.get_decoder().state_dict())
    model.lm_head.load_state_dict(language.get_output_embeddings().state_dict())
    if len(tokenizer) > language.config.vocab_size:
        added = len(tokenizer) - language.config.vocab_size
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        with torch.no_grad():  # as transformers does, without its drawing of random numbers
            for weight in {model.get_input_embeddings().weight, model.lm_head.weight}:
                weight[-added:] = weight[:-added].mean(0)
    model.tie_weights()
    ends = language.generation_config.eos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id if ends is None else ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _processor(tokenizer: Any, tower: Tower) -> Any:
    size = {"longest_edge": tower.image_size}
    return Idefics3Processor(
        Idefics3ImageProcessorPil(size=size, max_image_size=size, do_image_splitting=False),
        tokenizer,
        image_seq_len=tower.tokens,
        chat_template=FLATTEN + tokenizer.chat_template,
    )
