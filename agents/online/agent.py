"""The agents that learn from rewards online, by TRL's trainers for GRPO, RLOO and online DPO."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
from transformers import PrinterCallback

from mstar.agents.agent import Agent
from mstar.agents.config import Recipe
from mstar.agents.online.dpo import dpo_trainer
from mstar.agents.online.trainers import TrainerSpec, grpo_trainer, rloo_trainer, set_temperature
from mstar.agents.online.trl_bridge import (
    RewardColumn,
    RoundBatch,
    TrlBridge,
    column_weights,
    informative_groups,
)
from mstar.agents.policy import distributed
from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.image_tower import run_frozen_towers_without_gradients
from mstar.agents.policy.sharding import prune_no_split_modules
from mstar.agents.rollout import gather_rollouts, prompts_of
from mstar.agents.trainer_thread import RoundCallback, TrainerThread
from mstar.agents.types import FinetuneResult, Round

TRAINERS: dict[str, Callable[[TrainerSpec, list[RewardColumn], datasets.Dataset], Any]] = {
    "grpo": grpo_trainer,
    "dr-grpo": grpo_trainer,
    "dapo": grpo_trainer,
    "gspo": grpo_trainer,
    "rloo": rloo_trainer,
    "online-dpo": dpo_trainer,
}


class Online(Agent):
    """Updates a policy on the rewards of the responses it samples, many times a round.

    A round is `prompts` x `samples` responses, as for the self-evolving agents, and as many updates
    as these make batches. One TRL trainer lives through all rounds, on a thread of its own that
    alternates with this one; a ``TrlBridge`` gives it data, generation and rewards.

    The number of samples is the recipe's in all rounds: TRL fixes the size of a group.
    """

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Check a recipe as every agent does, and that its rounds fill whole batches of groups.

        Raises:
            ValueError: they do not.
        """
        check_batches(recipe)
        super().check(recipe)

    def prepare(self) -> None:
        """Make the bridge and the trainer's thread."""
        recipe, policy = self.recipe, self.policy
        sampler = self.training_sampler
        self.bridge = TrlBridge(policy, sampler, self.task, recipe.run.seed, self.end_stage)
        self._thread: TrainerThread[RoundBatch, FinetuneResult] = TrainerThread("online-trainer")
        # Copied now: a resumed policy is no longer the base.
        self._base = copy.deepcopy(policy.model) if recipe.run.agent == "online-dpo" else None
        self.trainer: Any = None

    def turn(self, number: int) -> Round:
        """Alternate sampling, scoring and updates; then evaluate and adjust."""
        recipe = self.recipe
        plan = replace(self.plan(number), samples=recipe.sampling.samples)
        self.stage = "training online"
        problems = self.draw(number, plan)
        slots = [problems[i % len(problems)] for i in range(recipe.sampling.prompts)]
        batch = RoundBatch(
            number,
            slots,
            recipe.sampling.samples,
            plan.temperature,
            recipe.selection.gate,
            recipe.resamplings,
            lambda count: self.fresh(number, plan, count),
        )
        if self.trainer is None:
            self._start(batch)
        finetuned = self._thread.run(batch)
        self.policy.model.eval()
        self.end_stage("update")
        asked = self.bridge.asked
        rollouts = gather_rollouts(self.bridge.rollouts, asked, prompts_of(self.task, asked))
        selection = informative_groups(
            rollouts,
            recipe.sampling.samples,
            recipe.selection.gate,
            self.task.panel.required,
            distributed.gather(self.bridge.replaced),
        )
        return self.finish(number, plan, rollouts, selection, self._with_scored(finetuned))

    def close(self) -> None:
        """End the trainer's thread; no round can follow."""
        self._thread.close()
        self.writer.abandon()
        if self.trainer is not None:
            unwrap_forward(self.policy.model)

    def go_back(self, checkpoint: Path | None) -> None:
        """Return to a checkpoint; a new trainer starts from it."""
        super().go_back(checkpoint)
        self.trainer, self._thread = None, TrainerThread("online-trainer")

    def _start(self, first: RoundBatch) -> None:
        self.bridge.begin(first)  # the trainer inspects a row for images
        table = datasets.Dataset.from_dict({"slot": list(range(len(first.problems)))})
        table.set_transform(self.bridge)
        columns = [RewardColumn(self.bridge, name) for name in column_weights(self.task)]
        spec = TrainerSpec(
            self.policy,
            self._base,
            self.recipe,
            self.bridge,
            self.folder,
            RoundCallback(self._thread, self._begin),
        )
        prune_no_split_modules(self.policy.model)
        run_frozen_towers_without_gradients(self.policy.model)
        name: Any = self.recipe.run.agent
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are using 'rollout_func'", UserWarning)
            self.trainer = TRAINERS[name](spec, columns, table)
        self.trainer.writer = self.writer
        self.trainer.remove_callback(PrinterCallback)  # runs have a display of their own
        resume = str(self._checkpoint) if self._checkpoint else None
        self._thread.start(
            lambda: self.trainer.train(resume_from_checkpoint=resume),
            f"all {self.recipe.run.rounds} rounds have been trained",
        )

    def _begin(self, batch: RoundBatch) -> int:
        """Start a round, on the trainer's thread; returns the number of responses trained on."""
        self.bridge.begin(batch)
        if self.recipe.run.agent == "online-dpo":
            return 2 * len(batch.problems)  # it always scores at temperature 1
        self.trainer.reset_counts()
        set_temperature(self.trainer, self.policy, batch.temperature)
        return len(batch.problems) * batch.samples

    def _with_scored(self, finetuned: FinetuneResult) -> FinetuneResult:
        """Add how many responses were only scored, and how many prompts were read for each."""
        off_policy = self.recipe.online.minibatches > 1 or self.recipe.run.agent == "rloo"
        before = off_policy and self.recipe.run.agent != "online-dpo"
        by_base = self.recipe.run.agent == "online-dpo" or self.trainer.beta > 0
        scored = finetuned.examples * (before + by_base)
        if self.recipe.run.agent == "online-dpo":
            return replace(finetuned, scored=scored)
        prompts = self.trainer.read / max(1, self.trainer.scored)
        return replace(finetuned, scored=scored, prompts=prompts)


def check_batches(recipe: Recipe) -> None:
    """Check that the responses of a round fill whole batches of whole groups.

    Raises:
        ValueError: they do not; the message says which number must divide which.
    """
    sampled, samples = recipe.optim.batch * recipe.online.minibatches, recipe.sampling.samples
    if recipe.sampling.allocation != "uniform":
        raise ValueError(
            f"{recipe.run.agent} compares groups of one size, which TRL fixes; allocation must be "
            f"'uniform', got {recipe.sampling.allocation!r}"
        )
    if recipe.run.agent == "online-dpo" and recipe.optim.passes > 1:
        raise ValueError(
            "online-dpo learns from all pairs of a sampling at once; leave micro_batch at 0, and "
            "lower batch where memory runs out"
        )
    if recipe.online.dynamic_sampling and recipe.run.agent in ("rloo", "online-dpo"):
        raise ValueError(
            f"dynamic_sampling is {recipe.online.dynamic_sampling}, which {recipe.run.agent} does "
            "not have; leave it out, or use dapo, grpo, dr-grpo or gspo"
        )
    if samples < 2:
        raise ValueError(
            f"{recipe.run.agent} compares the samples of a prompt; samples is {samples}"
        )
    if sampled % samples or (recipe.sampling.prompts * samples) % sampled:
        raise ValueError(
            f"batch x minibatches is {sampled}; it must be a multiple of samples ({samples}) and "
            f"divide prompts x samples ({recipe.sampling.prompts * samples})"
        )
    if (own := distributed.part(recipe.optim.batch) * recipe.online.minibatches) % samples:
        raise ValueError(
            f"each of {distributed.count()} processes gets {own} responses of batch x minibatches; "
            f"make that a multiple of samples ({samples}), so that no group is cut"
        )
