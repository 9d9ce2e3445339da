"""A run that is told to end says how it goes on, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal

import pytest

from mstar.experiments.cli import main as cli


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    left = []

    def train(_: list[str]) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            left.append("in order")  # as the display that shows the cursor again

    monkeypatch.setitem(cli.COMMANDS, "train", train)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["train"]) == code
    assert left == ["in order"]
    assert capsys.readouterr().err == (
        "mstar: stopped; the same command resumes after the last round\n"
    )
    assert signal.getsignal(signal.SIGTERM) == before
