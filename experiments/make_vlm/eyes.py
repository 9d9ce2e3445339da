"""Tower, connector and LoRA in files of their own, and how they get behind a language model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from peft import PeftModel
from safetensors.torch import load_file

from mstar.agents.policy.policy import Policy, check_names
from mstar.experiments.make_vlm.assemble import Tower
from mstar.experiments.rows import write_whole

FORM = "eyes.json"
SEES = ("vision_model", "connector")  # the parts of the model that make tokens of images


def is_eye(name: str) -> bool:
    """Whether a weight of this name is of the tower, the connector or a LoRA."""
    return "lora_" in name or any(f".{part}." in name for part in SEES)


def write_eyes(policy: Policy, tower: Tower, folder: Path) -> None:
    """Write tower, connector and LoRA in bfloat16, in files of at most 15 MB.

    Args:
        policy: an assembled model, with or without LoRA.
        tower: its form.
        folder: may hold an earlier state of the same.
    """
    weights = {
        name: weight.detach().to("cpu", torch.bfloat16).contiguous()
        for name, weight in policy.model.named_parameters()
        if is_eye(name)
    }
    model = policy.model
    rank = model.peft_config["default"].r if isinstance(model, PeftModel) else 0
    folder.mkdir(parents=True, exist_ok=True)
    save_torch_state_dict(
        weights, folder, filename_pattern="eyes{suffix}.safetensors", max_shard_size="14MB"
    )
    write_whole(folder / FORM, json.dumps({"tower": asdict(tower), "lora_rank": rank}) + "\n")


def tower_of(folder: Path) -> Tower:
    """The form of the tower that ``write_eyes`` wrote there.

    Raises:
        FileNotFoundError: there is none.
    """
    if not (folder / FORM).is_file():
        raise FileNotFoundError(f"{folder} holds no {FORM}; give a folder that make-vlm wrote")
    return Tower(**json.loads((folder / FORM).read_text())["tower"])


def with_eyes(policy: Policy, folder: Path) -> Policy:
    """An assembled model with the weights that ``write_eyes`` wrote, its LoRA not yet merged.

    Args:
        policy: assembled in the form of ``tower_of``; changed in place.
        folder: of the weights.

    Raises:
        ValueError: the weights are of another form, or of another language model.
    """
    rank = int(json.loads((folder / FORM).read_text())["lora_rank"])
    if rank:
        policy = policy.with_lora(rank)
    weights = {
        name: weight
        for path in sorted(folder.glob("eyes*.safetensors"))
        for name, weight in load_file(path).items()
    }
    own = {name: weight for name, weight in policy.model.named_parameters() if is_eye(name)}
    check_names(str(folder), own.keys() - weights.keys(), weights.keys() - own.keys())
    other = [name for name, weight in own.items() if weight.shape != weights[name].shape]
    if other:
        raise ValueError(
            f"{folder} was trained with a language model of another size: {other[0]} has the shape "
            f"{tuple(weights[other[0]].shape)}, and here {tuple(own[other[0]].shape)}"
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(weights[name])
    return policy


def merged(policy: Policy) -> Any:
    """The model with its LoRA, if it has one, in its weights."""
    model = policy.model
    return model.merge_and_unload() if isinstance(model, PeftModel) else model
