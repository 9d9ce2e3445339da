"""Rows that fall free are given to responses that wait, in order, as far as prompts have places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from mstar.agents.sampling.decoding import Draws, Prefill
from mstar.agents.sampling.waiting import Group, Rows, Waiting


def prefilled(owners: Sequence[int]) -> tuple[Prefill, Draws]:
    """Prompts without a cache, and one response to each of `owners`."""
    count = max(owners, default=0) + 1
    start = Prefill(None, torch.zeros(count, 5), torch.ones(count, 3), torch.zeros(count, 1))
    draws = Draws(
        torch.tensor(owners),
        torch.ones(len(owners)),
        torch.zeros(len(owners), 4, dtype=torch.float64),
        torch.tensor([0]),
    )
    return start, draws


def group_of(owners: Sequence[int]) -> Group:
    return Group.of(*prefilled(owners))


def test_responses_take_rows_in_order_and_prompts_places() -> None:
    group, rows = group_of([0, 0, 1, 1, 1]), Rows.empty(4, 2)
    given = rows.give(group, step=0)
    assert given is not None
    assert (given.rows, given.indices) == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert given.places[0] == given.places[1] != given.places[2] == given.places[3]
    assert given.entering == {0: given.places[0], 1: given.places[2]}
    assert group.waits
    assert rows.give(group, step=0) is None  # no row is free
    rows.end(1)
    again = rows.give(group, step=8)
    assert again is not None
    assert (again.rows, again.indices, again.entering) == ([1], [4], {})
    assert again.places == [given.places[2]]
    assert not group.waits
    assert rows.longest(10) == 11  # one token was drawn before step 0
    rows.end(0)  # the last response to prompt 0
    assert rows.free_places == [given.places[0]]


def test_a_prompt_waits_for_the_place_of_another_though_rows_are_free() -> None:
    group, rows = group_of([0, 1, 2]), Rows.empty(3, 1)
    given = rows.give(group, step=0)
    assert given is not None
    assert given.rows == [0]
    assert rows.give(group, step=0) is None
    for expected in (1, 2):
        rows.end(0)
        given = rows.give(group, step=8)
        assert given is not None
        assert given.indices == [expected]
    rows.end(0)
    assert group.ended


def test_prompts_of_two_groups_are_told_apart() -> None:
    rows = Rows.empty(2, 2)
    places = [given.places[0] for _ in "ab" if (given := rows.give(group_of([0]), step=0))]
    assert sorted(places) == [0, 1]


def test_rows_that_are_kept_move_to_the_front() -> None:
    group, rows = group_of([0] * 6), Rows.empty(6, 1)
    rows.give(group, step=0)
    for row in (0, 1, 3, 5):
        rows.end(row)
    rows.keep([2, 4], 3)
    assert [held.index if held else None for held in rows.held] == [2, 4, None]


def test_a_group_is_prefilled_only_once_its_turn_comes() -> None:
    read: list[int] = []

    def groups() -> Iterator[tuple[Prefill, Draws]]:
        for number in range(3):
            read.append(number)
            yield prefilled([0, 0])

    waiting, rows = Waiting(groups()), Rows.empty(3, 3)
    with pytest.raises(ValueError, match="no group waits"):
        _ = waiting.start
    for turns in ([0], [0, 1]):
        group = waiting.first()
        assert group is not None
        assert read == turns
        rows.give(group, step=0)
    assert waiting.first() is group  # one of its responses has no row
    for row in (0, 1):
        rows.end(row)
    rows.give(group, step=8)
    assert waiting.first() is not group
    assert read == [0, 1, 2]
