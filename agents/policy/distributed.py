"""The processes of one run, as ``accelerate launch`` starts them; without it there is one.

All of them run the same lines: what each decides, all decide. So they must come to ``gather``,
``agreed``, ``total`` and ``wait`` equally often and in the same order. On a trainer's thread that
holds too, since it and the thread of our loop strictly take turns.
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

# How long a process waits for the slowest: sampling is uneven, and 10 minutes are NCCL's default.
PATIENCE = timedelta(hours=2)


def _state() -> PartialState:
    found = torch.accelerator.current_accelerator(check_available=True)
    # Only if it is told of the CPU does accelerate join processes that have no GPU of their own.
    return PartialState(cpu=found is None or found.type == "mps", timeout=PATIENCE)


def count() -> int:
    """How many processes there are."""
    return int(_state().num_processes)


def is_main() -> bool:
    """Whether this is the one that writes files and talks to the terminal."""
    return bool(_state().is_main_process)


def device() -> torch.device:
    """The device of this process: an accelerator of its own where there is one for each."""
    found: torch.device = _state().device
    return found


def share(items: Sequence[Item]) -> list[Item]:
    """This process's part of `items`: a stretch of them, which may be empty."""
    with _state().split_between_processes(list(items)) as part:
        return list(part)


def gather(items: Sequence[Item]) -> list[Item]:
    """The items of all processes, in the order of the processes, on each of them."""
    gathered: list[Item] = gather_object(list(items))
    return gathered


def agreed(value: Item) -> Item:
    """The main process's value: of what each has computed, where the last bits may decide."""
    held = [value]
    broadcast_object_list(held)
    return held[0]


def total(*numbers: int) -> list[int]:
    """Each number summed over the processes."""
    return [sum(column) for column in zip(*gather([numbers]), strict=True)]


def part(batch: int, name: str = "batch") -> int:
    """How much of a batch each process trains on, so that all together train on the batch.

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
    """Go on once every process has come here."""
    _state().wait_for_everyone()


@atexit.register
def leave() -> None:
    """Part from the other processes, at the end of the program."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
