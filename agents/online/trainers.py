"""TRL's GRPO and RLOO trainers, built to sample and score through the bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import datasets
from accelerate.utils import convert_outputs_to_fp32
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.trainer.utils import add_fused_lm_head

from mstar.agents.checkpoint_writer import WritesBehind
from mstar.agents.config import Recipe
from mstar.agents.online.scoring import SampledInputs
from mstar.agents.online.trl_bridge import Message, RewardColumn, TrlBridge, column_weights
from mstar.agents.policy import distributed
from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.policy import Policy
from mstar.agents.short_steps import ShortSteps

# Settings of GRPOTrainer for the algorithm of each paper. DAPO's dynamic sampling, which TRL lacks,
# is that of ``TrlBridge.respond``.
GRPO_SETTINGS: dict[str, dict[str, Any]] = {
    # Shao et al. 2024, arXiv 2402.03300
    "grpo": {"loss_type": "grpo", "scale_rewards": "group", "epsilon": 0.2},
    # Liu et al. 2025, arXiv 2503.20783: no normalization by length or standard deviation
    "dr-grpo": {"loss_type": "dr_grpo", "scale_rewards": "none", "epsilon": 0.2},
    # Yu et al. 2025, arXiv 2503.14476: wider upper clip (section 3.1), token-level loss (3.3), and
    # no loss of truncated responses (3.4), without the soft punishment of long ones (equation 13)
    "dapo": {
        "loss_type": "dapo",
        "scale_rewards": "group",
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "mask_truncated_completions": True,
    },
    # Zheng et al. 2025, arXiv 2507.18071: one importance ratio per response
    "gspo": {
        "loss_type": "grpo",
        "scale_rewards": "group",
        "importance_sampling_level": "sequence",
        "epsilon": 3e-4,
        "epsilon_high": 4e-4,
    },
}


@dataclass(frozen=True)
class TrainerSpec:
    """What a trainer is built from.

    Attributes:
        policy: trained in place.
        reference: the base model, for online DPO; the other trainers load it themselves.
        recipe: all settings.
        bridge: to problems, responses and rewards.
        folder: of a checkpoint at the end of each round.
        callback: exchanges tasks and results with the round loop.
    """

    policy: Policy
    reference: Any
    recipe: Recipe
    bridge: TrlBridge
    folder: Path
    callback: TrainerCallback

    @property
    def rows(self) -> int:
        """Responses of one forward and backward pass of GRPO and RLOO, over all processes."""
        return self.recipe.optim.batch // self.recipe.optim.passes

    def settings(self, learned: int, columns: Sequence[RewardColumn]) -> dict[str, Any]:
        """The settings that all trainers share.

        Args:
            learned: rows of a forward and backward pass, over all processes.
            columns: the reward functions.
        """
        recipe = self.recipe
        weights = column_weights(self.bridge.task)
        return {
            "output_dir": str(self.folder),
            "num_train_epochs": recipe.run.rounds,
            "per_device_train_batch_size": distributed.part(learned, "the responses of an update"),
            "optim": recipe.optim.optimizer,
            "learning_rate": recipe.online.learning_rate,
            "lr_scheduler_type": recipe.optim.schedule,
            "warmup_steps": recipe.optim.warmup,
            "seed": recipe.run.seed,
            "bf16": recipe.optim.bf16,
            "activation_checkpointing": recipe.optim.gradient_checkpointing,
            "use_cpu": self.policy.model.device.type == "cpu",
            "temperature": recipe.sampling.temperature,
            "beta": self.recipe.kl_coefficient,
            "reward_weights": [weights[column.__name__] for column in columns],
            "remove_unused_columns": False,
            "ignore_data_skip": True,  # a resumed round is given its own problems
            "save_strategy": "epoch",
            "logging_strategy": "steps",
            "logging_steps": 1,
            "logging_nan_inf_filter": False,  # a loss that is not finite ends the run
            "report_to": [],
            "disable_tqdm": True,
        }

    def grouped(self) -> dict[str, Any]:
        """The settings that GRPO and RLOO share: one sampling of whole groups, several updates."""
        recipe = self.recipe
        return {
            "num_generations": recipe.sampling.samples,
            "gradient_accumulation_steps": recipe.optim.passes,
            # TRL counts passes here, of which several make an update.
            "steps_per_generation": recipe.online.minibatches * recipe.optim.passes,
            "max_completion_length": recipe.max_new_tokens,
            "shuffle_dataset": False,  # the environment draws the problems
        }


class Grpo(ShortSteps, WritesBehind, SampledInputs, GRPOTrainer):
    """TRL's GRPO trainer on our inputs."""

    def set_temperature(self, temperature: float) -> None:
        """See the function."""
        set_temperature(self, self.bridge.policy, temperature)


def grpo_trainer(spec: TrainerSpec, columns: list[RewardColumn], table: datasets.Dataset) -> Any:
    """GRPO and its variants, which sample through ``rollout_func``."""
    bridge = spec.bridge
    name: Any = spec.recipe.run.agent

    def rollout_func(prompts: Sequence[Sequence[Message]], trainer: GRPOTrainer) -> dict[str, Any]:
        problems = bridge.groups(prompts)
        rollouts = bridge.respond(problems)
        trainer.keys = [rollout.prompt.key for rollout in rollouts]  # some may be others
        problems = [rollout.problem for rollout in rollouts[:: len(rollouts) // len(problems)]]
        return {
            "prompt_ids": _repeated(bridge.prompt_tokens(problems), len(rollouts)),
            "completion_ids": [bridge.learnable(rollout) for rollout in rollouts],
            "logprobs": None,
        }

    settings = spec.settings(spec.rows, columns) | spec.grouped()
    trainer = Grpo(
        model=spec.policy.model,
        args=GRPOConfig(**settings, **GRPO_SETTINGS[name]),
        reward_funcs=columns,
        train_dataset=table,
        processing_class=spec.policy.processor,
        callbacks=[spec.callback],
        rollout_func=rollout_func,
    )
    trainer.bridge = bridge
    return trainer


class Rloo(ShortSteps, WritesBehind, SampledInputs, RLOOTrainer):
    """TRL's RLOO trainer with our generation, since it has no ``rollout_func``."""

    def set_temperature(self, temperature: float) -> None:
        """See the function."""
        set_temperature(self, self.bridge.policy, temperature)

    def _generate(self, prompts: list[list[dict[str, Any]]]) -> tuple[Any, Any, Any]:
        problems = self.bridge.groups(prompts)
        rollouts = self.bridge.respond(problems)
        return (
            _repeated(self.bridge.prompt_tokens(problems), len(rollouts)),
            [self.bridge.learnable(rollout) for rollout in rollouts],
            [[{"role": "assistant", "content": rollout.response.text}] for rollout in rollouts],
        )


def rloo_trainer(spec: TrainerSpec, columns: list[RewardColumn], table: datasets.Dataset) -> Any:
    """RLOO (Ahmadian et al. 2024, arXiv 2402.14740)."""
    settings = spec.settings(spec.rows, columns) | spec.grouped()
    trainer = Rloo(
        model=spec.policy.model,
        args=RLOOConfig(**settings),
        reward_funcs=columns,
        train_dataset=table,
        processing_class=spec.policy.processor,
        callbacks=[spec.callback],
    )
    trainer.bridge = spec.bridge
    return trainer


def _repeated(prompts: Sequence[list[int]], rows: int) -> list[list[int]]:
    """Each prompt once for each response to it; `rows` responses in all."""
    return [ids for ids in prompts for _ in range(rows // len(prompts))]


def set_temperature(trainer: Any, policy: Policy, temperature: float) -> None:
    """Set the temperature at which a running GRPO or RLOO trainer samples and scores.

    TRL builds the temperature into the head that computes log-probabilities. Setting the trainer's
    attribute alone would change the sampling and not the importance ratios, so the head is
    replaced.

    Args:
        trainer: of TRL.
        policy: that it trains.
        temperature: > 0.
    """
    trainer.temperature = temperature
    trainer.generation_config.temperature = temperature
    trainer.generation_kwargs["temperature"] = temperature
    _set_head(trainer, policy.network, temperature, outputs=("log_probs", "entropy"))
    if trainer.ref_model is not None:
        reference = trainer.accelerator.unwrap_model(trainer.ref_model)
        _set_head(trainer, reference, temperature)


def _set_head(trainer: Any, network: Any, temperature: float, **measured: Any) -> None:
    """Wrap a model's forward in the scoring head, and that in the trainer's autocast, if any."""
    unwrap_forward(network)
    add_fused_lm_head(network, temperature, **measured)
    if trainer.accelerator.native_amp:
        autocast = trainer.accelerator.autocast()
        network.forward = MethodType(
            convert_outputs_to_fp32(autocast(network.forward.__func__)), network
        )
