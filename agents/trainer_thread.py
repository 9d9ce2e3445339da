"""Two threads that strictly take turns: our loop over rounds, and a trainer's own loop."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


class Turns(Generic[Task, Result]):
    """Hands a round's task to a trainer's thread and its result back; one side always waits.

    TRL's trainers own their loop and ours must own the rounds, so ``train()`` runs on a thread of
    its own and asks for a task at the head of each round.

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
        """Whether the other thread has been started."""
        return self._thread is not None

    def start(self, train: Callable[[], object], ended: str) -> None:
        """Start the other thread.

        Args:
            train: what it runs; calls ``receive`` and ``answer`` in turn.
            ended: what whoever asks for another round is told once `train` has returned.
        """
        self._thread = threading.Thread(
            target=self._run, args=(train, ended), name=self._name, daemon=True
        )
        self._thread.start()

    def ask(self, task: Task) -> Result:
        """Have the other thread do a task, and wait for the result.

        Raises:
            EndedError: there are no more rounds.
            Exception: whatever the trainer raised.
        """
        self._tasks.put(task)
        result = self._results.get()
        if isinstance(result, BaseException):
            self._results.put(result)  # the thread has ended: whoever asks again is told the same
            raise result
        return result

    def close(self) -> None:
        """Let the other thread end at the head of the next round; harmless twice."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()

    def receive(self) -> Task:
        """On the other thread: hand over the last result, and wait for the next task.

        Raises:
            EndedError: there will be none.
        """
        self._hand_over()
        task = self._tasks.get()
        if task is None:
            raise EndedError("this trainer was closed; a new one goes on from its checkpoint")
        return task

    def answer(self, result: Result) -> None:
        """On the other thread: the result of the task; handed over once this thread waits or ends.

        Until then the trainer may still speak with its twins in other processes, and who speaks
        next must be the same in all of them.
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
