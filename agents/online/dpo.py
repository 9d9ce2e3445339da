"""Online DPO by TRL's trainer: the best sample of a prompt against the worst."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import datasets
import torch
from trl.import_utils import TRLExperimentalWarning

from mstar.agents.online.trainers import TrainerSpec
from mstar.agents.online.trl_bridge import RewardColumn, TrlBridge
from mstar.agents.types import Rollout

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TRLExperimentalWarning)  # TRL has it nowhere else
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

VISION = ("pixel_values", "pixel_attention_mask", "image_sizes", "image_grid_thw")


class OnlineDpo(OnlineDPOTrainer):
    """TRL's online DPO trainer with our generation, since it has no ``rollout_func``.

    TRL prefers the first of two responses with equal rewards, and scores an unscored one 0. Here a
    pair without a preference is masked out, so that it has no gradient.
    """

    bridge: TrlBridge

    def _generate(self, model: Any, prompts: list[Any], images: Any = None) -> tuple[Any, ...]:
        bridge = self.bridge
        problems = bridge.problems(prompts)
        rollouts = bridge.respond(problems)
        size = len(rollouts) // len(problems)
        pairs = [best_and_worst(rollouts[i : i + size]) for i in range(0, len(rollouts), size)]
        bridge.scored = [pair[place] for place in (0, 1) for pair in pairs]
        preferred = [pair[0].reward > pair[1].reward for pair in pairs] * 2
        tokens = [bridge.learnable(rollout) for rollout in bridge.scored]
        longest = max(map(len, tokens))
        pad = self._tokenizer.pad_token_id
        completions = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in tokens])
        mask = torch.tensor(
            [
                [preferred[i] and j < len(ids) for j in range(longest)]
                for i, ids in enumerate(tokens)
            ]
        )
        read = bridge.encode(problems)
        twice = {name: torch.cat([read[name]] * 2) for name in read}
        device = read["input_ids"].device
        return (
            twice["input_ids"],
            twice["attention_mask"],
            completions.to(device),
            mask.long().to(device),
            {name: twice[name] for name in VISION if name in twice},
        )


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
