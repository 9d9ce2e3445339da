"""What a launch by accelerate may ask for, if it cuts the weights into pieces."""

from __future__ import annotations

import os

from mstar.agents.config import INHERITS, Inherit, Recipe

ALL: Inherit = "policy+optimizer+schedule"

# FSDP1 cuts otherwise; cheap loading leaves all processes but one without weights to sample from,
# and FSDP's own checkpointing renames the layers.
FSDP = {
    "fsdp_version": "2",
    "fsdp_state_dict_type": "FULL_STATE_DICT",
    "fsdp_offload_params": "false",
    "fsdp_cpu_ram_efficient_loading": "false",
    "fsdp_activation_checkpointing": "false",
}


def check_launch(recipe: Recipe) -> None:
    """Raise where the launch is to cut the weights in a way that the run could not go on with.

    Raises:
        ValueError: with what to launch, or to ask for, instead.
    """
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        for name, wanted in FSDP.items():
            if (given := os.environ.get(name.upper(), wanted)).lower() != wanted.lower():
                raise ValueError(
                    f"this launch has {name}: {given}, and a run needs {wanted}; launch with "
                    "fsdp2.yaml, and save memory by --gradient-checkpointing or --lora-rank"
                )
    # The pieces of DeepSpeed are its trainer's: nobody else can put them together, or cut again.
    again = INHERITS.get(recipe.run.agent, ALL) != ALL or recipe.run.guards == "act"
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true" and (
        again or not recipe.sampling.server
    ):
        raise ValueError(
            "DeepSpeed keeps the weights to itself: the run needs a vLLM server to sample "
            "(--server), --guards watch, and an agent with one trainer for all rounds; got server "
            f"{recipe.sampling.server!r}, guards {recipe.run.guards!r} and agent "
            f"{recipe.run.agent!r}. FSDP2 does all of it: launch with fsdp2.yaml"
        )
