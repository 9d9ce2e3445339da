"""Score responses on the inputs that they were sampled from, and compare with the sampler.

TRL prepares each prompt a second time, knows the inputs of some models only, and computes
log-probabilities by a head of its own. Here the model reads a prompt as the sampler does, so that
every model that samples also trains; what is left of TRL's own is compared with the sampler once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mstar.agents.online.trl_bridge import TrlBridge
from mstar.agents.policy.agreement import same_sum
from mstar.agents.policy.head_check import INSTEAD, head_does_not_fit, reason
from mstar.agents.policy.turns import IGNORED
from mstar.agents.types import Rollout

COMPARED = 4  # responses


class SampledInputs:
    """Makes TRL's GRPO and RLOO trainers score on the sampler's inputs; the first base class.

    TRL is given no images: each row of its batches carries the key of its prompt, from which the
    inputs of a forward pass are made here.
    """

    bridge: TrlBridge
    keys: Sequence[str] = ()  # of the prompts that are scored next
    compared = False

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.keys = [row["prompt"][-1]["problem"] for row in inputs]
        parent: Any = super()
        scored: dict[str, Any] = parent._generate_and_score_completions(inputs)
        return scored | {"key": list(self.keys)}  # shuffled and split with the rest

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self.keys = inputs["key"]
        if not self.compared:
            self.compared = True
            self.compare(model, inputs)
        parent: Any = super()
        loss: torch.Tensor = parent._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        trainer: Any = self
        size = batch_size or len(input_ids)
        parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        losses: list[torch.Tensor] = []
        extra = {"output_router_logits": True} if compute_aux_loss else {}
        for start in range(0, len(input_ids), size):
            rows = slice(start, start + size)
            tokens = input_ids[rows, -logits_to_keep:]
            given = attention_mask[rows, -logits_to_keep:].bool()
            inputs = self.bridge.continued(self.keys[rows], tokens, given)
            inputs = widened(inputs, input_ids.shape[1])
            try:
                with trainer.accelerator.autocast():
                    out = model(**inputs, **extra, fused_lm_head=True)
            except (AttributeError, TypeError) as error:
                raise ValueError(head_does_not_fit(self.bridge.policy, error)) from error
            entropy = out.log_probs if out.entropy is None else out.entropy
            parts.append(
                (placed(out.log_probs, inputs, given), placed(entropy, inputs, given)),
            )
            losses += [out.aux_loss] if compute_aux_loss else []
        log_probabilities, entropies = (torch.cat(each) for each in zip(*parts, strict=True))
        return (
            log_probabilities,
            entropies if compute_entropy else None,
            torch.stack(losses).mean() if losses else None,
        )

    def compare(self, model: Any, inputs: dict[str, Any]) -> None:
        """Compare a few log-probabilities of the trainer with those of the sampler.

        Raises:
            ValueError: they differ by more than rounding.
        """
        trainer: Any = self
        few = slice(COMPARED)
        tokens, given = inputs["completion_ids"][few], inputs["completion_mask"][few]
        temperature, training = trainer.temperature, model.training
        trainer.set_temperature(1.0)  # at which the sampler measures
        model.eval()
        with torch.no_grad():
            found, _, _ = self._get_per_token_logps_and_entropies(
                model, tokens, given, tokens.shape[1]
            )
        model.train(training)
        trainer.set_temperature(temperature)
        rollouts = [
            self.bridge.rollout(key, row[mask.bool()].tolist())
            for key, row, mask in zip(self.keys[few], tokens, given, strict=True)
        ]
        check_scores(self.bridge, rollouts, (found * given).sum(1).tolist(), trainer.accelerator)


def widened(inputs: dict[str, torch.Tensor], width: int) -> dict[str, torch.Tensor]:
    """The same inputs with the tokens padded on the right to one width for all batches.

    Batches then round alike, so that a policy that equals its reference has a divergence of 0 from
    it; Adam would make full steps of the rest.
    """
    shape = inputs["input_ids"].shape
    return {
        name: _padded(value, width, IGNORED if name == "labels" else 0)
        if value.shape[:2] == shape
        else value
        for name, value in inputs.items()
    }


def _padded(values: torch.Tensor, width: int, fill: int) -> torch.Tensor:
    """Values of tokens (N, T, ...) as (N, width, ...), if that is wider."""
    missing = max(0, width - values.shape[1])
    more = values.new_full((len(values), missing, *values.shape[2:]), fill)
    return torch.cat([values, more], dim=1)


def placed(
    values: torch.Tensor, inputs: dict[str, torch.Tensor], given: torch.Tensor
) -> torch.Tensor:
    """The values (N, T - 1) of the learned tokens, where the responses (N, L) have these tokens."""
    learned = inputs["labels"][:, 1:] != IGNORED
    return values.new_zeros(given.shape).masked_scatter(given, values[learned])


def check_scores(
    bridge: TrlBridge, rollouts: Sequence[Rollout | None], sums: Sequence[float], accelerator: Any
) -> None:
    """Compare the trainer's log-probabilities of some responses with those that were sampled.

    Args:
        bridge: to the policy.
        rollouts: with the sampler's log-probabilities, at temperature 1; None is skipped.
        sums: the trainer's, of the same responses.
        accelerator: of the trainer, whose autocast rounds.

    Raises:
        ValueError: they differ by more than rounding.
    """
    network = bridge.policy.network
    dtype = torch.bfloat16 if accelerator.native_amp else network.dtype
    for rollout, found in zip(rollouts, sums, strict=True):
        if rollout is None:
            continue
        sampled, count = rollout.response.logprob, len(rollout.response.tokens)
        if not same_sum(found, sampled, count, dtype):
            raise ValueError(
                f"the trainer gives {count} sampled tokens the log-probability {found:.2f} and the "
                f"sampler {sampled:.2f}, more than rounding: {reason(network)}; {INSTEAD}"
            )
