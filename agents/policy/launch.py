"""Check that a run is possible with the sharding that ``accelerate launch`` asks for."""

from __future__ import annotations

import os

from transformers.utils import is_bitsandbytes_available

from mstar.agents.config import Recipe

# FSDP1 shards differently; CPU-efficient loading leaves all processes but one without weights to
# sample from; FSDP's own checkpointing renames the layers.
FSDP = {
    "fsdp_version": "2",
    "fsdp_state_dict_type": "FULL_STATE_DICT",
    "fsdp_offload_params": "false",
    "fsdp_cpu_ram_efficient_loading": "false",
    "fsdp_activation_checkpointing": "false",
}

SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


def check_launch(recipe: Recipe, one_trainer: bool) -> None:
    """Check the FSDP or DeepSpeed options of this launch against a recipe.

    Args:
        recipe: all settings.
        one_trainer: whether one trainer lives through all rounds.

    Raises:
        ValueError: with the options, of the launch or the recipe, that would work.
    """
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        for name, required in FSDP.items():
            if (given := os.environ.get(name.upper(), required)).lower() != required.lower():
                raise ValueError(
                    f"this launch has {name}: {given}, and a run needs {required}; launch with "
                    "fsdp2.yaml, and save memory by --gradient-checkpointing or --lora-rank"
                )
    sharded = [name for name in SHARDING if os.environ.get(name) == "true"]
    if recipe.model.quantize != "none" and sharded:
        raise ValueError(
            f"this launch shards weights, and quantize is {recipe.model.quantize!r}: weights in 4 "
            "bits are not gathered to sample; launch with multi-gpu.yaml, or leave --quantize out"
        )
    # ZeRO's shards belong to DeepSpeed's engine: no other code can gather or re-shard them.
    restarts = not one_trainer or recipe.run.guards == "act"
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true" and (
        restarts or not recipe.sampling.server
    ):
        raise ValueError(
            "under DeepSpeed only its trainer can gather the weights: the run needs a vLLM server "
            "to sample (--server), --guards watch, and an agent with one trainer for all rounds; "
            f"got server {recipe.sampling.server!r}, guards {recipe.run.guards!r} and agent "
            f"{recipe.run.agent!r}. FSDP2 has no such limits: launch with fsdp2.yaml"
        )


def check_optimizer(name: str) -> None:
    """Check that an optimizer's package is installed.

    Raises:
        ValueError: it is not; the message says what to install.
    """
    if ("8bit" in name or "paged" in name) and not is_bitsandbytes_available():
        raise ValueError(
            f"optimizer {name!r} is one of bitsandbytes, which is not installed: "
            "pip install bitsandbytes, or leave --optimizer out"
        )
