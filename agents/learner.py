"""Fine-tuning by one live TRL trainer: a round is an epoch, and nothing is reset between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from mstar.agents.policy import Policy
from mstar.agents.recipe import Schedule
from mstar.agents.sampler import Prompt


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
    """What a round of fine-tuning did: mean loss, updates since the start, learning rate now."""

    loss: float
    updates: int
    learning_rate: float
    checkpoint: Path


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
        self._lessons: queue.SimpleQueue[list[Lesson] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Tuned | BaseException] = queue.SimpleQueue()
        self._policy, self._folder, self._resume = policy, folder, resume
        self._threads = torch.get_num_threads()
        self._thread: threading.Thread | None = None
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
        if self._thread is None:
            self._start(filled)
        self._lessons.put(filled)
        result = self._results.get()
        if isinstance(result, BaseException):
            self._results.put(result)  # the thread has ended: whoever asks again is told the same
            raise result
        return result

    def close(self) -> None:
        """Let the trainer end; the policy keeps its weights."""
        if self._thread is not None:
            self._lessons.put(None)
            self._thread.join()

    def _start(self, first: list[Lesson]) -> None:
        self._pool.lessons = first  # the trainer looks into a row to see that there are images
        # A table of slot numbers whose rows are looked up when a batch is made: the trainer keeps
        # one data set while its content changes from round to round.
        table = datasets.Dataset.from_dict({"slot": list(range(len(first)))})
        table.set_transform(self._pool)
        self.trainer = SFTTrainer(
            model=self._policy.model,
            args=self._config(),
            train_dataset=table,
            processing_class=self._policy.processor,
            callbacks=[_Rounds(self)],
        )
        self.trainer.remove_callback(PrinterCallback)  # the run has its own display
        self._thread = threading.Thread(target=self._run, name="live-trainer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        torch.set_num_threads(self._threads)  # OpenMP keeps this per thread
        try:
            assert self.trainer is not None
            self.trainer.train(resume_from_checkpoint=str(self._resume) if self._resume else None)
            self._results.put(_EndedError(f"all {self._tuning.rounds} rounds have been trained"))
        except BaseException as error:
            self._results.put(error)

    def _config(self) -> SFTConfig:
        tuning = self._tuning
        return SFTConfig(
            output_dir=str(self._folder),
            num_train_epochs=tuning.rounds,
            per_device_train_batch_size=tuning.batch,
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

    def __getstate__(self) -> dict[str, Any]:
        return {}  # data sets hash a transform to name a cache; this one has none


class _Rounds(TrainerCallback):
    """Hands the turn over: lessons in at the head of an epoch, results out after its checkpoint."""

    def __init__(self, live: LiveTrainer) -> None:
        self._live = live
        self._losses: list[float] = []

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer, lessons = self._live.trainer, self._live._lessons.get()
        assert trainer is not None
        if lessons is None:
            raise _EndedError("this trainer was closed; a new one goes on from its checkpoint")
        self._live._pool.lessons = lessons
        self._losses.clear()
        trainer.model.train()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self._losses.append(float(logs["loss"]))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer = self._live.trainer
        assert trainer is not None
        self._live._results.put(
            Tuned(
                loss=sum(self._losses) / max(1, len(self._losses)),
                updates=state.global_step,
                learning_rate=float(trainer.lr_scheduler.get_last_lr()[0]),
                checkpoint=Path(args.output_dir) / f"checkpoint-{state.global_step}",
            )
        )


class _EndedError(RuntimeError):
    """No more rounds: the horizon is reached, or the trainer was closed between two of them."""
