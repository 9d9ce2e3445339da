"""Score responses on the inputs that they were sampled from, and compare with the sampler.

TRL prepares each prompt a second time, knows the inputs of some models only, and computes
log-probabilities by a head of its own. Here the model reads a prompt as the sampler does, so that
every model that samples also trains; what is left of TRL's own is compared with the sampler once.

TRL reads a prompt once for each response to it. Here responses of one pass that stand side by side
and have the same prompt are packed into one row, if the model computes the same then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Any

import torch
from trl.trainer.utils import split_tensor_dict

from mstar.agents.online.trl_bridge import TrlBridge
from mstar.agents.policy import distributed
from mstar.agents.policy.agreement import same_sum
from mstar.agents.policy.head_check import INSTEAD, head_does_not_fit, reason
from mstar.agents.policy.packing import can_pack
from mstar.agents.policy.turns import IGNORED
from mstar.agents.types import Rollout

COMPARED = 4  # responses

log = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """N responses of up to L tokens, scored in one forward pass.

    Attributes:
        log_probabilities: (N, L), at the trainer's temperature; 0 on padding.
        entropies: (N, L), likewise.
        aux_loss: that balances experts; None if it was not asked for.
        prompts: that were read, one for each row of the pass.
    """

    log_probabilities: torch.Tensor
    entropies: torch.Tensor
    aux_loss: torch.Tensor | None
    prompts: int


class SampledInputs:
    """Makes TRL's GRPO and RLOO trainers score on the sampler's inputs; the first base class.

    TRL is given no images: each row of its batches carries the key of its prompt, from which the
    inputs of a forward pass are made here.

    Attributes:
        bridge: to the policy and its prompts.
        keys: of the prompts of the responses that are scored next.
        compared: whether log-probabilities have been compared with the sampler's.
        packs: whether a row has one prompt and all neighbouring responses to it; None until tried.
        at_base: whether no response had an advantage yet, so that the policy is still its base.
        read: prompts that were read in forward passes since ``reset_counts``.
        scored: responses in these passes.
    """

    bridge: TrlBridge
    keys: Sequence[str] = ()
    compared = False
    packs: bool | None = None
    at_base = False
    read = 0
    scored = 0

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        trainer: Any = self
        parent: Any = super()
        before = trainer._buffered_inputs
        inputs: dict[str, Any] = parent._prepare_inputs(generation_batch)
        if trainer._buffered_inputs is not before:
            trainer._buffered_inputs = batches = whole_groups(trainer._buffered_inputs)
            inputs = batches[trainer._step % len(batches)]
        return inputs

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.keys = [row["prompt"][-1]["problem"] for row in inputs]
        parent: Any = super()
        scored: dict[str, Any] = parent._generate_and_score_completions(inputs)
        return scored | {"key": list(self.keys)}  # shuffled and split with the rest

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        trainer: Any = self
        self.keys = inputs["key"]
        if not self.compared:
            self.compared, self.at_base = True, trainer.state.global_step == 0
            self.compare(model, inputs)
        parent: Any = super()
        loss: torch.Tensor = parent._compute_loss(model, inputs)
        if self.at_base:
            self.at_base = not any(distributed.gather([bool(inputs["advantages"].any())]))
        # At its base a policy has no divergence from it but rounding, of which Adam would make
        # full steps.
        return loss * 0.0 if self.at_base else loss

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
        tokens = input_ids[:, -logits_to_keep:]
        given = attention_mask[:, -logits_to_keep:].bool()
        packs = self.try_packing(model, tokens, given)
        parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        losses: list[torch.Tensor] = []
        size = batch_size or len(tokens)
        for start in range(0, len(tokens), size):
            rows = slice(start, start + size)
            of_pass = self.keys[rows], tokens[rows], given[rows]
            out = self.forward(model, *of_pass, packs=packs, balanced=compute_aux_loss)
            self.read, self.scored = self.read + out.prompts, self.scored + len(tokens[rows])
            parts.append((out.log_probabilities, out.entropies))
            losses += [] if out.aux_loss is None else [out.aux_loss]
        log_probabilities, entropies = (torch.cat(each) for each in zip(*parts, strict=True))
        return (
            log_probabilities,
            entropies if compute_entropy else None,
            torch.stack(losses).mean() if losses else None,
        )

    def reset_counts(self) -> None:
        """Set ``read`` and ``scored`` to 0."""
        self.read = self.scored = 0

    def forward(
        self,
        model: Any,
        keys: Sequence[str],
        tokens: torch.Tensor,
        given: torch.Tensor,
        *,
        packs: bool,
        balanced: bool = False,
    ) -> Scored:
        """Run one forward pass over N responses.

        Args:
            model: of the trainer.
            keys: of their prompts.
            tokens: (N, L) ids of the responses.
            given: (N, L) bool, which of them are read.
            packs: read a prompt once for all neighbours that have it.
            balanced: compute the loss that balances experts.
        """
        trainer: Any = self
        inputs = (self.bridge.packed if packs else self.bridge.continued)(keys, tokens, given)
        extra = {"output_router_logits": True} if balanced else {}
        try:
            with trainer.accelerator.autocast():
                out = model(**inputs, **extra, fused_lm_head=True)
        except (AttributeError, TypeError) as error:
            raise ValueError(head_does_not_fit(self.bridge.policy, error)) from error
        entropy = out.log_probs if out.entropy is None else out.entropy
        return Scored(
            placed(out.log_probs, inputs, given),
            placed(entropy, inputs, given),
            out.aux_loss,
            len(inputs["input_ids"]),
        )

    def try_packing(self, model: Any, tokens: torch.Tensor, given: torch.Tensor) -> bool:
        """Whether a model gives responses the same log-probabilities in packed rows; tried once.

        Args:
            model: of the trainer.
            tokens: (N, L) ids of responses to the prompts of ``keys``.
            given: (N, L) bool, which of them are read.
        """
        if self.packs is None:
            self.packs = self.packs_give_the_same(model, tokens, given)
        return self.packs

    def packs_give_the_same(self, model: Any, tokens: torch.Tensor, given: torch.Tensor) -> bool:
        """Compare a few responses in packed rows with the same in rows of their own."""
        trainer: Any = self
        policy, training = self.bridge.policy, model.training
        if not can_pack(policy):
            return False
        twice = [row for row in range(len(tokens))[: COMPARED // 2] for _ in range(2)]
        few = [self.keys[row] for row in twice], tokens[twice], given[twice]
        model.eval()
        try:
            with torch.no_grad():
                by_row, by_pack = (
                    self.forward(model, *few, packs=packs).log_probabilities.sum(1).tolist()
                    for packs in (False, True)
                )
        except Exception as error:  # whatever a model raises that takes no such mask
            log.info("%s takes no mask for each token: %s", type(policy.network).__name__, error)
            return False
        finally:
            model.train(training)
        dtype = torch.bfloat16 if trainer.accelerator.native_amp else policy.network.dtype
        counts = few[2].sum(1).tolist()
        pairs = zip(by_pack, by_row, counts, strict=True)
        same = all(same_sum(packed, own, count, dtype) for packed, own, count in pairs)
        if not same:
            log.info("%s computes otherwise in packed rows", type(policy.network).__name__)
        return same

    def compare(self, model: Any, inputs: dict[str, Any]) -> None:
        """Compare a few log-probabilities of the trainer with those of the sampler.

        Raises:
            ValueError: they differ by more than rounding.
        """
        trainer: Any = self
        few = slice(COMPARED)
        tokens, given = inputs["completion_ids"][few], inputs["completion_mask"][few].bool()
        temperature, training = trainer.temperature, model.training
        trainer.set_temperature(1.0)  # at which the sampler measures
        model.eval()
        with torch.no_grad():
            packs = self.try_packing(model, tokens, given)
            found = self.forward(model, self.keys[few], tokens, given, packs=packs)
        model.train(training)
        trainer.set_temperature(temperature)
        rollouts = [
            self.bridge.rollout(key, row[mask].tolist())
            for key, row, mask in zip(self.keys[few], tokens, given, strict=True)
        ]
        sums = found.log_probabilities.sum(1).tolist()
        check_scores(self.bridge, rollouts, sums, trainer.accelerator)


def whole_groups(batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bring the responses to each prompt together again, which TRL has shuffled.

    The prompts keep the order of their first responses. An update then learns from fewer prompts,
    and from all responses to each, whose advantages add up to 0.

    Args:
        batches: of one sampling, of equal size, with a list ``key`` for the prompt of each row.
    """
    keys = [key for batch in batches for key in batch["key"]]
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    order = sorted(range(len(keys)), key=lambda row: first[keys[row]])
    joined = {name: _rows([batch[name] for batch in batches], order) for name in batches[0]}
    split: list[dict[str, Any]] = split_tensor_dict(joined, len(batches))
    return split


def _rows(parts: Sequence[Any], order: Sequence[int]) -> Any:
    """Values of rows, in parts, as one in another order; what belongs to no row as it is."""
    if isinstance(parts[0], list):
        values = [value for part in parts for value in part]
        return [values[row] for row in order]
    if isinstance(parts[0], torch.Tensor) and parts[0].ndim > 0:
        return torch.cat(list(parts))[list(order)]
    return parts[0]


def placed(
    values: torch.Tensor, inputs: dict[str, torch.Tensor], given: torch.Tensor
) -> torch.Tensor:
    """The values (P, T - 1) of the learned tokens, where the responses (N, L) have these tokens."""
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
