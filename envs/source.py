"""Sources of problems: the protocol, and sources made of other sources.

A source returns the problem at an index of a split and a seed. ``Family`` and ``DatasetSource`` are
sources; ``Mixture``, ``Subset``, ``Listed`` and ``MappedSource`` combine or change sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mstar.envs.families.catalog import FAMILIES, family_called
from mstar.envs.problem import Problem, Split

FAMILY_PROBLEM_ID = re.compile(r"(\w+)-v(\d+)/(train|validation|test)/L(\d)/(\d+)/(\d+)")


class ProblemSource(Protocol):
    """Anything that returns problems by index."""

    @property
    def name(self) -> str:
        """The name in reports."""
        ...

    @property
    def size(self) -> int | None:
        """Number of indices that cover every problem of a split; None if unlimited."""
        ...

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index` of a seed in a split; the same arguments give the same problem."""
        ...


class Mixture:
    """Several sources in turn, in equal parts: index i is index i // n of source i % n.

    Args:
        sources: one or more.

    Raises:
        ValueError: no source is given.
    """

    name = "Mixture"

    def __init__(self, sources: Sequence[ProblemSource]) -> None:
        if not sources:
            raise ValueError("a mixture needs at least one source, got none")
        self.sources = tuple(sources)

    @property
    def size(self) -> int | None:
        """The largest source's size times the number of sources; None if any is unlimited."""
        sizes = [source.size for source in self.sources]
        known = [size for size in sizes if size is not None]
        return max(known) * len(sizes) if len(known) == len(sizes) else None

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index` of a seed in a split."""
        number, which = divmod(index, len(self.sources))
        return self.sources[which].problem(split, seed, number)


class Subset:
    """The first problems of a source, repeated in a cycle.

    Args:
        source: where the problems come from.
        size: how many, 1 or more.

    Raises:
        ValueError: `size` is below 1.
    """

    def __init__(self, source: ProblemSource, size: int) -> None:
        if size < 1:
            raise ValueError(f"a subset needs at least one problem, got size {size}")
        self.source, self._size = source, size

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def size(self) -> int:
        """Number of problems; fewer than asked for if the source has fewer."""
        return min(self._size, self.source.size or self._size)

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index`, modulo the size, of a seed in a split."""
        return self.source.problem(split, seed, index % self._size)


class Listed:
    """Some problems of a source, in a new order, determined by the seed, in every epoch.

    Args:
        name: of the source.
        problems: one or more; each epoch holds each of them once.
        note: how they were chosen, for a person.
    """

    def __init__(self, name: str, problems: Sequence[Problem], note: str = "") -> None:
        self.name, self.problems, self.note = name, tuple(problems), note

    @property
    def size(self) -> int:
        """Number of problems."""
        return len(self.problems)

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index` of a seed, whatever the split."""
        epoch, place = divmod(index, len(self.problems))
        return self.problems[int(epoch_order(len(self.problems), seed, epoch)[place])]


@lru_cache(maxsize=8)
def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation of 0 to `count` - 1, shape (count,)."""
    sequence = np.random.SeedSequence([seed, epoch])
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)


class MappedSource:
    """A source with a function applied to each of its problems.

    Args:
        source: where the problems come from.
        change: maps a problem to a variant of it with the same id.
    """

    def __init__(self, source: ProblemSource, change: Callable[[Problem], Problem]) -> None:
        self.source, self.change = source, change

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def size(self) -> int | None:
        """The source's size."""
        return self.source.size

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index` of a seed in a split."""
        return self.change(self.source.problem(split, seed, index))


def find_problem(source: ProblemSource, split: Split, problem_id: str) -> Problem:
    """The problem with an id.

    A family's problem can be drawn from its id alone, whatever the source and the split. A data
    set's problem is searched for in the given split.

    Raises:
        ValueError: there is no such problem, or no such version of its family.
    """
    if isinstance(source, MappedSource):
        return source.change(find_problem(source.source, split, problem_id))
    if isinstance(source, Subset):
        return find_problem(source.source, split, problem_id)
    parts = FAMILY_PROBLEM_ID.fullmatch(problem_id)
    if parts is not None and parts[1] in FAMILIES:
        family = family_called(parts[1], int(parts[2]))(int(parts[4]))
        own_split: Split = parts[3]  # type: ignore[assignment]  # the pattern allows splits only
        return family.problem(own_split, int(parts[5]), int(parts[6]))
    for member in source.sources if isinstance(source, Mixture) else (source,):
        for index in range(member.size or 0):
            problem = member.problem(split, 0, index)
            if problem.id == problem_id:
                return problem
    raise ValueError(
        f"no problem {problem_id!r} in split {split!r} of {source.name}; "
        "ids are info['problem_id'], such as BarChart-v1/train/L1/7/42"
    )
