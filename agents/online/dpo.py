"""Online DPO by TRL's trainer: the best sample of a prompt against the worst."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import datasets
import torch
from trl.import_utils import TRLExperimentalWarning

from mstar.agents.checkpoint_writer import WritesBehind
from mstar.agents.online.scoring import COMPARED, check_scores
from mstar.agents.online.trainers import TrainerSpec
from mstar.agents.online.trl_bridge import RewardColumn, TrlBridge
from mstar.agents.policy.turns import IGNORED, padded
from mstar.agents.short_steps import ShortSteps
from mstar.agents.types import Rollout

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TRLExperimentalWarning)  # TRL has it nowhere else
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer


class OnlineDpo(ShortSteps, WritesBehind, OnlineDPOTrainer):
    """TRL's online DPO trainer with our generation, since it has no ``rollout_func``.

    TRL prefers the first of two responses with equal rewards, and scores an unscored one 0. Here a
    pair without a preference is masked out, so that it has no gradient.
    """

    bridge: TrlBridge
    compared = False

    def _generate(self, model: Any, prompts: list[Any], images: Any = None) -> tuple[Any, ...]:
        bridge = self.bridge
        problems = bridge.problems(prompts)
        rollouts = bridge.respond(problems)
        size = len(rollouts) // len(problems)
        pairs = [best_and_worst(rollouts[i : i + size]) for i in range(0, len(rollouts), size)]
        bridge.scored = [pair[place] for place in (0, 1) for pair in pairs]
        preferred = [pair[0].reward > pair[1].reward for pair in pairs] * 2
        tokens = [bridge.learnable(rollout) for rollout in bridge.scored]
        completions, given = padded(tokens, self._tokenizer.pad_token_id)
        mask = given * torch.tensor(preferred)[:, None]
        read = bridge.encode(problems)
        device = read["input_ids"].device
        keys = [rollout.prompt.key for rollout in bridge.scored]
        return (
            torch.cat([read["input_ids"]] * 2),
            torch.cat([read["attention_mask"]] * 2),
            completions.to(device),
            mask.to(device),
            keys,
        )

    def _forward(
        self,
        model: Any,
        prompt_ids: torch.Tensor,
        prompt_mask: torch.Tensor,
        completion_ids: torch.Tensor,
        completion_mask: torch.Tensor,
        vision_inputs: Any = None,
    ) -> torch.Tensor:
        """Log-probabilities (2N, L); `vision_inputs` are the keys of the prompts."""
        if not self.compared:
            self.compared = True
            self.compare(model, completion_ids, vision_inputs)
        return self.score(model, completion_ids, completion_mask, vision_inputs)

    def score(
        self, model: Any, tokens: torch.Tensor, given: torch.Tensor, keys: Sequence[str]
    ) -> torch.Tensor:
        """The log-probability (R, L) of each of the `tokens` (R, L) that are `given`, else 0."""
        inputs = self.bridge.continued(keys, tokens, given.bool())
        labels = inputs.pop("labels")[:, 1:]
        learned = labels != IGNORED
        logits = model(**inputs).logits[:, :-1][learned].float()
        chosen: torch.Tensor = logits.gather(-1, labels[learned][:, None])[:, 0]
        chosen = chosen - logits.logsumexp(-1)
        return chosen.new_zeros(given.shape).masked_scatter(given.bool(), chosen)

    def compare(self, model: Any, tokens: torch.Tensor, keys: Sequence[str]) -> None:
        """Compare a few log-probabilities with those of the sampler; see ``check_scores``."""
        few = slice(COMPARED)
        learnable = [self.bridge.learnable(rollout) for rollout in self.bridge.scored[few]]
        _, given = padded(learnable)
        given = given.to(tokens.device)
        shown, training = tokens[few, : given.shape[1]], model.training
        model.eval()
        with torch.no_grad():
            sums = self.score(model, shown, given, keys[few]).sum(1).tolist()
        model.train(training)
        whole = [
            rollout if list(rollout.response.tokens) == ids else None
            for rollout, ids in zip(self.bridge.scored[few], learnable, strict=True)
        ]
        check_scores(self.bridge, whole, sums, self.accelerator)


def best_and_worst(group: Sequence[Rollout]) -> tuple[Rollout, Rollout]:
    """The first best and the first worst of the responses to a prompt that have a reward.

    Their rewards are equal or NaN if there is no preference.
    """
    scored = [rollout for rollout in group if rollout.reward == rollout.reward] or list(group)
    return max(scored, key=lambda r: r.reward), min(scored, key=lambda r: r.reward)


def dpo_trainer(spec: TrainerSpec, columns: list[RewardColumn], table: datasets.Dataset) -> Any:
    """Online DPO (Guo et al. 2024, arXiv 2402.04792), which trains on two samples per prompt.

    An update uses the pairs of all responses of one sampling, so that it is on-policy.
    """
    recipe = spec.recipe
    settings = spec.settings(
        recipe.optim.batch * recipe.online.minibatches // recipe.sampling.samples, columns
    )
    trainer = OnlineDpo(
        model=spec.policy.model,
        ref_model=spec.reference,
        args=OnlineDPOConfig(**settings, max_new_tokens=recipe.max_new_tokens),
        reward_funcs=columns,
        train_dataset=table,
        processing_class=spec.policy.processor,
        callbacks=[spec.callback],
    )
    trainer.bridge = spec.bridge
    return trainer
