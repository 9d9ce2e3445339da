"""TRL's own online trainers, one for each algorithm, that practise with our sampler and panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from mstar.agents.config import Recipe
from mstar.agents.online.trl_bridge import Message, RewardColumn, TrlBridge, column_weights
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy

# What makes GRPOTrainer the algorithm of each paper. TRL has no dynamic sampling, which DAPO also
# asks for: groups that are all right or all wrong stay, without a gradient.
GRPO_SETTINGS: dict[str, dict[str, Any]] = {
    # Shao et al. 2024, arXiv 2402.03300
    "grpo": {"loss_type": "grpo", "scale_rewards": "group", "epsilon": 0.2},
    # Liu et al. 2025, arXiv 2503.20783: neither the length nor the deviation divides
    "dr-grpo": {"loss_type": "dr_grpo", "scale_rewards": "none", "epsilon": 0.2},
    # Yu et al. 2025, arXiv 2503.14476: tokens weigh alike, clip-higher, cut responses don't count
    "dapo": {
        "loss_type": "dapo",
        "scale_rewards": "group",
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "mask_truncated_completions": True,
    },
    # Zheng et al. 2025, arXiv 2507.18071: one ratio for a whole response
    "gspo": {
        "loss_type": "grpo",
        "scale_rewards": "group",
        "importance_sampling_level": "sequence",
        "epsilon": 3e-4,
        "epsilon_high": 4e-4,
    },
}

# The pull to the base policy, where the recipe leaves it open: the papers', or TRL's for the last.
BETAS: dict[str, float] = {
    "grpo": 0.04,
    "dr-grpo": 0.0,
    "dapo": 0.0,
    "gspo": 0.0,
    "rloo": 0.05,
    "online-dpo": 0.1,
}


@dataclass(frozen=True)
class TrainerSpec:
    """What a trainer is made of.

    Attributes:
        policy: trained in place.
        reference: the base, for online DPO; the others load it again from where it came from.
        recipe: all settings.
        practice: gives problems, responses and scores.
        folder: where the trainer writes a checkpoint at the end of each round.
        rounds: hands the turns over.
    """

    policy: Policy
    reference: Any
    recipe: Recipe
    bridge: TrlBridge
    folder: Path
    rounds: TrainerCallback

    @property
    def beta(self) -> float:
        """The pull to the base policy."""
        named: Any = self.recipe.run.agent
        return (
            BETAS[named]
            if self.recipe.online.kl_coefficient is None
            else self.recipe.online.kl_coefficient
        )

    def settings(self, learned: int, columns: Sequence[RewardColumn]) -> dict[str, Any]:
        """What the configurations of all trainers share.

        Args:
            learned: rows of an update.
            columns: the rewards.
        """
        recipe = self.recipe
        weights = column_weights(self.bridge.task)
        return {
            "output_dir": str(self.folder),
            "num_train_epochs": recipe.run.rounds,
            "per_device_train_batch_size": distributed.part(learned, "the responses of an update"),
            "learning_rate": recipe.online.learning_rate,
            "lr_scheduler_type": recipe.optim.schedule,
            "warmup_steps": recipe.optim.warmup,
            "seed": recipe.run.seed,
            "bf16": recipe.optim.bf16,
            "activation_checkpointing": recipe.optim.gradient_checkpointing,
            "use_cpu": self.policy.model.device.type == "cpu",
            "temperature": recipe.sampling.temperature,
            "beta": self.beta,
            "reward_weights": [weights[column.__name__] for column in columns],
            "remove_unused_columns": False,
            "ignore_data_skip": True,  # a resumed round gets its own problems
            "save_strategy": "epoch",
            "logging_strategy": "steps",
            "logging_steps": 1,
            "report_to": [],
            "disable_tqdm": True,
        }

    def grouped(self) -> dict[str, Any]:
        """What GRPO and RLOO share: a sampling of whole groups serves several updates."""
        recipe = self.recipe
        return {
            "num_generations": recipe.sampling.samples,
            "steps_per_generation": recipe.online.minibatches,
            "max_completion_length": recipe.sampling.max_new_tokens,
            "shuffle_dataset": False,  # the environment draws the problems
        }


def grpo_trainer(spec: TrainerSpec, columns: list[RewardColumn], table: datasets.Dataset) -> Any:
    """GRPO and its kin; our sampler comes in by ``rollout_func``."""
    bridge = spec.bridge
    name: Any = spec.recipe.run.agent

    def rollouts(prompts: Sequence[Sequence[Message]], trainer: GRPOTrainer) -> dict[str, Any]:
        asked = bridge.groups(prompts)
        found = bridge.respond(asked)
        return {
            "prompt_ids": _repeated(bridge.prompt_tokens(asked), len(found)),
            "completion_ids": [bridge.learnable(rollout) for rollout in found],
            "logprobs": None,
        }

    settings = spec.settings(spec.recipe.optim.batch, columns) | spec.grouped()
    return GRPOTrainer(
        model=spec.policy.model,
        args=GRPOConfig(**settings, **GRPO_SETTINGS[name]),
        reward_funcs=columns,
        train_dataset=table,
        processing_class=spec.policy.processor,
        callbacks=[spec.rounds],
        rollout_func=rollouts,
    )


class Rloo(RLOOTrainer):
    """TRL's RLOO, which has no ``rollout_func``: what it generates is replaced here."""

    bridge: TrlBridge

    def _generate(self, prompts: list[list[dict[str, Any]]]) -> tuple[Any, Any, Any]:
        asked = self.bridge.groups(prompts)
        found = self.bridge.respond(asked)
        return (
            _repeated(self.bridge.prompt_tokens(asked), len(found)),
            [self.bridge.learnable(rollout) for rollout in found],
            [[{"role": "assistant", "content": rollout.response.text}] for rollout in found],
        )


def rloo_trainer(spec: TrainerSpec, columns: list[RewardColumn], table: datasets.Dataset) -> Any:
    """RLOO (Ahmadian et al. 2024, arXiv 2402.14740)."""
    settings = spec.settings(spec.recipe.optim.batch, columns) | spec.grouped()
    trainer = Rloo(
        model=spec.policy.model,
        args=RLOOConfig(**settings),
        reward_funcs=columns,
        train_dataset=table,
        processing_class=spec.policy.processor,
        callbacks=[spec.rounds],
    )
    trainer.bridge = spec.bridge
    return trainer


def _repeated(prompts: Sequence[list[int]], rows: int) -> list[list[int]]:
    """Each prompt as often as it was answered."""
    return [ids for ids in prompts for _ in range(rows // len(prompts))]
