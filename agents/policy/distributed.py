"""The processes of a run that ``accelerate launch`` has started; without it there is one.

All processes execute the same code and take the same decisions, so each must call ``gather``,
``agreed``, ``total`` and ``wait`` equally often and in the same order. That also holds on a
trainer's thread, since it and the thread of the round loop strictly alternate.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

Item = TypeVar("Item")

# How long a process waits for the slowest: sampling is uneven, and NCCL's default is 10 minutes.
TIMEOUT = timedelta(hours=2)


def _state() -> PartialState:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    # accelerate connects processes without an accelerator of their own only if `cpu` is set.
    return PartialState(cpu=accelerator is None or accelerator.type == "mps", timeout=TIMEOUT)


def count() -> int:
    """The number of processes."""
    return int(_state().num_processes)


def index() -> int:
    """The number of this process, from 0."""
    return int(_state().process_index)


def is_main() -> bool:
    """Whether this process writes files and prints to the terminal."""
    return bool(_state().is_main_process)


def device() -> torch.device:
    """The device of this process: an accelerator of its own if there is one for each."""
    found: torch.device = _state().device
    return found


def share(items: Sequence[Item]) -> list[Item]:
    """This process's contiguous part of `items`, which may be empty."""
    with _state().split_between_processes(list(items)) as part:
        return list(part)


def gather(items: Sequence[Item]) -> list[Item]:
    """The items of all processes, in the order of the processes, on every process."""
    gathered: list[Item] = gather_object(list(items))
    return gathered


def agreed(value: Item) -> Item:
    """The main process's value, on every process: rounding may make theirs differ."""
    values = [value]
    broadcast_object_list(values)
    return values[0]


def total(*numbers: int) -> list[int]:
    """Each number summed over the processes."""
    return [sum(column) for column in zip(*gather([numbers]), strict=True)]


def part(batch: int, name: str = "batch") -> int:
    """The size of each process's part of a batch.

    Args:
        batch: size of the whole batch.
        name: of the batch, for the error message.

    Raises:
        ValueError: the processes cannot divide it evenly.
    """
    if batch % count():
        raise ValueError(
            f"{name} is {batch}, which {count()} processes cannot divide evenly; give a multiple "
            f"of {count()}, or launch another number of processes"
        )
    return batch // count()


def wait() -> None:
    """Wait until every process has called this."""
    _state().wait_for_everyone()


@atexit.register
def leave() -> None:
    """Leave the process group, at the end of the program."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
