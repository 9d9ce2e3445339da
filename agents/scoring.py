"""The temperature of a running GRPO or RLOO trainer, in sampling and in scoring."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import Any

import torch
from trl.trainer.utils import add_fused_lm_head

from mstar.agents.policy import Policy


def set_temperature(trainer: Any, policy: Policy, temperature: float) -> None:
    """Make a trainer sample and score at a temperature.

    TRL builds the temperature into the head that scores: changing the trainer's attribute alone
    changes what is sampled and leaves the log-probabilities, and so the importance ratios, as
    they were. So the model gets its own forward back, and a head with the new temperature.

    Args:
        trainer: TRL's.
        policy: that it trains.
        temperature: > 0.
    """
    trainer.temperature = temperature
    trainer.generation_config.temperature = temperature
    trainer.generation_kwargs["temperature"] = temperature
    without_head(policy.network)
    add_fused_lm_head(policy.network, temperature, outputs=("log_probs", "entropy"))
    if trainer.ref_model is not None:
        reference = trainer.accelerator.unwrap_model(trainer.ref_model)
        without_head(reference)
        add_fused_lm_head(reference, temperature)


def keep_reference(policy: Policy, base: Mapping[str, torch.Tensor]) -> None:
    """Make the base the reference of a policy with LoRA that goes on from a checkpoint.

    TRL copies the adapter as it finds it, which is the base only where nothing has been learned.

    Args:
        policy: that a trainer has just been made for.
        base: the adapter's weights at the start, by name.
    """
    places = dict(policy.model.named_parameters())
    with torch.no_grad():
        for name, weight in base.items():
            if (copied := name.replace(".default.", ".ref.")) != name and copied in places:
                places[copied].copy_(weight)


def without_head(network: Any) -> None:
    """Give a model back the forward of its class, which TRL's scoring head had replaced."""
    network.forward = MethodType(type(network).forward, network)
