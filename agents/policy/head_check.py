"""Check that the head by which TRL scores tokens computes what the model does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mstar.agents.policy.agreement import same_sum
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED

INSTEAD = "train this model with --agent online-dpo, which does without TRL's head"


def check_head(policy: Policy, inputs: Mapping[str, torch.Tensor]) -> None:
    """Compare TRL's scoring head, which a trainer has put on a policy, with the policy's output.

    Args:
        policy: with the head, at temperature 1.
        inputs: of a forward pass, with labels; see ``turns.continued``.

    Raises:
        ValueError: the head does not fit the model, or gives other log-probabilities.
    """
    network, training = policy.model, policy.model.training
    labels = inputs["labels"][:, 1:]
    others = {name: value for name, value in inputs.items() if name != "labels"}
    network.eval()
    try:
        with torch.no_grad():
            by_head = network(**inputs, fused_lm_head=True).log_probs.sum()
            logits = network(**others).logits[:, :-1][labels != IGNORED].float()
    except (AttributeError, TypeError) as error:
        raise ValueError(head_does_not_fit(policy, error)) from error
    finally:
        network.train(training)
    learned = labels[labels != IGNORED]
    own = (logits.gather(-1, learned[:, None])[:, 0] - logits.logsumexp(-1)).sum()
    if not same_sum(float(by_head), float(own), len(learned), policy.network.dtype):
        raise ValueError(
            f"TRL gives {len(learned)} tokens the log-probability {by_head:.2f} and the model "
            f"itself {own:.2f}, more than rounding: {reason(policy.network)}; {INSTEAD}"
        )


def head_does_not_fit(policy: Policy, error: Exception) -> str:
    """The message for a model that TRL's head cannot be put on."""
    return f"TRL's scoring head does not fit {type(policy.network).__name__} ({error}); {INSTEAD}"


def reason(network: Any) -> str:
    """Why a trainer's log-probabilities may differ from the model's, as far as is known."""
    scale = getattr(network.config.get_text_config(), "logit_scale", None)
    if scale is not None:
        name = type(network).__name__
        return f"TRL multiplies the logits by logit_scale {scale}; {name} does not"
    return f"TRL does not compute what {type(network).__name__} does"
