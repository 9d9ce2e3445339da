"""The temperature of a running GRPO or RLOO trainer, in sampling and in scoring."""

from __future__ import annotations

from types import MethodType
from typing import Any

from accelerate.utils import convert_outputs_to_fp32
from trl.trainer.utils import add_fused_lm_head

from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.policy import Policy


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
    _put_head(trainer, policy.network, temperature, outputs=("log_probs", "entropy"))
    if trainer.ref_model is not None:
        reference = trainer.accelerator.unwrap_model(trainer.ref_model)
        _put_head(trainer, reference, temperature)


def _put_head(trainer: Any, network: Any, temperature: float, **measured: Any) -> None:
    """The head around the model's own forward, and around that the trainer's autocast, if any."""
    unwrap_forward(network)
    add_fused_lm_head(network, temperature, **measured)
    if trainer.accelerator.native_amp:
        autocast = trainer.accelerator.autocast()
        network.forward = MethodType(
            convert_outputs_to_fp32(autocast(network.forward.__func__)), network
        )
