"""A policy: a vision-language model with its processor, loaded, saved and given prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    load_peft_weights,
)
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    BatchFeature,
)

from mstar.agents.policy import distributed
from mstar.agents.policy.processors import load_processor
from mstar.agents.policy.sharding import copy_into_shard
from mstar.envs.problem import Prompt

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A vision-language model and its processor.

    Attributes:
        model: the transformers model, or the peft model around it.
        processor: image processor, tokenizer and chat template; pads on the left.
    """

    model: Any
    processor: Any

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str = "auto",
        dtype: Precision = "float32",
        adapter: str | None = None,
    ) -> Policy:
        """Load a model and its processor; a checkpoint's own code is never run.

        Args:
            name: a folder, or a model on the Hugging Face hub. A folder that ``save`` wrote for a
                policy with LoRA names its base model, which is loaded first.
            device: ``"auto"`` for an accelerator if there is one, else a device of torch.
            dtype: of the weights.
            adapter: folder of a LoRA adapter to add.

        Raises:
            FileNotFoundError: there is neither such a folder nor such a model on the hub.
            ValueError: not a vision-language model, or its weights are not safetensors.
        """
        if (Path(name) / "adapter_config.json").is_file():
            adapter, name = name, PeftConfig.from_pretrained(name).base_model_name_or_path
        processor = load_processor(name, vision_language_config(name))
        model = load_weights(name, dtype)
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        return cls(model.to(pick_device(device)).eval(), processor)

    def save(self, directory: str | Path) -> None:
        """Write the processor and the weights, as safetensors; with LoRA the adapter's only."""
        self.model.save_pretrained(directory)
        self.processor.save_pretrained(directory)

    def with_lora(self, rank: int, alpha: float | None = None) -> Policy:
        """The same model with LoRA on the linear layers outside the image tower and the head.

        The layers are added to this policy's model in place; use the returned policy from then on.

        Args:
            rank: of the two factors, >= 1.
            alpha: the update is scaled by alpha / rank; None is 2 x rank.

        Raises:
            ValueError: the rank is below 1.
        """
        if rank < 1:
            raise ValueError(f"LoRA rank is {rank}; it must be 1 or more")
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank if alpha is None else alpha,
            target_modules="all-linear",
            exclude_modules=r".*\b(vision_tower|vision_model|visual)\b.*",
            task_type="CAUSAL_LM",
        )
        return Policy(get_peft_model(self.model, config), self.processor)

    @property
    def network(self) -> Any:
        """The transformers model itself, inside the peft model if there is one."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    @property
    def device(self) -> torch.device:
        """The device of the model's inputs."""
        device: torch.device = self.network.device
        return device

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Ids of the tokens that end a response."""
        ends = self.network.generation_config.eos_token_id
        if ends is None:
            ends = self.processor.tokenizer.eos_token_id
        if ends is None:
            return ()
        return tuple(ends) if isinstance(ends, list | tuple) else (ends,)

    @property
    def image_token(self) -> int | None:
        """Id of the token in whose places the features of images are read; None if unknown."""
        return getattr(self.network.config, "image_token_id", None)

    @property
    def size(self) -> int:
        """Number of weights, including frozen ones."""
        weights = self.model.parameters()
        return sum(getattr(weight, "ds_numel", weight.numel()) for weight in weights)

    def weights(self, device: str | None = None) -> dict[str, torch.Tensor]:
        """A copy of the trainable weights by name, on their device or another one."""
        return {
            name: weight.detach().to(device, copy=True)
            for name, weight in self.model.named_parameters()
            if weight.requires_grad
        }

    def set_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Restore a copy that ``weights`` made."""
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                if weight.requires_grad:
                    copy_into_shard(weight, weights[name])

    def load_weights(self, directory: str | Path) -> None:
        """Load the weights that a policy of the same architecture has saved, in place."""
        if isinstance(self.model, PeftModel):
            own = get_peft_model_state_dict(self.model)
            saved = load_peft_weights(str(directory), device="cpu")
        else:
            precision: Precision = "bfloat16" if self.model.dtype == torch.bfloat16 else "float32"
            own = self.model.state_dict()
            saved = load_weights(str(directory), precision).state_dict()
        with torch.no_grad():
            for name, weight in own.items():
                copy_into_shard(weight, saved[name])

    def plain(self, text: str) -> str:
        """A text without the image token, which the model would take for one more image."""
        return text.replace(str(getattr(self.processor, "image_token", None) or "<image>"), "")

    def encode(self, prompts: Sequence[Prompt]) -> BatchFeature:
        """Prompts as tensors on the policy's device, padded on the left.

        Each becomes one user turn of the chat template, images first, then text, followed by the
        start of the assistant's turn. ``input_ids`` and ``attention_mask`` are (N, T) int64; the
        tensors of the images depend on the model.
        """
        turns = [
            [
                {
                    "role": "user",
                    "content": [
                        *({"type": "image", "image": image} for image in prompt.images),
                        {"type": "text", "text": self.plain(prompt.text)},
                    ],
                }
            ]
            for prompt in prompts
        ]
        batch = self.processor.apply_chat_template(
            turns,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        )
        return batch.to(self.device, dtype=self.network.dtype)


def vision_language_config(name: str) -> Any:
    """Load a model's configuration, and check that it is a vision-language model.

    Raises:
        FileNotFoundError: there is neither such a folder nor such a model on the hub.
        ValueError: the model does not read images and write text.
    """
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except OSError as error:
        raise FileNotFoundError(
            f"model {name!r} is neither a folder with a config.json nor a hub model that can be "
            "reached; check the path, or the name and the network"
        ) from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ValueError(
            f"model {name!r} is a {config.model_type!r}, which does not read images and write "
            "text; give a vision-language model, such as a LLaVA, an Idefics3 or a Qwen2.5-VL"
        )
    return config


def load_weights(name: str, dtype: Precision) -> Any:
    """Load a model with its weights, which must be safetensors: pickled ones can run code.

    Raises:
        ValueError: there are no weights in safetensors.
    """
    try:
        return AutoModelForImageTextToText.from_pretrained(
            name, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False
        )
    except OSError as error:
        raise ValueError(
            f"model {name!r} has no weights in safetensors, and pickled weights are not loaded; "
            "load it where you trust it and write it again with save_pretrained"
        ) from error


def pick_device(device: str) -> torch.device:
    """The device of a name; ``"auto"`` is this process's accelerator, or the CPU without one."""
    if device != "auto":
        return torch.device(device)
    if distributed.count() > 1:
        return distributed.device()
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
