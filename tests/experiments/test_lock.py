"""Two processes never write the folder of one run."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from killed_runs import run
from tiny_runs import TINY

from mstar.experiments.run.lock import locked

HOLDS = """
import sys, time
from pathlib import Path
from mstar.experiments.run.lock import locked

with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


@contextmanager
def other_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked a folder; killed at the end."""
    command = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.send_signal(signal.SIGKILL)


def test_a_second_process_gets_a_sentence_and_a_killed_one_leaves_the_folder_to_the_next(
    model: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    with other_process(out) as process:
        before = sorted(out.rglob("*"))
        with pytest.raises(ValueError, match=f"in use by process {process.pid} on .*--out"):
            run(TINY.replace(model=model), out)
        assert sorted(out.rglob("*")) == before
    with locked(out), pytest.raises(ValueError, match="in use by process"), locked(out):
        pass
    with locked(out):  # and so does one that ends by itself
        pass


def test_a_folder_that_cannot_be_locked_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match=r"cannot write the folder .*--out"),
        locked(tmp_path / "file"),
    ):
        pass
