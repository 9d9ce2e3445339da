"""Computer algebra in a child process: started ahead of need, killed when slow, never wrong."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mstar.rewards.base import Answer, Attempt
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.verifier import expression
from mstar.rewards.verifier.parsing import symbolic
from mstar.rewards.verifier.parsing.symbolic import (
    WORKER,
    Worker,
    is_harmless,
    same_symbolically,
)
from mstar.rewards.verifier.verify import verify

SEEN_BY_ALGEBRA = Answer("expression", r"\sinh x + 1")


def test_a_formula_starts_the_child_and_a_number_does_not() -> None:
    program = (
        "from mstar.rewards.base import Answer\n"
        "from mstar.rewards.verifier.verify import verify\n"
        "from mstar.rewards.verifier.parsing.symbolic import WORKER\n"
        "verify('Answer: 7', Answer('number', '7'))\n"
        "print(WORKER.process_id)\n"
        "verify('Answer: x', Answer('expression', 'x'))\n"
        "print(WORKER.process_id)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    before, after = said.stdout.split()
    assert before == "None"
    with pytest.raises(ProcessLookupError):  # it was started, and ended with its parent
        os.kill(int(after), 0)


def test_a_child_that_is_there_is_not_started_again() -> None:
    WORKER.prepare()
    first = WORKER.process_id
    assert first is not None
    WORKER.prepare()
    assert WORKER.process_id == first
    assert WORKER.ask("x", "x") is True
    assert WORKER.process_id == first


def test_expensive_notation_is_not_sent_to_computer_algebra() -> None:
    harmful = [r"9^{9^{9}}", r"\sum_{k=1}^{9} k", r"\int x dx", "9" * 50, "20!", "x" * 300, "(" * 9]
    assert [text for text in harmful if is_harmless(text)] == []
    assert is_harmless(r"\frac{\sinh(x)}{2}")
    before = WORKER.process_id
    assert same_symbolically("x", r"\sum_{k=1}^{9} k") is False
    assert same_symbolically(r"\sum_{k=1}^{9} k", "x") is None
    assert WORKER.process_id == before


def test_a_slow_child_is_killed_and_those_asked_next_get_their_verdicts() -> None:
    assert WORKER.ask(r"\sinh x", r"\sinh(x)") is True
    assert WORKER.ask(r"\sinh x", r"\cosh x") is False
    first = WORKER.process_id
    assert first is not None
    assert WORKER.ask("9^{9^{9^{9}}}", "18") is None  # ends by its own limit on processor time
    right = [WORKER.ask(r"\sinh x", rf"\sinh(x) + {turn} - {turn}") for turn in range(1, 5)]
    assert right == [True] * 4
    second = WORKER.process_id
    assert second not in (None, first)
    os.kill(second or 0, signal.SIGKILL)
    assert WORKER.ask(r"\sinh x", r"\sinh(x)", deadline=0.0) is None
    third = verify(r"\boxed{\sinh(x) + 1}", SEEN_BY_ALGEBRA)
    assert third.correct
    assert third.valid


def test_a_child_that_keeps_dying_abstains_and_never_says_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script, dying = tmp_path / "dying.py", Worker()
    script.write_text("print('ready', flush=True)\ninput()\n")
    monkeypatch.setattr(symbolic, "_CHILD", script)
    for module in (symbolic, expression):
        monkeypatch.setattr(module, "WORKER", dying)
    response = r"\boxed{\sinh(x) + 2 - 1}"
    verdict = verify(response, SEEN_BY_ALGEBRA)
    assert (verdict.correct, verdict.valid, verdict.confidence) == (False, False, 0.0)
    attempts = [
        Attempt("?", response, SEEN_BY_ALGEBRA),
        Attempt("?", "Answer: 7", Answer("number", "7")),
    ]
    np.testing.assert_array_equal(Correctness().score(attempts), np.array([np.nan, 1], np.float32))
    dying.stop()
    monkeypatch.undo()
    assert verify(response, SEEN_BY_ALGEBRA).correct  # it was not remembered as wrong


def test_many_threads_share_one_child() -> None:
    answer = Answer("expression", r"\cosh x")

    def asks(turn: int) -> tuple[bool, bool]:
        right = verify(rf"\boxed{{\cosh(x) + {turn} - {turn}}}", answer)
        wrong = verify(rf"\boxed{{\cosh(x) + {turn}}}", answer)
        return right.correct, wrong.correct

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(asks, range(1, 17))) == {(True, False)}


def _in_another_process(queue: Any) -> None:
    said = [r"\boxed{\sinh(x) + 1}", r"\boxed{1 + \sinh x}", r"\boxed{\cosh x + 1}"]
    plain = verify("Answer: 18", Answer("number", "18"))
    right = [verify(each, SEEN_BY_ALGEBRA).correct for each in said]
    queue.put((right, plain.correct, WORKER.process_id))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_is_started_while_algebra_is_busy_starts_its_own_child(method: str) -> None:
    assert WORKER.ask(r"\sinh x", r"\sinh(x)") is True
    ours = WORKER.process_id
    busy = threading.Thread(target=WORKER.ask, args=(r"\sinh x", r"\sinh(x) + 0"))
    busy.start()  # holds the lock while the process is made
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=_in_another_process, args=(queue,))
    process.start()
    right, plain, theirs = queue.get()
    process.join()
    busy.join()
    assert (right, plain) == ([True, True, False], True)
    assert theirs not in (None, ours)
    assert WORKER.process_id == ours
    assert WORKER.ask(r"\sinh x", r"\sinh(x)") is True
