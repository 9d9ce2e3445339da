"""Random models of a few thousand weights in the forms of published families.

Each is saved as its makers publish it: the weights, the tokenizer, and the processor's settings as
files, so that it can be written where the processor itself cannot be built. Images are small, and
those of most families cost as many tokens as their size asks for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from mstar.agents.policy.embedded import ASSISTANT, CHAT_TEMPLATE, END, PAD, USER

BOS = "<bos>"
WIDTH, LAYERS, HEADS = 48, 2, 4
# Large enough that what a random model says depends on its image and changes from token to token.
SPREAD = 0.35


@dataclass(frozen=True, slots=True)
class Form:
    """How a family is built.

    Attributes:
        config: the model's, from the tokenizer.
        processor: name of its class.
        images: settings of the image processor, with its type.
        marks: special tokens, besides pad, end and the roles; those with a name are attributes
            of the tokenizer.
        image: what the chat template writes for an image.
        settings: of the processor.
        bos: whether the tokenizer puts a first token in front.
    """

    config: Callable[[Any], Any]
    processor: str
    images: dict[str, Any]
    marks: dict[str, str]
    image: str
    settings: dict[str, Any] = field(default_factory=dict)
    bos: bool = False


def tokenizer_of(form: Form) -> Any:
    """One token a byte, and the special tokens of a form."""
    marks = list(dict.fromkeys(form.marks.values()))
    special = [PAD, END, USER, ASSISTANT, *([BOS] if form.bos else []), *marks]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if form.bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", special_tokens=[(BOS, words.index(BOS))]
        )
    template = CHAT_TEMPLATE.replace("<image>", form.image)
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        bos_token=BOS if form.bos else None,
        extra_special_tokens=[USER, ASSISTANT, *marks],
        model_specific_special_tokens={
            name: mark for name, mark in form.marks.items() if name.endswith("_token")
        },
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
        chat_template=("{{ bos_token }}" if form.bos else "") + template,
    )


def text_sizes(tokenizer: Any) -> dict[str, Any]:
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


def ids(tokenizer: Any, **names: str) -> dict[str, int]:
    """Ids of tokens, by the name of a setting."""
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Sizes of a text model."""
    return {**text_sizes(tokenizer), "bos_token_id": tokenizer.bos_token_id, **more}


SQUARE = {"size": {"height": 32, "width": 32}}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
SECTIONS = [2, 2, 2]  # half of a head's width
MROPE = {**ROPE, "mrope_section": SECTIONS, "mrope_interleaved": True}
SIGLIP = {**vision_sizes(32, 8), "vision_use_head": False}
QWEN = {
    "start": "<|vision_start|>",
    "end": "<|vision_end|>",
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
}
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
HYBRID = {
    "head_dim": 16,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
    "rope_parameters": {**MROPE, "partial_rotary_factor": 0.75},
}


def qwen_ids(tokenizer: Any) -> dict[str, Any]:
    return {
        **ids(
            tokenizer,
            vision_start_token_id="<|vision_start|>",
            vision_end_token_id="<|vision_end|>",
            image_token_id="<|image_pad|>",
            video_token_id="<|video_pad|>",
        ),
        "tie_word_embeddings": True,
    }


def qwen_images(patch: int) -> dict[str, Any]:
    side = 2 * patch
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "min_pixels": side * side,
        "max_pixels": 9 * side * side,
        "size": {"shortest_edge": side * side, "longest_edge": 9 * side * side},
        "patch_size": patch,
        "merge_size": 2,
        "temporal_patch_size": 2,
        # As published; without them vLLM gives the tower pixels of 0 to 255.
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }


def qwen2(t: Any) -> Any:
    tower = {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": WIDTH}
    rope = {**ROPE, "mrope_section": SECTIONS}
    return tf.Qwen2VLConfig(
        text_config=text(t, rope_parameters=rope), vision_config=tower, **qwen_ids(t)
    )


def qwen2_5(t: Any) -> Any:
    tower = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "fullatt_block_indexes": [1],
    }
    rope = {**ROPE, "mrope_section": SECTIONS}
    return tf.Qwen2_5_VLConfig(
        text_config=text(t, rope_parameters=rope), vision_config=tower, **qwen_ids(t)
    )


QWEN3_TOWER = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_heads": 2,
    "patch_size": 8,
    "out_hidden_size": WIDTH,
    "num_position_embeddings": 64,
}


def qwen3(kind: str) -> Callable[[Any], Any]:
    def config(t: Any) -> Any:
        tower = dict(QWEN3_TOWER)
        sizes = text(t, head_dim=WIDTH // HEADS, rope_parameters=MROPE)
        if "3_5" in kind:
            sizes |= HYBRID
        else:
            tower["deepstack_visual_indexes"] = [0, 1]
        if kind.endswith("Moe"):
            sizes |= EXPERTS
            if "3_5" in kind:
                sizes["shared_expert_intermediate_size"] = 32
        return getattr(tf, f"{kind}Config")(text_config=sizes, vision_config=tower, **qwen_ids(t))

    return config


GEMMA_MARKS = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}


def gemma3(t: Any) -> Any:
    return tf.Gemma3Config(
        text_config=text(
            t,
            head_dim=12,
            sliding_window=24,
            layer_types=["sliding_attention", "full_attention"],
            initializer_range=0.08,  # embeddings are multiplied by the root of the width
        ),
        vision_config={**SIGLIP},
        mm_tokens_per_image=4,
        **ids(
            t,
            boi_token_index="<start_of_image>",
            eoi_token_index="<end_of_image>",
            image_token_index="<image_soft_token>",
        ),
    )


GEMMA4_MARKS = {
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "image_token": "<|image|>",
    "video": "<|video|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}


def gemma4(t: Any) -> Any:
    return tf.Gemma4Config(
        text_config=text(
            t,
            head_dim=16,
            global_head_dim=16,
            sliding_window=24,
            layer_types=["sliding_attention", "full_attention"],
            vocab_size_per_layer_input=len(t),
            final_logit_softcapping=3.0,
            hidden_size_per_layer_input=8,
        ),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 8,
            "pooling_kernel_size": 2,
            "position_embedding_size": 64,
            "initializer_range": 0.35,
        },
        audio_config=None,
        **ids(
            t,
            boi_token_id="<|image>",
            eoi_token_id="<image|>",
            image_token_id="<|image|>",
            video_token_id="<|video|>",
            audio_token_id="<|audio|>",
            boa_token_id="<|audio>",
            eoa_token_index="<audio|>",
        ),
    )


def internvl(t: Any) -> Any:
    return tf.InternVLConfig(
        text_config={"model_type": "qwen2", **text(t)},
        vision_config={
            **vision_sizes(32, 8),
            "image_size": [32, 32],
            "patch_size": [8, 8],
            "use_absolute_position_embeddings": True,
        },
        image_seq_length=4,
        downsample_ratio=0.5,
        **ids(t, image_token_id="<IMG_CONTEXT>"),
    )


def idefics(kind: str) -> Callable[[Any], Any]:
    return lambda t: getattr(tf, f"{kind}Config")(
        text_config={"model_type": "llama", **text(t)},
        vision_config=vision_sizes(32, 4),
        scale_factor=2,
        tie_word_embeddings=True,
        pad_token_id=t.pad_token_id,
        **ids(t, image_token_id="<image>"),
    )


IDEFICS_MARKS = {
    "fake": "<fake_token_around_image>",
    "image": "<image>",
    "end": "<end_of_utterance>",
    "global": "<global-img>",
    **{f"tile{r}{c}": f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4)},
}
IDEFICS_IMAGES = {
    "size": {"longest_edge": 64},
    "max_image_size": {"longest_edge": 32},
    "do_image_splitting": True,
}


def clip(**more: Any) -> dict[str, Any]:
    return {"model_type": "clip_vision_model", **vision_sizes(32, 8), **more}


def llava(t: Any) -> Any:
    return tf.LlavaConfig(
        text_config={"model_type": "llama", **text(t)},
        vision_config=clip(),
        vision_feature_layer=-2,
        image_seq_length=16,
        tie_word_embeddings=True,
        **ids(t, image_token_index="<image>"),
    )


def llava_next(t: Any) -> Any:
    return tf.LlavaNextConfig(
        text_config={"model_type": "llama", **text(t)},
        vision_config=clip(),
        vision_feature_layer=-2,
        image_seq_length=16,
        image_grid_pinpoints=[[32, 64], [64, 32]],
        tie_word_embeddings=True,
        **ids(t, image_token_index="<image>"),
    )


def llava_onevision(t: Any) -> Any:
    return tf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **text(t)},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP},
        image_grid_pinpoints=[[32, 32], [32, 64], [64, 32]],
        tie_word_embeddings=True,
        **ids(t, image_token_index="<image>", video_token_index="<video>"),
    )


def pixtral_tower() -> dict[str, Any]:
    return {
        "model_type": "pixtral",
        **vision_sizes(64, 8),
        "head_dim": 16,
        "rope_parameters": {**ROPE},
    }


def mistral3(t: Any) -> Any:
    return tf.Mistral3Config(
        text_config={"model_type": "mistral", **text(t), "sliding_window": None},
        vision_config=pixtral_tower(),
        spatial_merge_size=2,
        **ids(t, image_token_index="[IMG]"),
    )


def pixtral(t: Any) -> Any:
    return tf.LlavaConfig(
        text_config={"model_type": "mistral", **text(t), "sliding_window": None},
        vision_config=pixtral_tower(),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
        **ids(t, image_token_index="[IMG]"),
    )


PIXTRAL_MARKS = {"image": "[IMG]", "break": "[IMG_BREAK]", "end": "[IMG_END]"}
PIXTRAL_IMAGES = {
    "image_processor_type": "PixtralImageProcessor",
    "size": {"longest_edge": 48},
    "patch_size": {"height": 8, "width": 8},
}

GLM_MARKS = {
    "begin": "<|begin_of_image|>",
    "end": "<|end_of_image|>",
    "image": "<|image|>",
    "video": "<|video|>",
    "vbegin": "<|begin_of_video|>",
    "vend": "<|end_of_video|>",
}
GLM_IMAGE = "<|begin_of_image|><|image|><|end_of_image|>"


def glm(kind: str) -> Callable[[Any], Any]:
    def config(t: Any) -> Any:
        rope = {**ROPE, "mrope_section": [1, 1, 1], "partial_rotary_factor": 0.5}
        sizes = text(t, rope_parameters=rope)
        if kind.endswith("Moe"):
            sizes |= {
                "num_experts_per_tok": 2,
                "n_routed_experts": 4,
                "moe_intermediate_size": 32,
                "head_dim": 12,
                "first_k_dense_replace": 1,
            }
        tower = {
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "out_hidden_size": WIDTH,
            "initializer_range": 0.35,
        }
        if kind == "Glm46V":
            sizes = {"model_type": "glm4v_text", **sizes}
            tower = {"model_type": "glm4v_vision", **tower}
        return getattr(tf, f"{kind}Config")(
            text_config=sizes,
            vision_config=tower,
            tie_word_embeddings=True,
            **ids(
                t,
                image_start_token_id="<|begin_of_image|>",
                image_end_token_id="<|end_of_image|>",
                image_token_id="<|image|>",
                video_token_id="<|video|>",
                video_start_token_id="<|begin_of_video|>",
                video_end_token_id="<|end_of_video|>",
            ),
        )

    return config


def glm_images(kind: str) -> dict[str, Any]:
    return {
        "image_processor_type": kind,
        "size": {"shortest_edge": 16 * 16, "longest_edge": 9 * 16 * 16 * 2},
        "patch_size": 8,
        "merge_size": 2,
        "temporal_patch_size": 2,
        # As published; without them vLLM gives the tower pixels of 0 to 255.
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }


LFM_MARKS = {
    "image_token": "<image>",
    "image_start_token": "<|image_start|>",
    "image_end_token": "<|image_end|>",
    "image_thumbnail_token": "<|img_thumbnail|>",
}


def lfm2(t: Any) -> Any:
    return tf.Lfm2VlConfig(
        text_config={
            "model_type": "lfm2",
            **text(t),
            "layer_types": ["conv", "full_attention"],
            "block_auto_adjust_ff_dim": False,
        },
        vision_config={
            "model_type": "siglip2_vision_model",
            **{k: v for k, v in vision_sizes(32, 8).items() if k != "image_size"},
            "num_patches": 16,
            "vision_use_head": False,
        },
        projector_hidden_size=WIDTH,
        downsample_factor=2,
        **ids(t, image_token_id="<image>"),
    )


OVIS_INDICATORS = ("<IMG>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "</IMG>")
OVIS_MARKS = {"image": "<image>", "atom": "<IMG_ATOM>", **{mark: mark for mark in OVIS_INDICATORS}}


def ovis2(t: Any) -> Any:
    return tf.Ovis2Config(
        text_config={"model_type": "qwen2", **text(t)},
        vision_config={
            **vision_sizes(32, 8),
            "vocab_size": 37,
            "hidden_stride": 2,
            "num_visual_indicator_tokens": 5,
        },
        vocab_size=len(t),
        hidden_size=WIDTH,
        visual_indicator_token_ids=t.convert_tokens_to_ids(list(OVIS_INDICATORS)),
        **ids(t, image_token_id="<IMG_ATOM>"),
    )


AYA_MARKS = {
    "image": "<image>",
    "start": "<|START_OF_IMG|>",
    "end": "<|END_OF_IMG|>",
    "patch": "<|IMG_PATCH|>",
    "break": "<|IMG_LINE_BREAK|>",
    "tile": "TILE",
    "global": "TILE_GLOBAL",
    **{f"tile{i}": f"TILE_{i}" for i in range(1, 5)},
}
COHERE = {"model_type": "cohere2", "logit_scale": 0.25, "sliding_window": 24}


def aya(t: Any) -> Any:
    return tf.AyaVisionConfig(
        text_config={**text(t), **COHERE, "head_dim": 12},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP},
        downsample_factor=2,
        **ids(t, image_token_index="<|IMG_PATCH|>"),
    )


def cohere2(t: Any) -> Any:
    return tf.Cohere2VisionConfig(
        text_config={**text(t), **COHERE, "head_dim": 12},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP},
        downsample_factor=2,
        alignment_intermediate_size=64,
        **ids(t, image_token_id="<|IMG_PATCH|>"),
    )


LLAMA4_MARKS = {
    "image": "<|image|>",
    "start": "<|image_start|>",
    "end": "<|image_end|>",
    "patch": "<|patch|>",
    "x": "<|tile_x_separator|>",
    "y": "<|tile_y_separator|>",
}


def llama4(t: Any) -> Any:
    return tf.Llama4Config(
        text_config=text(
            t,
            intermediate_size=32,
            intermediate_size_mlp=64,
            head_dim=12,
            num_local_experts=2,
            num_experts_per_tok=1,
            attention_chunk_size=64,
        ),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "vision_output_dim": 32,
            "projector_input_dim": 32,
            "projector_output_dim": 32,
            "initializer_range": 0.35,
        },
        **ids(
            t,
            boi_token_index="<|image_start|>",
            eoi_token_index="<|image_end|>",
            image_token_index="<|patch|>",
        ),
    )


def mllama(t: Any) -> Any:
    return tf.MllamaConfig(
        text_config=text(
            t,
            num_hidden_layers=3,
            cross_attention_layers=[1],
            vocab_size=len(t) - 1,
            rope_parameters={**ROPE},
            tie_word_embeddings=False,
        ),
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
            "max_num_tiles": 2,
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
            "vision_output_dim": 64,
            "intermediate_layers_indices": [0],
        },
        **ids(t, image_token_index="<|image|>"),
    )


def paligemma(t: Any) -> Any:
    return tf.PaliGemmaConfig(
        text_config={"model_type": "gemma", **text(t), "head_dim": 12},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP, "projection_dim": WIDTH},
        projection_dim=WIDTH,
        hidden_size=WIDTH,
        **ids(t, image_token_index="<image>"),
    )


def deepseek(t: Any) -> Any:
    return tf.DeepseekVLConfig(
        text_config={"model_type": "llama", **text(t)},
        vision_config={"model_type": "siglip_vision_model", **SIGLIP},
        **ids(t, image_token_id="<image_placeholder>"),
    )


def janus(t: Any) -> Any:
    return tf.JanusConfig(
        text_config={"model_type": "llama", **text(t)},
        vision_config={
            **vision_sizes(32, 8),
            "projection_dim": WIDTH,
            "mlp_ratio": 2.0,
            "num_image_tokens": 16,
        },
        vq_config={
            "embed_dim": 8,
            "num_embeddings": 16,
            "latent_channels": 32,
            "base_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "projection_dim": WIDTH,
            "image_token_embed_dim": WIDTH,
            "num_patches": 4,
        },
        **ids(t, image_token_id="<image_placeholder>"),
    )


MOLMO_MARKS = {
    "image": "<|image|>",
    "video": "<|video|>",
    **{
        name: f"<{name}>"
        for name in ("im_patch", "im_col", "im_start", "im_end", "im_low", "low_res_im_start")
    },
    **{name: f"<{name}>" for name in ("frame_start", "frame_end")},
}


def molmo2(t: Any) -> Any:
    return tf.Molmo2Config(
        text_config={**text(t, head_dim=12), "additional_vocab_size": 8},
        vision_config={
            **{k: v for k, v in vision_sizes(32, 8).items() if k != "image_size"},
            "num_key_value_heads": 2,
            "head_dim": 16,
            "image_size": [32, 32],
            "num_position_embeddings": 16,
        },
        adapter_config={
            "vision_feature_layer": [-1],
            "hidden_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 64,
            "text_hidden_size": WIDTH,
        },
        **ids(
            t,
            image_start_token_id="<im_start>",
            low_res_image_start_token_id="<low_res_im_start>",
            image_end_token_id="<im_end>",
            image_patch_id="<im_patch>",
            frame_start_token_id="<frame_start>",
            frame_end_token_id="<frame_end>",
        ),
    )


def images(kind: str, **settings: Any) -> dict[str, Any]:
    return {"image_processor_type": f"{kind}ImageProcessor", **settings}


IMAGE = {"image": "<image>"}
FORMS: dict[str, Form] = {
    "qwen2_vl": Form(qwen2, "Qwen2VLProcessor", qwen_images(14), QWEN, QWEN_IMAGE),
    "qwen2_5_vl": Form(qwen2_5, "Qwen2_5_VLProcessor", qwen_images(14), QWEN, QWEN_IMAGE),
    "qwen3_vl": Form(qwen3("Qwen3VL"), "Qwen3VLProcessor", qwen_images(8), QWEN, QWEN_IMAGE),
    "qwen3_vl_moe": Form(qwen3("Qwen3VLMoe"), "Qwen3VLProcessor", qwen_images(8), QWEN, QWEN_IMAGE),
    "qwen3_5": Form(qwen3("Qwen3_5"), "Qwen3VLProcessor", qwen_images(8), QWEN, QWEN_IMAGE),
    "qwen3_5_moe": Form(qwen3("Qwen3_5Moe"), "Qwen3VLProcessor", qwen_images(8), QWEN, QWEN_IMAGE),
    "gemma3": Form(
        gemma3,
        "Gemma3Processor",
        images("Gemma3", **SQUARE, image_seq_length=4),
        GEMMA_MARKS,
        "<start_of_image>",
        {"image_seq_length": 4},
        bos=True,
    ),
    "gemma4": Form(
        gemma4,
        "Gemma4Processor",
        images("Gemma4", patch_size=8, pooling_kernel_size=2, max_soft_tokens=70),
        GEMMA4_MARKS,
        "<|image|>",
        {"image_seq_length": 70},
        bos=True,
    ),
    "internvl": Form(
        internvl,
        "InternVLProcessor",
        images("GotOcr2", **SQUARE, crop_to_patches=True, min_patches=1, max_patches=2),
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        "<IMG_CONTEXT>",
        {"image_seq_length": 4},
    ),
    "smolvlm": Form(
        idefics("SmolVLM"),
        "SmolVLMProcessor",
        images("SmolVLM", **IDEFICS_IMAGES),
        IDEFICS_MARKS,
        "<image>",
        {"image_seq_len": 16},
    ),
    "idefics3": Form(
        idefics("Idefics3"),
        "Idefics3Processor",
        images("Idefics3", **IDEFICS_IMAGES),
        IDEFICS_MARKS,
        "<image>",
        {"image_seq_len": 16},
    ),
    "llava": Form(
        llava,
        "LlavaProcessor",
        images("CLIP", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        IMAGE,
        "<image>",
        {
            "patch_size": 8,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
        bos=True,
    ),
    "llava_next": Form(
        llava_next,
        "LlavaNextProcessor",
        images(
            "LlavaNext",
            size={"shortest_edge": 32},
            crop_size={"height": 32, "width": 32},
            image_grid_pinpoints=[[32, 64], [64, 32]],
        ),
        IMAGE,
        "<image>",
        {
            "patch_size": 8,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
        },
        bos=True,
    ),
    "llava_onevision": Form(
        llava_onevision,
        "LlavaOnevisionProcessor",
        images("LlavaOnevision", **SQUARE, image_grid_pinpoints=[[32, 32], [32, 64], [64, 32]]),
        {"image": "<image>", "video": "<video>"},
        "<image>",
        {"num_image_tokens": 16, "vision_feature_select_strategy": "full"},
    ),
    "mistral3": Form(
        mistral3,
        "PixtralProcessor",
        PIXTRAL_IMAGES,
        PIXTRAL_MARKS,
        "[IMG]",
        {"patch_size": 8, "spatial_merge_size": 2},
        bos=True,
    ),
    "pixtral": Form(
        pixtral,
        "PixtralProcessor",
        PIXTRAL_IMAGES,
        PIXTRAL_MARKS,
        "[IMG]",
        {"patch_size": 8},
        bos=True,
    ),
    "glm4v": Form(
        glm("Glm4v"), "Glm4vProcessor", glm_images("Glm4vImageProcessor"), GLM_MARKS, GLM_IMAGE
    ),
    "glm46v": Form(
        glm("Glm46V"), "Glm46VProcessor", glm_images("Glm46VImageProcessor"), GLM_MARKS, GLM_IMAGE
    ),
    "glm4v_moe": Form(
        glm("Glm4vMoe"), "Glm4vProcessor", glm_images("Glm4vImageProcessor"), GLM_MARKS, GLM_IMAGE
    ),
    "lfm2_vl": Form(
        lfm2,
        "Lfm2VlProcessor",
        images(
            "Lfm2Vl",
            encoder_patch_size=8,
            tile_size=32,
            max_image_tokens=16,
            min_image_tokens=1,
            max_num_patches=64,
            do_image_splitting=False,
        ),
        LFM_MARKS,
        "<image>",
        bos=True,
    ),
    "ovis2": Form(
        ovis2,
        "Ovis2Processor",
        images("Ovis2", **SQUARE, crop_to_patches=True, min_patches=1, max_patches=2),
        OVIS_MARKS,
        "<image>",
        {"image_seq_length": 4},
    ),
    "aya_vision": Form(
        aya,
        "AyaVisionProcessor",
        images("GotOcr2", **SQUARE, crop_to_patches=True, min_patches=1, max_patches=2),
        AYA_MARKS,
        "<image>",
        {"patch_size": 8, "img_size": 32, "downsample_factor": 2},
        bos=True,
    ),
    "cohere2_vision": Form(
        cohere2,
        "Cohere2VisionProcessor",
        images("Cohere2Vision", **SQUARE, patch_size=2, downsample_factor=2, max_patches=2),
        {
            "boi_token": "<|START_OF_IMG|>",
            "eoi_token": "<|END_OF_IMG|>",
            "image_token": "<|IMG_PATCH|>",
            "img_line_break_token": "<|IMG_LINE_BREAK|>",
        },
        "<|IMG_PATCH|>",
        bos=True,
    ),
    "llama4": Form(
        llama4,
        "Llama4Processor",
        images("Llama4", **SQUARE, max_patches=2),
        LLAMA4_MARKS,
        "<|image|>",
        {"patch_size": 8, "pixel_shuffle_ratio": 0.5},
        bos=True,
    ),
    "mllama": Form(
        mllama,
        "MllamaProcessor",
        images("Mllama", **SQUARE, max_image_tiles=2),
        {"python": "<|python_tag|>", "image": "<|image|>"},
        "<|image|>",
        bos=True,
    ),
    "paligemma": Form(
        paligemma,
        "PaliGemmaProcessor",
        images("Siglip", **SQUARE, image_seq_length=16),
        {
            "image_token": "<image>",
            **{f"loc{i}": f"<loc{i:04}>" for i in range(1024)},
            **{f"seg{i}": f"<seg{i:03}>" for i in range(128)},
        },
        "<image>",
        bos=True,
    ),
    "deepseek_vl": Form(
        deepseek,
        "DeepseekVLProcessor",
        images("DeepseekVL", **SQUARE, min_size=14),
        {"image_token": "<image_placeholder>"},
        "<image_placeholder>",
        {"num_image_tokens": 16},
        bos=True,
    ),
    "janus": Form(
        janus,
        "JanusProcessor",
        images("Janus", **SQUARE, min_size=14),
        {
            "image_token": "<image_placeholder>",
            "boi_token": "<begin_of_image>",
            "eoi_token": "<end_of_image>",
        },
        "<image_placeholder>",
        {"num_image_tokens": 16},
        bos=True,
    ),
    "molmo2": Form(
        molmo2,
        "Molmo2Processor",
        images("Molmo2", **SQUARE, patch_size=8, overlap_margins=[1, 1], max_crops=2),
        MOLMO_MARKS,
        "<|image|>",
    ),
}


def save_architecture(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a random model of a family to `folder`, as its makers lay it out."""
    form = FORMS[name]
    tokenizer = tokenizer_of(form)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = form.config(tokenizer)
        model = tf.AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
        spread(model)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", form.images)
    write_json(
        folder / "processor_config.json", {"processor_class": form.processor, **form.settings}
    )
    return folder


def spread(model: Any) -> None:
    """Make what a random model says depend on its image and change from token to token."""
    for weight in model.parameters():
        if weight.ndim > 1 and weight.std() < 0.05:
            torch.nn.init.normal_(weight, std=0.2)


def write_json(path: Path, settings: dict[str, Any]) -> None:
    path.write_text(json.dumps(settings, indent=2))


if __name__ == "__main__":  # python tests/tiny_architectures.py FOLDER: one folder for each family
    for family in FORMS:
        save_architecture(family, Path(sys.argv[1]) / family)
