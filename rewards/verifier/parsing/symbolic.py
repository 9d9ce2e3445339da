"""Computer algebra in a child process that is killed when it takes too long.

math-verify and sympy can run for ever, use all memory, and can't be stopped from a thread. So a
persistent child process runs them: one request at a time under a lock, with limits on memory and
time, and a deadline that the parent enforces. A request that is not answered in time is
undecided, never wrong; the child is killed and started again for the next one.

The imports of the child take about a second, so it is started ahead of need: when the first
reference answer with a formula is read, which the audit does before training. A process that reads
none never starts it.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import re
import select
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from time import monotonic

from mstar.rewards.verifier.parsing.latex import LETTER_NAMES
from mstar.rewards.verifier.parsing.vocabulary import listed

DEADLINE = 10.0  # seconds; the child's own limit on processor time is lower
START_DEADLINE = 60.0  # seconds for the imports of a new child
_CHILD = Path(__file__).with_name("symbolic_child.py")  # as a file: it imports none of our rooms
LONGEST = 200  # characters of each side
_COMMANDS_OF = str.maketrans(LETTER_NAMES)
_COMMANDS = re.compile(r"\\([a-zA-Z]+)")
_HARMLESS = listed(
    """frac sqrt sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp alpha beta
    gamma delta epsilon varepsilon zeta eta theta vartheta lambda mu nu xi rho sigma tau phi varphi
    chi psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega overline bar hat vec"""
)
_EXPONENT = re.compile(r"\^\{?[-+(]*[^\s{}()+*/-]*\^|\^\{?-?\d{3}|\d{40}|![^=]|!$")
_ALLOWED = re.compile(r"[a-zA-Z0-9\\\s{}()\[\]+*/^_.,=π|-]+")


class Worker:
    """The child process, its pipes, and the lock that lets one request through at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._owner = 0  # process id of the process that started the child

    def prepare(self) -> None:
        """Start the child, if there is none, without waiting until its imports are done.

        The processes of a pool start theirs only when they need it.
        """
        if self._child is not None or multiprocessing.parent_process() is not None:
            return
        if self._lock.acquire(blocking=False):  # else another thread is starting it
            try:
                self._running()
            finally:
                self._lock.release()

    def ask(self, reference: str, predicted: str, deadline: float = DEADLINE) -> bool | None:
        """Whether two formulas are equal; None if that was not decided in time."""
        with self._lock:
            child = self._started()
            if child is None:
                return None
            reply = None
            if _sent(child, json.dumps([reference, predicted]).encode() + b"\n"):
                reply = _reply(child, deadline)
            if not reply:
                self.stop()
                self._running()  # restart now, so that its imports are done by the next request
            return {b"1": True, b"0": False}.get(reply or b"")

    def stop(self) -> None:
        """Kill the child, if it is ours, and wait until it is gone."""
        child, self._child, self._ready = self._child, None, False
        if child is not None and self._owner == os.getpid():
            child.kill()
            child.communicate()

    @property
    def process_id(self) -> int | None:
        """The child's process id; None if there is no child."""
        return self._child.pid if self._child is not None else None

    def after_fork(self) -> None:
        """Start without child and lock in a forked process: they belong to its parent."""
        if self._child is not None:
            for pipe in (self._child.stdin, self._child.stdout):
                assert pipe is not None
                pipe.close()
            self._child.returncode = 0  # not a child of this process: don't wait for it
        self.__init__()  # type: ignore[misc]

    def _started(self) -> subprocess.Popen[bytes] | None:
        """The child once it is ready; None if it is still starting."""
        for _ in range(2):  # a child that died before the first request is replaced once
            child = self._running()
            greeting = b"ready" if self._ready else _reply(child, START_DEADLINE)
            self._ready = greeting == b"ready"
            if self._ready or greeting is None:
                return child if self._ready else None
            self.stop()
        return None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.stop()
            self._owner = os.getpid()
            self._child = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._child


def _sent(child: subprocess.Popen[bytes], line: bytes) -> bool:
    assert child.stdin is not None
    try:
        child.stdin.write(line)  # far smaller than a pipe's buffer, so it doesn't block
    except OSError:
        return False
    return True


def _reply(child: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The child's next line; empty if it died, None if time ran out."""
    assert child.stdout is not None
    ends = monotonic() + deadline
    line = b""
    while not line.endswith(b"\n"):
        left = ends - monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            return None
        got = os.read(child.stdout.fileno(), 64)
        if not got:
            return b""
        line += got
    return line.strip()


WORKER = Worker()
atexit.register(WORKER.stop)
os.register_at_fork(after_in_child=WORKER.after_fork)


def same_symbolically(reference: str, predicted: str) -> bool | None:
    """Whether computer algebra calls two formulas equal; None where it could not decide.

    Expensive notation is not evaluated: long text, towers of powers, sums, integrals, limits,
    factorials and unknown commands make the result None in the reference, False elsewhere.
    """
    reference, predicted = reference.translate(_COMMANDS_OF), predicted.translate(_COMMANDS_OF)
    if not is_harmless(predicted):
        return None if not is_harmless(reference) else False
    return _cached(reference, predicted) if is_harmless(reference) else None


def is_harmless(text: str) -> bool:
    """Whether a formula is free of notation that can make computer algebra run for ever."""
    return (
        len(text) <= LONGEST
        and _ALLOWED.fullmatch(text) is not None
        and _HARMLESS.issuperset(_COMMANDS.findall(text))
        and _EXPONENT.search(text) is None
        and max(_depths(text)) <= 8
    )


def _depths(text: str) -> list[int]:
    depth, depths = 0, [0]
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        depths.append(depth)
    return depths


class _UndecidedError(Exception):
    """Raised so that an undecided comparison is not cached."""


def _cached(reference: str, predicted: str) -> bool | None:
    try:
        return _decided(reference, predicted)
    except _UndecidedError:
        return None


@lru_cache(maxsize=4096)
def _decided(reference: str, predicted: str) -> bool:
    same = WORKER.ask(reference, predicted)
    if same is None:
        raise _UndecidedError
    return same
