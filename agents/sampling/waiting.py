"""Which row of a batch holds which response, and which responses wait for a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from mstar.agents.sampling.decoding import Decoded, Draws, Prefill


@dataclass(slots=True, eq=False)
class Group:
    """Prompts that were prefilled together, and the R responses to draw to them.

    Attributes:
        draws: the responses.
        decoded: what was drawn so far.
        owners: index of the prompt of each response.
        ranks: number of each response among those to its prompt.
        given: how many of the responses have been given a row.
        left: of each prompt, how many of its responses have not ended.
    """

    draws: Draws
    decoded: Decoded
    owners: list[int]
    ranks: list[int]
    left: list[int]
    given: int = 0

    @classmethod
    def of(cls, start: Prefill, draws: Draws) -> Group:
        """A group of which nothing has been drawn."""
        owners: list[int] = draws.owners.tolist()
        counts = [0] * len(start.mask)
        ranks = []
        for owner in owners:
            ranks.append(counts[owner])
            counts[owner] += 1
        return cls(draws, Decoded.empty(draws), owners, ranks, counts)

    @property
    def waits(self) -> bool:
        """Whether a response has no row yet."""
        return self.given < len(self.owners)

    @property
    def ended(self) -> bool:
        """Whether all responses have ended."""
        return not any(self.left)


class Waiting:
    """Groups that wait for rows, in order; a group is prefilled when it is looked at.

    Args:
        groups: prefilled prompts, and the responses to draw to them.
    """

    def __init__(self, groups: Iterable[tuple[Prefill, Draws]]) -> None:
        self._groups = iter(groups)
        self._first: tuple[Prefill, Group] | None = None

    def first(self) -> Group | None:
        """The first group of which a response waits; None if all have a row."""
        while self._first is None or not self._first[1].waits:
            self._first = None  # frees what its prompts need in memory before others are prefilled
            following = next(self._groups, None)
            if following is None:
                return None
            self._first = following[0], Group.of(*following)
        return self._first[1]

    @property
    def start(self) -> Prefill:
        """The prompts of the first group, after ``first``.

        Raises:
            ValueError: no group waits.
        """
        if self._first is None:
            raise ValueError("no group waits")
        return self._first[0]


@dataclass(frozen=True, slots=True)
class Held:
    """The response that a row holds.

    Attributes:
        group: in which it is.
        index: of the response in its group.
        begun: number of the step before which its first token was drawn.
    """

    group: Group
    index: int
    begun: int

    @property
    def prompt(self) -> int:
        """Index of its prompt in the group."""
        return self.group.owners[self.index]


@dataclass(frozen=True, slots=True)
class Given:
    """n rows that were given to responses of a group.

    Attributes:
        rows: (n,).
        indices: (n,) of the responses in the group.
        places: (n,) of their prompts.
        entering: of the prompts that had no place before, their places by index in the group.
    """

    rows: list[int]
    indices: list[int]
    places: list[int]
    entering: dict[int, int]


@dataclass(slots=True)
class Rows:
    """The rows of a batch, and the places for the prompts that they respond to.

    Attributes:
        held: what each row holds; None where it is free.
        free_places: for prompts.
    """

    held: list[Held | None]
    free_places: list[int]
    _places: dict[tuple[Group, int], int] = field(default_factory=dict)  # of a group's prompt

    @classmethod
    def empty(cls, rows: int, places: int) -> Rows:
        """Rows and places that are all free."""
        return cls([None] * rows, list(range(places)))

    @property
    def free(self) -> list[int]:
        """The rows that hold nothing."""
        return [row for row, held in enumerate(self.held) if held is None]

    def longest(self, step: int) -> int:
        """The most tokens that a response has before a step; 0 if no row holds any."""
        return max((step - held.begun + 1 for held in self.held if held is not None), default=0)

    def give(self, group: Group, step: int) -> Given | None:
        """Give free rows to responses of a group, as long as their prompts find places.

        Returns:
            What was given; None if there was no row, or no place for a prompt.
        """
        rows, indices, places = [], [], []
        entering: dict[int, int] = {}
        for row in self.free:
            if not group.waits:
                break
            index = group.given
            prompt = group.owners[index]
            if (group, prompt) not in self._places:
                if not self.free_places:
                    break
                entering[prompt] = self._places[group, prompt] = self.free_places.pop()
            place = self._places[group, prompt]
            self.held[row] = Held(group, index, step)
            group.given += 1
            rows.append(row)
            indices.append(index)
            places.append(place)
        return Given(rows, indices, places, entering) if rows else None

    def end(self, row: int) -> Held:
        """Free a row, and the place of its prompt if that was the last response to it."""
        held = self.held[row]
        assert held is not None
        self.held[row] = None
        held.group.left[held.prompt] -= 1
        if held.group.left[held.prompt] == 0:
            self.free_places.append(self._places.pop((held.group, held.prompt)))
        return held

    def keep(self, rows: list[int], count: int) -> None:
        """Move what these rows hold to the first ones, of now `count` rows."""
        self.held = [self.held[row] for row in rows] + [None] * (count - len(rows))


def tensor(numbers: Iterable[int], device: torch.device) -> torch.Tensor:
    """Numbers as (n,) int64 on a device."""
    return torch.tensor(list(numbers), dtype=torch.int64, device=device)
