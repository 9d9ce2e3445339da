"""Fine-tuning by one live TRL trainer: a round is an epoch, and nothing is reset between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import datasets
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from mstar.agents.config import Schedule
from mstar.agents.policy import distributed
from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.sharding import prepare_for_round, prune_no_split_modules
from mstar.agents.sampling.base import Prompt
from mstar.agents.trainer_thread import Task, Turns


@dataclass(frozen=True, slots=True)
class Lesson:
    """One response to learn from, with the prompt that it answers."""

    prompt: Prompt
    response: str


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a round is fine-tuned.

    Attributes:
        rounds: the horizon of the learning-rate schedule, in rounds.
        updates: optimizer updates of a round.
        batch: lessons of an update.
        learning_rate: after warm-up.
        schedule: of the learning rate, by its name in transformers.
        warmup: updates of linear warm-up.
        seed: of the trainer.
        bf16: train in bfloat16 autocast.
        gradient_checkpointing: save memory, spend time.
    """

    rounds: int
    updates: int
    batch: int
    learning_rate: float
    schedule: Schedule
    warmup: int
    seed: int
    bf16: bool = False
    gradient_checkpointing: bool = False


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a round of fine-tuning did.

    Attributes:
        loss: mean over the round's updates.
        updates: of the optimizer since the start.
        learning_rate: after the last of them.
        lessons: responses that the round trained on, each as often as it was seen.
        checkpoint: the folder with weights, optimizer and schedule.
        scored: responses that were read once more without training, each as often as it was.
    """

    loss: float
    updates: int
    learning_rate: float
    lessons: int
    checkpoint: Path
    scored: int = 0


class LiveTrainer:
    """An ``SFTTrainer`` whose ``train()`` runs once; each ``fine_tune`` is one epoch of it.

    TRL's trainer owns its loop and ours must own the rounds, so the trainer runs on a thread of its
    own and waits at the head of each epoch for that round's lessons. The two threads strictly take
    turns. Adam's moments, the learning-rate schedule and the step count run through all rounds.

    The number of updates a round is fixed, since the trainer fixes its horizon before it starts:
    fewer lessons than slots are repeated, more are cut.

    Args:
        policy: trained in place.
        tuning: how.
        folder: where the trainer writes a checkpoint at the end of each round.
        resume: a checkpoint of an earlier round to go on from.
    """

    def __init__(
        self, policy: Policy, tuning: Tuning, folder: Path, resume: Path | None = None
    ) -> None:
        self._pool = _Pool(policy)
        self._tuning = tuning
        self._turns: Turns[list[Lesson], Tuned] = Turns("live-trainer")
        self._policy, self._folder, self._resume = policy, folder, resume
        self.trainer: SFTTrainer | None = None

    def fine_tune(self, lessons: Sequence[Lesson]) -> Tuned:
        """Train one round on the lessons, and write a checkpoint.

        Raises:
            ValueError: no lessons.
            RuntimeError: all rounds of the horizon are done, or ``close`` was called.
            Exception: whatever the trainer raised.
        """
        if not lessons:
            raise ValueError("fine_tune needs at least one lesson; skip the round instead")
        slots = self._tuning.updates * self._tuning.batch
        filled = [lessons[i % len(lessons)] for i in range(slots)]
        if not self._turns.started:
            self._start(filled)
        return self._turns.ask(filled)

    def close(self) -> None:
        """Let the trainer end; the policy keeps its weights and gets its own forward back."""
        self._turns.close()
        if self.trainer is not None:
            unwrap_forward(self._policy.model)

    def _start(self, first: list[Lesson]) -> None:
        self._pool.lessons = first  # the trainer looks into a row to see that there are images
        # A table of slot numbers whose rows are looked up when a batch is made: the trainer keeps
        # one data set while its content changes from round to round.
        table = datasets.Dataset.from_dict({"slot": list(range(len(first)))})
        table.set_transform(self._pool)
        prune_no_split_modules(self._policy.model)
        self.trainer = SFTTrainer(
            model=self._policy.model,
            args=self._config(),
            train_dataset=table,
            processing_class=self._policy.processor,
            callbacks=[Rounds(self._turns, self._pool.hold)],
        )
        self.trainer.remove_callback(PrinterCallback)  # the run has its own display
        trainer, resume = self.trainer, str(self._resume) if self._resume else None
        self._turns.start(
            lambda: trainer.train(resume_from_checkpoint=resume),
            f"all {self._tuning.rounds} rounds have been trained",
        )

    def _config(self) -> SFTConfig:
        tuning = self._tuning
        return SFTConfig(
            output_dir=str(self._folder),
            num_train_epochs=tuning.rounds,
            per_device_train_batch_size=distributed.part(tuning.batch),
            learning_rate=tuning.learning_rate,
            lr_scheduler_type=tuning.schedule,
            warmup_steps=tuning.warmup,
            seed=tuning.seed,
            bf16=tuning.bf16,
            activation_checkpointing=tuning.gradient_checkpointing,
            use_cpu=self._policy.model.device.type == "cpu",
            max_length=None,  # cutting through image tokens would break the pictures
            remove_unused_columns=False,
            train_sampling_strategy="sequential",  # the selection has mixed the lessons already
            ignore_data_skip=True,  # a resumed round gets its own lessons
            save_strategy="epoch",
            logging_strategy="steps",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
        )


class _Pool:
    """Looks up the lessons of slot numbers, as the rows that TRL's vision collator takes."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lessons: list[Lesson] = []

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        lessons = [self.lessons[slot] for slot in batch["slot"]]
        return {
            "prompt": [
                [{"role": "user", "content": self.policy.plain(lesson.prompt.text)}]
                for lesson in lessons
            ],
            "completion": [
                [{"role": "assistant", "content": self.policy.plain(lesson.response)}]
                for lesson in lessons
            ],
            "images": [list(lesson.prompt.images) for lesson in lessons],
        }

    def hold(self, lessons: list[Lesson]) -> int:
        """Put a round's lessons into the slots."""
        self.lessons = lessons
        return len(lessons)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # data sets hash a transform to name a cache; this one has none


class Rounds(TrainerCallback, Generic[Task]):
    """Hands the turn over: a task in at the head of an epoch, the result out after its checkpoint.

    Args:
        turns: with the loop.
        begin: makes a task the present one; returns how many responses the round trains on.
    """

    def __init__(self, turns: Turns[Task, Tuned], begin: Callable[[Task], int]) -> None:
        self._turns, self._begin = turns, begin
        self._losses: list[float] = []
        self._lessons = 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Wait for the round's task."""
        self._lessons = self._begin(self._turns.receive())
        self._losses.clear()
        parts["model"].train()
        prepare_for_round(parts["model"])

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Take note of a loss."""
        if logs and "loss" in logs:
            self._losses.append(float(logs["loss"]))

    def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """The round is over, and its checkpoint written."""
        self._turns.answer(
            Tuned(
                loss=sum(self._losses) / max(1, len(self._losses)),
                updates=state.global_step,
                learning_rate=float(parts["lr_scheduler"].get_last_lr()[0]),
                lessons=self._lessons,
                checkpoint=Path(args.output_dir) / f"checkpoint-{state.global_step}",
            )
        )
