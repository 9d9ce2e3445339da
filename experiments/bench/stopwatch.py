"""Where the time of a program goes, by the calls that it makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch


class Stopwatch:
    """Seconds of wall time by part; what runs inside an inner part counts for that one alone.

    An accelerator is waited for where a part begins and ends. Threads may take turns, but not run
    at the same time.

    Attributes:
        seconds: of each part so far.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what runs inside for a part."""
        self._switch()
        self._open.append(name)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    @contextmanager
    def calls(self, name: str, owner: Any, function: str) -> Iterator[None]:
        """While this is open, count calls of a function of a class or module for a part."""
        plain = getattr(owner, function)

        def timed(*given: Any, **named: Any) -> Any:
            with self.part(name):
                return plain(*given, **named)

        setattr(owner, function, timed)
        try:
            yield
        finally:
            setattr(owner, function, plain)

    def _switch(self) -> None:
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        now = perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now
