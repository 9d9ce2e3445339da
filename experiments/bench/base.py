"""What every benchmark of ``mstar bench`` has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mstar.experiments.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench(ABC):
    """A benchmark: its fields are its options, and its docstring is their help.

    Attributes:
        json: print each row as JSON.
    """

    json: bool = False

    @abstractmethod
    def measure(self, say: Callable[[str], None]) -> Iterable[Row]:
        """Measure, and return or yield a row of figures for each case.

        Args:
            say: is told what a long benchmark has done so far.

        Raises:
            ValueError: an option that cannot be used.
        """
