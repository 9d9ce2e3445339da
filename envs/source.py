"""Where problems come from: anything that names the problem at an index of a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Split

FAMILY_ID = re.compile(r"(\w+)-v(\d+)/(train|validation|test)/L(\d)/(\d+)/(\d+)")


class ProblemSource(Protocol):
    """Deals out problems by number; a ``Family`` is one, a data set is one."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        ...

    @property
    def size(self) -> int | None:
        """The indices below it show every problem of a split; None where there is no end."""
        ...

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed in a split: always the same one."""
        ...


class Mixture:
    """Several sources in turn: index i is number i // n of source i % n, so all weigh the same.

    Args:
        sources: one or more.
    """

    name = "Mixture"

    def __init__(self, sources: Sequence[ProblemSource]) -> None:
        if not sources:
            raise ValueError("a mixture needs at least one source, got none")
        self.sources = tuple(sources)

    @property
    def size(self) -> int | None:
        """As of the largest source, times their number; None where any has no end."""
        sizes = [source.size for source in self.sources]
        known = [size for size in sizes if size is not None]
        return max(known) * len(sizes) if len(known) == len(sizes) else None

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed in a split: always the same one."""
        number, which = divmod(index, len(self.sources))
        return self.sources[which].problem(split, seed, number)


class Pool:
    """The first problems of a source, over and over: behind the last comes the first again.

    Args:
        source: where they come from.
        size: how many, 1 or more.
    """

    def __init__(self, source: ProblemSource, size: int) -> None:
        if size < 1:
            raise ValueError(f"a pool needs at least one problem, got size {size}")
        self.source, self._size = source, size

    @property
    def name(self) -> str:
        """As of the source."""
        return self.source.name

    @property
    def size(self) -> int:
        """How many there are; fewer where the source ends before."""
        return min(self._size, self.source.size or self._size)

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index`, modulo the size, of a seed in a split."""
        return self.source.problem(split, seed, index % self._size)


class View:
    """The problems of a source, each put another way by a function of it alone.

    Args:
        source: where they come from.
        change: puts a problem another way; it keeps the id.
    """

    def __init__(self, source: ProblemSource, change: Callable[[Problem], Problem]) -> None:
        self.source, self.change = source, change

    @property
    def name(self) -> str:
        """As of the source."""
        return self.source.name

    @property
    def size(self) -> int | None:
        """As of the source."""
        return self.source.size

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed in a split: always the same one."""
        return self.change(self.source.problem(split, seed, index))


def find(source: ProblemSource, split: Split, problem_id: str) -> Problem:
    """The problem of an id.

    The id of a family's problem says how to draw it, so it is found whatever the source and the
    split; a stored problem is looked for in the split of a source with an end.

    Raises:
        ValueError: there is no such problem, or its family has gone on to another version.
    """
    if isinstance(source, View):
        return source.change(find(source.source, split, problem_id))
    if isinstance(source, Pool):
        return find(source.source, split, problem_id)
    parts = FAMILY_ID.fullmatch(problem_id)
    if parts is not None and parts[1] in FAMILIES:
        family = FAMILIES[parts[1]](int(parts[4]))
        if family.version != int(parts[2]):
            raise ValueError(f"{problem_id} is gone: {family.name} is at version {family.version}")
        asked: Split = parts[3]  # type: ignore[assignment]  # the pattern admits splits only
        return family.problem(asked, int(parts[5]), int(parts[6]))
    for member in source.sources if isinstance(source, Mixture) else (source,):
        for index in range(member.size or 0):
            problem = member.problem(split, 0, index)
            if problem.id == problem_id:
                return problem
    raise ValueError(
        f"no problem {problem_id!r} in split {split!r} of {source.name}; "
        "ids are info['problem_id'], such as BarChart-v0/train/L1/7/42"
    )
