"""A run that is told to end says how it goes on, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from mstar.experiments.cli import audit
from mstar.experiments.cli import main as cli


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Python's own handling of Ctrl-C, which a shell turns off for what it starts behind it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    left = []

    def train(name: str, arguments: list[str]) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(30)  # a signal that is heard ends it at once
        finally:
            left.append("in order")  # as the display that shows the cursor again

    monkeypatch.setattr(cli, "run_command", train)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["train"]) == code
    assert left == ["in order"]
    assert capsys.readouterr().err == (
        "mstar: stopped; the same command resumes after the last round\n"
    )
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_a_page_is_ended_by_ctrl_c_and_terminated_by_others(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    closed = []

    class Page:
        def close(self, verbose: bool) -> None:
            closed.append(verbose)

    class Event:
        def wait(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(30)  # as above

    monkeypatch.setattr(audit.threading, "Event", Event)
    monkeypatch.setattr(cli, "run_command", lambda *_: audit.serve(Page()))
    assert cli.main(["audit"]) == code
    assert closed == [False]
