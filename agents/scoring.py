"""The temperature of a running GRPO or RLOO trainer, in sampling and in scoring."""

from __future__ import annotations

from types import MethodType
from typing import Any

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


def without_head(network: Any) -> None:
    """Give a model back the forward of its class, which TRL's scoring head had replaced."""
    network.forward = MethodType(type(network).forward, network)
