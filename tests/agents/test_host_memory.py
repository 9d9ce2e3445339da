"""What was freed goes back to the system."""

from __future__ import annotations

import platform
import sys
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from mstar.agents import agent, host_memory
from mstar.agents.host_memory import give_back

MIB = 2**20


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="for glibc's allocator"
)
def test_what_a_thread_has_freed_goes_back() -> None:
    kept: list[bytearray] = []

    def fill() -> None:
        blocks = [bytearray(MIB // 16) for _ in range(64 * 16)]
        kept.append(blocks[-1])  # the end of the heap stays, below which glibc keeps the rest

    thread = Thread(target=fill)
    thread.start()
    thread.join()
    before = resident()
    give_back()
    assert resident() < before - 32 * MIB
    assert kept


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells")
def test_another_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    host_memory._glibc.cache_clear()
    give_back()
    assert host_memory._glibc() is None
    host_memory._glibc.cache_clear()


def test_each_stage_of_a_round_gives_back_what_it_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(agent, "give_back", lambda: given.append("back"))
    timed: Any = SimpleNamespace(_seconds={}, _clock=0.0)
    for stage in ("sample and judge", "fine-tune"):
        agent.Agent.end_stage(timed, stage)
    assert given == ["back", "back"]
    assert list(timed._seconds) == ["sample and judge", "fine-tune"]


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return 1024 * int(line.split()[1])
