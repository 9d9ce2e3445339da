"""What a measurement says of a policy, and what must hold between its figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import rollout

from mstar.agents.collect import Rollout
from mstar.agents.dynamics import Spread, measure

Group = list[tuple[bool, float]]  # of one problem: whether each sample is right, and its reward


def groups(least: int = 1, most: int = 6) -> st.SearchStrategy[list[Group]]:
    """1 to 5 problems with K samples each, `least` <= K <= `most`."""
    sample = st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]))
    return st.integers(least, most).flatmap(
        lambda k: st.lists(st.lists(sample, min_size=k, max_size=k), min_size=1, max_size=5)
    )


def spread(made: list[Group]) -> Spread:
    rollouts = [
        rollout(f"p{number}", right=float(right), reward=reward)
        for number, group in enumerate(made)
        for right, reward in group
    ]
    return measure(rollouts, "reward").spread[1.0]


@given(groups())
def test_reward_pass_2_is_never_above_pass_k(made: list[Group]) -> None:
    found = spread(made)
    assert 0 <= found.reward_pass_2 <= found.pass_k <= 1
    assert 0 <= found.pass_1 <= found.pass_k


@given(groups(1, 2))
def test_with_no_more_than_two_samples_there_is_nothing_to_rank(made: list[Group]) -> None:
    found = spread(made)
    assert found.reward_pass_2 == found.pass_k


@given(groups())
def test_a_perfect_ranking_loses_nothing(made: list[Group]) -> None:
    found = spread([[(right, float(right)) for right, _ in group] for group in made])
    assert found.reward_pass_2 == found.pass_k


@given(groups(3))
def test_an_inverted_ranking_finds_only_what_it_cannot_miss(made: list[Group]) -> None:
    found = spread([[(right, 1.0 - right) for right, _ in group] for group in made])
    sure = [sum(not right for right, _ in group) < 2 for group in made]
    assert found.reward_pass_2 == sum(sure) / len(made)


def test_an_abstention_ranks_below_every_score() -> None:
    assert spread([[(True, math.nan), (False, 0.0), (False, 0.0)]]).reward_pass_2 == 0.0
    assert spread([[(True, 0.1), (False, math.nan), (False, 0.0)]]).reward_pass_2 == 1.0


def test_the_rank_names_the_score_that_ranks() -> None:
    rollouts = [
        rollout(right=1.0, reward=0.0, judge=0.9),
        rollout(right=0.0, reward=1.0, judge=0.1),
        rollout(right=0.0, reward=1.0, judge=0.2),
    ]
    assert measure(rollouts, "reward").spread[1.0].reward_pass_2 == 0.0
    assert measure(rollouts, "judge").spread[1.0].reward_pass_2 == 1.0


def measured() -> list[Rollout]:
    """Two problems: one greedy answer each, two samples at 0.5 and two at 1.0."""
    return [
        rollout("a", "Answer: 3", temperature=0.0, right=1.0),
        rollout("a", "Answer: 3", temperature=0.5, right=1.0, length=4, entropy=0.5),
        rollout("a", "so Answer: 3", temperature=0.5, right=1.0, length=6, entropy=1.5),
        rollout("a", "Answer: 3", temperature=1.0, right=1.0),
        rollout("a", "Answer: 4", temperature=1.0, right=0.0),
        rollout("b", "Answer: 1", temperature=0.0, right=0.0),
        rollout("b", "Answer: 1", temperature=0.5, right=0.0, length=4, entropy=0.5),
        rollout("b", "Answer: 2", temperature=0.5, right=math.nan, length=2, entropy=1.5),
        rollout("b", "Answer: 7", temperature=1.0, right=0.0),
        rollout("b", "no answer", temperature=1.0, right=0.0),
    ]


def test_greedy_answers_and_temperatures_are_told_apart() -> None:
    found = measure(measured(), "reward")
    assert (found.problems, found.samples, found.greedy) == (2, 2, 0.5)
    assert sorted(found.spread) == [0.5, 1.0]
    assert [found.spread[t].pass_1 for t in (0.5, 1.0)] == [0.5, 0.25]
    assert [found.spread[t].pass_k for t in (0.5, 1.0)] == [0.5, 0.5]
    assert found.gap(1.0) == 0.0


def test_distinct_counts_final_answers_and_not_wordings() -> None:
    found = measure(measured(), "reward").spread
    assert found[0.5].distinct == 1.5
    assert found[1.0].distinct == 2.0


def test_entropy_and_length_are_means_over_responses() -> None:
    found = measure(measured(), "reward").spread[0.5]
    assert (found.entropy, found.length) == (1.0, 4.0)


def test_without_greedy_answers_there_is_no_greedy_accuracy() -> None:
    found = measure([r for r in measured() if r.temperature], "reward")
    assert math.isnan(found.greedy)
    assert found.samples == 2
    assert found.spread == pytest.approx(measure(measured(), "reward").spread)
