"""Fine-tuning by one live TRL trainer: a round is an epoch, and nothing is reset in between."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from logging import getLogger
from pathlib import Path
from typing import Any

import datasets
import torch
from accelerate.utils import release_memory
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from mstar.agents.checkpoint_writer import CheckpointWriter, WritesBehind
from mstar.agents.policy import distributed
from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.head_check import check_head
from mstar.agents.policy.image_tower import run_frozen_towers_without_gradients
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.sharding import prune_no_split_modules
from mstar.agents.policy.turns import continued
from mstar.agents.settings import OptimConfig
from mstar.agents.short_steps import ShortSteps
from mstar.agents.trainer_thread import RoundCallback, TrainerThread
from mstar.agents.types import FinetuneResult, SFTExample

log = getLogger(__name__)


class FineTuner(ShortSteps, WritesBehind, SFTTrainer):
    """TRL's trainer for fine-tuning, with short steps and a writer for its checkpoints."""


class LiveTrainer:
    """An ``SFTTrainer`` whose ``train()`` runs once; each ``fine_tune`` is one epoch of it.

    The trainer runs on a thread of its own and waits at the start of each epoch for that round's
    examples; see ``TrainerThread``. Adam's moments, the learning-rate schedule and the step count
    run through all rounds.

    A row of a batch is the prompt as the sampler encodes it, followed by the example's tokens as
    they are: nothing is rendered or tokenized again, and no end is added to a response that has
    none. The labels are those tokens alone. Held by tests/agents/test_exact_learning.py:
    ``test_the_trainer_learns_the_tokens_that_were_drawn_and_nothing_else``,
    ``test_the_loss_is_the_log_probability_that_sampling_measured`` and
    ``test_learning_its_own_greedy_answers_leaves_them_as_they_are``.

    The trainer fixes its horizon before it starts, so a round has at most as many updates as the
    settings say: fewer examples than updates x batch are repeated, more are cut. ``max_epochs``
    ends a round earlier, in which no example is to be repeated more often.

    Args:
        policy: trained in place.
        optim: updates, batch, learning rate and so on.
        folder: where the trainer writes a checkpoint at the end of each round.
        rounds: the horizon of the learning-rate schedule.
        seed: of the trainer.
        resume: a checkpoint of an earlier round to go on from.
        writer: writes checkpoints while the caller goes on, who then waits for it; None writes
            them before ``fine_tune`` returns.
    """

    def __init__(
        self,
        policy: Policy,
        optim: OptimConfig,
        folder: Path,
        *,
        rounds: int,
        seed: int,
        resume: Path | None = None,
        writer: CheckpointWriter | None = None,
    ) -> None:
        self._policy, self._optim, self._folder = policy, optim, folder
        self._writer = writer
        self._rounds, self._seed, self._resume = rounds, seed, resume
        self._slots = _Slots(policy)
        self._thread: TrainerThread[list[SFTExample], FinetuneResult] = TrainerThread(
            "live-trainer"
        )
        self.trainer: FineTuner | None = None
        # Where a round without a checkpoint to return to begins; on the CPU, where there is room.
        self._first_weights = {} if resume else policy.weights("cpu")

    def fine_tune(
        self, examples: Sequence[SFTExample], newest: Path | None = None
    ) -> FinetuneResult:
        """Train one round on the examples, and write a checkpoint.

        Where memory runs out, the round begins anew with half the micro-batch, with a warning.

        Args:
            examples: to train on.
            newest: the checkpoint of the last round, where the caller keeps it.

        Raises:
            ValueError: no examples.
            MemoryError: there is no smaller micro-batch.
            RuntimeError: all rounds of the horizon are done, or ``close`` was called.
            Exception: whatever the trainer raised.
        """
        if not examples:
            raise ValueError("fine_tune needs at least one example; skip the round instead")
        slots = self._optim.updates * self._optim.batch
        if self._optim.max_epochs:
            updates = math.ceil(self._optim.max_epochs * len(examples) / self._optim.batch)
            slots = min(slots, updates * self._optim.batch)
        filled = [examples[i % len(examples)] for i in range(slots)]
        while True:
            try:
                if not self._thread.started:
                    self._start(filled[0])
                result = self._thread.run(filled)
            except torch.OutOfMemoryError:
                self._restart_smaller(newest or self._resume)
            else:
                self._first_weights = {}
                return replace(result, micro_batch=self._optim.batch // self._optim.passes)

    def close(self) -> None:
        """Let the trainer end; the policy keeps its weights and gets its own forward back."""
        self._thread.close()
        if self.trainer is not None:
            unwrap_forward(self._policy.model)

    def _restart_smaller(self, start: Path | None) -> None:
        """Go back to the start of the round, to train it with half of the micro-batch.

        The gradients of an update are then added up from more passes, and are the same ones.

        Args:
            start: the checkpoint that the round started from; None for this trainer's first round.

        Raises:
            MemoryError: there is no smaller micro-batch, nothing to start from, or other processes
                wait for this one.
        """
        present = self._optim.batch // self._optim.passes
        if present % 2 or distributed.count() > 1 or not (start or self._first_weights):
            raise MemoryError(
                f"out of memory with a micro-batch of {present} responses; give a smaller "
                "--micro-batch that divides the batch, or save memory by --gradient-checkpointing, "
                "--lora-rank or --dtype bfloat16"
            )
        log.warning("out of memory: the micro-batch is now %d responses", present // 2)
        self.close()
        self.trainer, self._thread = None, TrainerThread("live-trainer")
        self._policy.model.zero_grad()
        if start is None:
            self._policy.set_weights(self._first_weights)
        else:
            self._policy.load_weights(start)
        release_memory()
        self._resume = start
        self._optim = replace(self._optim, micro_batch=present // 2)

    def _start(self, first: SFTExample) -> None:
        # A table of slot numbers, whose examples are looked up when a batch is made: the trainer
        # keeps one data set while what is learned changes from round to round.
        slots = self._optim.updates * self._optim.batch
        table = datasets.Dataset.from_dict({"slot": list(range(slots))})
        prune_no_split_modules(self._policy.model)
        run_frozen_towers_without_gradients(self._policy.model)
        self.trainer = FineTuner(
            model=self._policy.model,
            args=self._config(),
            train_dataset=table,
            data_collator=self._slots.batch,
            processing_class=self._policy.processor,
            callbacks=[
                RoundCallback(self._thread, self._slots.fill),
                _EndOfRound(self._slots, self._optim.batch),
            ],
        )
        self.trainer.writer = self._writer
        self.trainer.remove_callback(PrinterCallback)  # the run has its own display
        check_head(self._policy, continued(self._policy, [first.prompt], [first.tokens]))
        trainer, resume = self.trainer, str(self._resume) if self._resume else None
        self._thread.start(
            lambda: trainer.train(resume_from_checkpoint=resume),
            f"all {self._rounds} rounds have been trained",
        )

    def _config(self) -> SFTConfig:
        optim = self._optim
        return SFTConfig(
            output_dir=str(self._folder),
            num_train_epochs=self._rounds,
            per_device_train_batch_size=distributed.part(optim.batch // optim.passes),
            gradient_accumulation_steps=optim.passes,
            optim=optim.optimizer,
            learning_rate=optim.learning_rate,
            lr_scheduler_type=optim.schedule,
            warmup_steps=optim.warmup,
            seed=self._seed,
            bf16=optim.bf16,
            activation_checkpointing=optim.gradient_checkpointing,
            use_cpu=self._policy.model.device.type == "cpu",
            max_length=None,  # cutting through image tokens would break the images
            dataset_kwargs={"skip_prepare_dataset": True},  # batches are made by the collator
            dataloader_pin_memory=False,  # they are on the policy's device already
            remove_unused_columns=False,
            train_sampling_strategy="sequential",  # the examples are shuffled already
            ignore_data_skip=True,  # a resumed round gets its own examples
            save_strategy="epoch",
            logging_strategy="steps",
            logging_steps=1,
            logging_nan_inf_filter=False,  # a loss that is not finite ends the run
            report_to=[],
            disable_tqdm=True,
        )


class _Slots:
    """The examples of a round by slot number, and the collator that makes batches of them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.examples: Sequence[SFTExample] = ()

    def fill(self, examples: list[SFTExample]) -> int:
        """Put a round's examples into the slots; returns how many."""
        self.examples = examples
        return len(examples)

    def batch(self, rows: Sequence[Mapping[str, int]]) -> dict[str, torch.Tensor]:
        """The inputs of a training step on the examples of some slots, with labels."""
        # The loader reads ahead, behind the end of a round that is shorter than it could be.
        examples = [self.examples[row["slot"] % len(self.examples)] for row in rows]
        prompts = [example.prompt for example in examples]
        return continued(self.policy, prompts, [example.tokens for example in examples])


class _EndOfRound(TrainerCallback):
    """Ends the trainer's epoch once a round's examples have been trained on.

    Args:
        slots: the examples of the round.
        batch: of an update.
    """

    def __init__(self, slots: _Slots, batch: int) -> None:
        self._slots, self._batch, self._updates = slots, batch, 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A round begins."""
        self._updates = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count an update, and end the round behind the last."""
        self._updates += 1
        if self._updates * self._batch >= len(self._slots.examples):
            control.should_epoch_stop = True
