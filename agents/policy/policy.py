"""A policy: a vision-language model with its processor, loaded, saved and given prompts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jinja2 import TemplateError
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    load_peft_weights,
)
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    BatchFeature,
)

from mstar.agents.model_names import check_model
from mstar.agents.policy import distributed
from mstar.agents.policy.backends import attend_without_plans, multiply_by_head_once
from mstar.agents.policy.encoding import EncodedPrompts, Encoding, collated
from mstar.agents.policy.image_tower import IMAGE_TOWER, attend_by_length
from mstar.agents.policy.pixels import UNBOUNDED, PixelBounds, pixel_unit
from mstar.agents.policy.processors import load_processor
from mstar.agents.policy.quantization import (
    Quantization,
    four_bits,
    keep_factors_in_float32,
    keep_trainable,
    numbers_in,
)
from mstar.agents.policy.sharding import copy_into_shard
from mstar.envs.problem import Prompt

Precision = Literal["float32", "bfloat16"]

Attention = Literal["auto", "eager"]

# Modules without LoRA: the image tower, and what sends a token to its experts.
NOT_ADAPTED = rf"{IMAGE_TOWER}|.*\.(router|gate)"
# What a generation config asks for that changes which tokens are likely, where it is set.
CHANGES_SAMPLING = (
    "repetition_penalty",
    "no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "bad_words_ids",
    "sequence_bias",
    "suppress_tokens",
    "begin_suppress_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "exponential_decay_length_penalty",
    "guidance_scale",
)
# Families that load and are sampled, but that no trainer here can follow.
REFUSED = {
    "paligemma": "the tokens of its prompts attend to each other in both directions, which no "
    "trainer here does",
}
NEUTRAL: tuple[object, ...] = (None, 0, 1, 1.0, [], {})  # values of these that change nothing
MEDIA_TOKENS = ("image_token_id", "video_token_id", "audio_token_id", "image_patch_id")


@dataclass(frozen=True, slots=True)
class Policy:
    """A vision-language model and its processor.

    Attributes:
        model: the transformers model, or the peft model around it.
        processor: image processor, tokenizer and chat template; pads on the left.
        pixels: into which all images are brought, before the processor sees them.
        encoded: prompts that the processor has read.
    """

    model: Any
    processor: Any
    pixels: PixelBounds = UNBOUNDED
    encoded: EncodedPrompts = field(
        default_factory=EncodedPrompts, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        attend_without_plans()

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str = "auto",
        dtype: Precision = "float32",
        attention: Attention = "auto",
        quantize: Quantization = "none",
        adapter: str | None = None,
        pixels: PixelBounds = UNBOUNDED,
    ) -> Policy:
        """Load a model and its processor; a checkpoint's own code is never run.

        Args:
            name: a folder, or a model on the Hugging Face hub. A folder that ``save`` wrote for a
                policy with LoRA names its base model, which is loaded first.
            device: ``"auto"`` for an accelerator if there is one, else a device of torch.
            dtype: of the weights.
            attention: ``"eager"``, or ``"auto"`` for what transformers chooses.
            quantize: ``"4bit"`` keeps the linear layers of the text model and the projector in 4
                bits, to be trained by LoRA alone.
            adapter: folder of a LoRA adapter to add.
            pixels: bounds on the pixels of every image.

        Raises:
            FileNotFoundError: there is neither such a folder nor such a model on the hub.
            ValueError: not a vision-language model; its weights are not safetensors; a weight of it
                or of the adapter is missing; its images cannot be read here; 4 bits need a package
                that is not installed.
        """
        if (Path(name) / "adapter_config.json").is_file():
            adapter, name = name, PeftConfig.from_pretrained(name).base_model_name_or_path
        config = vision_language_config(name)
        processor = load_processor(name, config)
        pixels.allow(processor.image_processor)
        place = pick_device(device)
        if quantize == "4bit":
            model = load_weights(
                name,
                dtype,
                attention,
                config=config,
                quantization_config=four_bits(getattr(torch, dtype), [NOT_ADAPTED, "lm_head"]),
                device_map={"": place},
            )
            keep_trainable(model)
        else:
            model = load_weights(name, dtype, attention, config=config).to(place)
        if adapter is not None:
            model = with_adapter(model, adapter).to(place)
        return cls(model.eval(), processor, pixels)

    def save(self, directory: str | Path) -> None:
        """Write the weights, as safetensors, and the processor's files as they came.

        With LoRA, the weights are the adapter's alone.
        """
        self.model.save_pretrained(directory)
        self.processor.save_pretrained(directory)

    def with_lora(self, rank: int, alpha: float | None = None) -> Policy:
        """The same model with LoRA on the linear layers of the text model and the projector.

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
            exclude_modules=NOT_ADAPTED,
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(self.model, config)
        keep_factors_in_float32(self.model)
        cast_by_autocast_alone(model)
        return replace(self, model=model)

    def freeze_image_tower(self) -> None:
        """Leave the image tower as it is in training, its merger to text tokens included."""
        for name, weight in self.model.named_parameters():
            if re.fullmatch(IMAGE_TOWER, name):
                weight.requires_grad_(False)

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
    def unused_sampling(self) -> dict[str, object]:
        """What the checkpoint's generation config asks for and is not applied, by name."""
        config = self.network.generation_config
        asked = {name: getattr(config, name, None) for name in CHANGES_SAMPLING}
        return {name: value for name, value in asked.items() if value not in NEUTRAL}

    @property
    def media_tokens(self) -> frozenset[int]:
        """Ids of the tokens in whose places a model reads images, videos or sound."""
        config = self.network.config
        ids = {getattr(config, name, None) for name in MEDIA_TOKENS}
        return frozenset({*ids, *getattr(config, "visual_indicator_token_ids", ())} - {None})

    @property
    def size(self) -> int:
        """Number of weights, including frozen ones."""
        return sum(map(numbers_in, self.model.parameters()))

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
        """Load the weights that a policy of the same architecture has saved, in place.

        Raises:
            ValueError: some are missing, or of an adapter some are of another one.
        """
        if isinstance(self.model, PeftModel):
            own = get_peft_model_state_dict(self.model)
            saved = load_peft_weights(str(directory), device="cpu")
            check_names(
                f"adapter {directory}", own.keys() - saved.keys(), saved.keys() - own.keys()
            )
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

    def messages(self, prompt: Prompt, image: str = "image") -> list[dict[str, Any]]:
        """A prompt as messages of the chat template: its system turn, if any, and one user turn.

        Images stand where the prompt has them. A template that writes all images first, such as
        that of LLaVA-1.5, gets the whole text instead, which calls them by their numbers.

        Args:
            prompt: to be asked.
            image: the type of an image part.
        """
        if prompt.places and not self._template_keeps_order():
            prompt = replace(prompt, places=())
        unit = pixel_unit(self.processor.image_processor)
        content = [
            {"type": "text", "text": self.plain(part)}
            if isinstance(part, str)
            else {"type": image, image: self.pixels.fitted(prompt.images[part], unit)}
            for part in prompt.parts()
        ]
        asked = {"role": "user", "content": content}
        if not prompt.system:
            return [asked]
        system = [{"type": "text", "text": self.plain(prompt.system)}]
        return [{"role": "system", "content": system}, asked]

    def _template_keeps_order(self) -> bool:
        """Whether the chat template writes an image that follows a text behind that text."""
        parts = [{"type": "text", "text": "?"}, {"type": "image"}]
        turns = [[{"role": "user", "content": each}] for each in (parts, parts[::-1])]
        behind, before = self.processor.apply_chat_template(turns, tokenize=False)
        return bool(behind != before)

    def encode(self, prompts: Sequence[Prompt]) -> BatchFeature:
        """Prompts as tensors on the policy's device, padded on the left.

        Each becomes the ``messages`` of the chat template, followed by the start of the assistant's
        turn. The processor reads a prompt once; see ``EncodedPrompts``. ``input_ids`` and
        ``attention_mask`` are (N, T) int64; the tensors of the images depend on the model.

        Raises:
            ValueError: the chat template cannot be used.
        """
        rows = [self.encoded.get(prompt, self._process) for prompt in prompts]
        fill = self.processor.tokenizer.pad_token_id or 0
        return BatchFeature(collated(rows, fill)).to(self.device)

    def _process(self, prompt: Prompt) -> Encoding:
        """A prompt as the processor makes it, on the CPU, in the precision of the model."""
        try:
            read: BatchFeature = self.processor.apply_chat_template(
                [self.messages(prompt)],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        except TemplateError as error:
            raise ValueError(
                f"the model's chat template refuses a user turn with images and text ({error}); "
                "mend chat_template.jinja in the model's folder, or give another model"
            ) from error
        read.pop("labels", None)  # PaliGemma's processor makes some of the prompt
        return dict(read.to(dtype=self.network.dtype))


def vision_language_config(name: str) -> Any:
    """Load a model's configuration, and check that it is a vision-language model.

    Raises:
        FileNotFoundError: there is neither such a folder nor such a model on the hub.
        ValueError: the model does not read images and write text.
    """
    check_model(name)
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
    if config.model_type in REFUSED:
        raise ValueError(
            f"model {name!r} is a {config.model_type!r}: {REFUSED[config.model_type]}; "
            "docs/architectures.md has the families that can be trained"
        )
    return config


def load_weights(name: str, dtype: Precision, attention: Attention = "auto", **options: Any) -> Any:
    """Load a model with its weights, which must be safetensors: pickled ones can run code.

    Args:
        name: of the model.
        dtype: of the weights.
        attention: see ``Policy.load``.
        options: more for ``from_pretrained``.

    Raises:
        ValueError: there are no weights in safetensors, they cannot be read, or some are missing.
    """
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            name,
            dtype=getattr(torch, dtype),
            attn_implementation=None if attention == "auto" else attention,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except SafetensorError as error:
        raise ValueError(
            f"the weights of model {name!r} cannot be read ({error}): a file was cut or damaged; "
            "copy or download it again"
        ) from error
    except OSError as error:
        raise ValueError(
            f"model {name!r} has no weights in safetensors, and pickled weights are not loaded; "
            "load it where you trust it and write it again with save_pretrained"
        ) from error
    # More weights than the model has are common: a published checkpoint may carry other heads.
    if report["missing_keys"]:
        check_names(f"model {name}", report["missing_keys"], report["unexpected_keys"])
    if attention == "auto":
        attend_by_length(model)
    multiply_by_head_once(model)
    return model


def with_adapter(model: Any, folder: str) -> PeftModel:
    """A model with the LoRA adapter in a folder, ready to be trained.

    Raises:
        ValueError: the adapter lacks weights, or has some that the model has no place for.
    """
    config = PeftConfig.from_pretrained(folder)
    config.inference_mode = False
    wrapped = get_peft_model(model, config)
    keep_factors_in_float32(model)
    report = wrapped.load_adapter(folder, "default", is_trainable=True)
    check_names(f"adapter {folder}", report.missing_keys, report.unexpected_keys)
    cast_by_autocast_alone(wrapped)
    return wrapped


def cast_by_autocast_alone(model: Any) -> None:
    """Let LoRA read its inputs as they are under autocast, which casts them for each product.

    peft brings them to float32 before, to the precision of its factors: bfloat16 inputs are
    written once more at twice the size in every layer, to be cast back at once.
    """
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module._cast_input_dtype = _cast_without_autocast


def _cast_without_autocast(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    under_autocast = torch.is_autocast_enabled(values.device.type)
    return values if under_autocast else values.to(dtype)


def check_names(what: str, missing: Collection[str], unexpected: Collection[str]) -> None:
    """Check that the weights of a folder are those that a model needs.

    Args:
        what: was loaded, for the message.
        missing: names of weights that are not there.
        unexpected: names of weights for which there is no place.

    Raises:
        ValueError: they are not.
    """
    if not missing and not unexpected:
        return
    lists = [
        f"{len(names)} {kind}, such as {', '.join(sorted(names)[:3])}"
        for kind, names in (("missing", missing), ("not known", unexpected))
        if names
    ]
    raise ValueError(
        f"{what} has not the weights of this model: {'; '.join(lists)}; it was cut, or belongs to "
        "another model: give the model it was made from, or a whole copy of it"
    )


def pick_device(device: str) -> torch.device:
    """The device of a name; ``"auto"`` is this process's accelerator, or the CPU without one."""
    if device != "auto":
        return torch.device(device)
    if distributed.count() > 1:
        return distributed.device()
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
