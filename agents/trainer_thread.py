"""A trainer's own loop on its own thread, handed one task per round by our loop over rounds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from transformers import TrainerCallback

from mstar.agents.policy.sharding import are_finite, prepare_for_round
from mstar.agents.types import FinetuneResult

Task = TypeVar("Task")
Result = TypeVar("Result")


class TrainerThread(Generic[Task, Result]):
    """Hands a round's task to a trainer's thread and takes its result; one side always waits.

    TRL's trainers own their loop and ours must own the rounds, so ``train()`` runs on a thread of
    its own and asks for a task at the start of each round.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
        self._held: list[Result] = []
        self._torch_threads = torch.get_num_threads()
        self._accelerator: int | None = None
        if torch.accelerator.is_available():
            self._accelerator = torch.accelerator.current_device_index()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether the thread has been started."""
        return self._thread is not None

    def start(self, train: Callable[[], object], ended: str) -> None:
        """Start the thread.

        Args:
            train: what it runs; calls ``receive`` and ``reply`` in turn.
            ended: the message of the error that ``run`` raises once `train` has returned.
        """
        self._thread = threading.Thread(
            target=self._run, args=(train, ended), name=self._name, daemon=True
        )
        self._thread.start()

    def run(self, task: Task) -> Result:
        """Have the trainer do a task, and wait for the result.

        Raises:
            EndedError: there are no more rounds.
            Exception: whatever the trainer raised.
        """
        self._tasks.put(task)
        result = self._results.get()
        if isinstance(result, BaseException):
            self._results.put(result)  # the thread has ended: further calls raise the same
            raise result
        return result

    def close(self) -> None:
        """Let the thread end at the start of the next round; a second call does nothing."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()

    def receive(self) -> Task:
        """On the trainer's thread: hand over the last result, and wait for the next task.

        Raises:
            EndedError: there will be none.
        """
        self._hand_over()
        task = self._tasks.get()
        if task is None:
            raise EndedError("this trainer was closed; a new one resumes from its checkpoint")
        return task

    def reply(self, result: Result) -> None:
        """On the trainer's thread: the result of the task.

        It is handed over only once this thread waits or ends: until then the trainer may still
        communicate with its other processes, and the order of that must be the same in all of them.
        """
        self._held = [result]

    def _hand_over(self) -> None:
        for result in self._held:
            self._results.put(result)
        self._held = []

    def _run(self, train: Callable[[], object], ended: str) -> None:
        # OpenMP and CUDA keep these per thread, and a new thread would take the first accelerator.
        torch.set_num_threads(self._torch_threads)
        if self._accelerator is not None:
            torch.accelerator.set_device_index(self._accelerator)
        try:
            train()
            self._hand_over()
            self._results.put(EndedError(ended))
        except BaseException as error:
            self._results.put(error)


class EndedError(RuntimeError):
    """No more rounds: the horizon is reached, or the trainer was closed between two of them."""


class RoundCallback(TrainerCallback, Generic[Task]):
    """Makes a round of a trainer's epoch: a task in at its start, the result out at its checkpoint.

    Args:
        thread: that the trainer runs on.
        begin: makes a task the present one; returns how many responses the round trains on.
    """

    def __init__(
        self, thread: TrainerThread[Task, FinetuneResult], begin: Callable[[Task], int]
    ) -> None:
        self._thread, self._begin = thread, begin
        self._losses: list[float] = []
        self._examples = 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Wait for the round's task."""
        self._examples = self._begin(self._thread.receive())
        self._losses.clear()
        state.log_history.clear()  # it is written with every checkpoint, and would grow for ever
        parts["model"].train()
        prepare_for_round(parts["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Check the weights after an update.

        Raises:
            FloatingPointError: some are not finite.
        """
        groups = parts["optimizer"].param_groups
        if not are_finite(weight for group in groups for weight in group["params"]):
            raise FloatingPointError(f"weights are not finite after update {state.global_step}")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep a loss.

        Raises:
            FloatingPointError: it is not finite.
        """
        if logs and "loss" in logs:
            loss = float(logs["loss"])
            if not isfinite(loss):
                raise FloatingPointError(f"the loss of update {state.global_step} is {loss}")
            self._losses.append(loss)

    def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Reply with the result of the round, whose checkpoint is written."""
        self._thread.reply(
            FinetuneResult(
                loss=sum(self._losses) / max(1, len(self._losses)),
                updates=state.global_step,
                learning_rate=float(parts["lr_scheduler"].get_last_lr()[0]),
                examples=self._examples,
                checkpoint=Path(args.output_dir) / f"checkpoint-{state.global_step}",
            )
        )
