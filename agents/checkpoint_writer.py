"""Write a checkpoint on a thread while the policy is measured, from a copy in host memory.

A round is committed once it has been measured, and ``Agent.finish`` waits for its files before: as
when a trainer writes them itself, a round with a row has whole files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import recursively_apply
from peft import PeftModel
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINING_ARGS_NAME

from mstar.agents.policy import distributed

MEMORY, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # of Linux


class CheckpointWriter:
    """A thread that writes the files of one checkpoint."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoint-writer")
        self._writing: list[tuple[Path, Future[None]]] = []

    def write(self, path: Path, write: Callable[[], None]) -> None:
        """Let the thread call `write`, which writes to a path."""
        self._writing.append((path, self._thread.submit(write)))

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: something could not be; the message names it.
        """
        writing, self._writing = self._writing, []
        for path, each in writing:
            try:
                each.result()
            except Exception as error:
                raise OSError(f"{path} could not be written: {error}") from error

    def abandon(self) -> None:
        """Wait as ``wait`` does, for files that nobody needs: whether they are whole or not."""
        writing, self._writing = self._writing, []
        for _, each in writing:
            each.exception()


class WritesBehind:
    """Makes a trainer leave weights and moments to its ``writer``, if any; the first base class.

    LoRA's factors are small, and written at once. So is everything where several processes gather
    the weights, and where the host has no room for copies.
    """

    writer: CheckpointWriter | None = None

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        trainer: Any = self
        parent: Any = super()
        weights = trainer.model.state_dict() if self._behind() else {}
        if self.writer is None or output_dir is None or not room_for(weights):
            parent._save(output_dir, state_dict)
            return
        self.writer.wait()
        copies, model = on_host(weights), copy.copy(trainer.model)
        model.config = copy.deepcopy(model.config)  # measuring sets values in the other one
        self.writer.write(
            Path(output_dir), lambda: model.save_pretrained(output_dir, state_dict=copies)
        )
        trainer.processing_class.save_pretrained(output_dir)
        torch.save(trainer.args, Path(output_dir) / TRAINING_ARGS_NAME)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        trainer: Any = self
        parent: Any = super()
        moments = trainer.optimizer.state_dict() if self._behind() else {}
        if self.writer is None or not room_for(moments):
            parent._save_optimizer_and_scheduler(output_dir)
            return
        copies, path = on_host(moments), Path(output_dir) / OPTIMIZER_NAME
        self.writer.write(path, lambda: torch.save(copies, path))
        torch.save(trainer.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none, as TRL would into each checkpoint: ``mstar export`` writes a model's card."""

    def _behind(self) -> bool:
        trainer: Any = self
        adapted = isinstance(trainer.model, PeftModel)
        return self.writer is not None and distributed.count() == 1 and not adapted


def on_host(values: Any) -> Any:
    """A copy of nested tensors in host memory; tensors that are one stay one."""
    copies: dict[tuple[int, torch.Size], torch.Tensor] = {}

    def copied(tensor: torch.Tensor) -> torch.Tensor:
        key = tensor.data_ptr(), tensor.shape
        if key not in copies:
            copies[key] = tensor.detach().to("cpu", copy=True)
        return copies[key]

    return recursively_apply(copied, values)


def room_for(values: Any) -> bool:
    """Whether nested tensors, of which there are some, fit into half of the host's free memory."""
    sizes: list[int] = []
    recursively_apply(lambda tensor: sizes.append(tensor.nbytes), values)
    return 0 < 2 * sum(sizes) < free_memory()


def free_memory() -> int:
    """Bytes of host memory that could be taken; 0 where the system does not say.

    A container may have a limit of its own, towards which files that were read count as well.
    """
    lines = MEMORY.read_text().splitlines() if MEMORY.exists() else []
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    available = int(found.split()[1]) * 1024 if found else 0
    most, taken = (CONTAINER / name for name in ("memory.max", "memory.current"))
    if most.exists() and (limit := most.read_text().strip()).isdigit():
        available = min(available, max(0, int(limit) - int(taken.read_text())))
    return available
