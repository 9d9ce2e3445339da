"""What the policy learns from: only what passes the gate, each text once, the best few of those."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_doubles import rollout

from mstar.agents.selection import ranking_score, select
from mstar.agents.settings import SelectionRule

RULES: tuple[SelectionRule, ...] = ("all", "random-k", "top-k", "shortest-k", "threshold")


@pytest.mark.parametrize("rule", RULES)
def test_only_a_full_score_passes_the_gate(rule: SelectionRule) -> None:
    rollouts = [
        rollout("a", "right", right=1.0),
        rollout("a", "nearly", right=0.99),
        rollout("a", "wrong", right=0.0, reward=1.0),
        rollout("a", "unlabelled", right=math.nan, reward=1.0),
        rollout("b", "wrong too", right=0.0),
    ]
    chosen = select(rollouts, rule, top_k=4, threshold=0.0, seed=0)
    assert chosen.kept == (0,)
    assert (chosen.solved, chosen.passed) == (1 / 2, 1 / 5)


def test_any_score_can_be_the_gate() -> None:
    rollouts = [rollout(text=str(i), right=i % 2, format=1 - i % 2) for i in range(4)]
    assert select(rollouts, "all", 9, 0.0, seed=0).kept == (1, 3)
    assert select(rollouts, "all", 9, 0.0, seed=0, gate="format").kept == (0, 2)


def test_of_equal_texts_the_first_is_kept_and_problems_do_not_share_texts() -> None:
    rollouts = [rollout(p, text) for p in ("a", "b") for text in ("x", "y", "x", "y", "y")]
    assert select(rollouts, "all", 9, 0.0, seed=3).kept == (0, 1, 5, 6)


def test_no_more_than_k_of_a_problem_are_kept() -> None:
    rollouts = [rollout(p, f"{p}{i}") for p in ("a", "b", "c") for i in range(5)]
    rollouts.append(rollout("d", "alone"))
    chosen = select(rollouts, "random-k", top_k=2, threshold=0.0, seed=1)
    groups = [rollouts[i].problem.id for i in chosen.kept]
    assert groups == ["a", "a", "b", "b", "c", "c", "d"]


def test_random_selection_depends_on_the_seed_and_is_uniform() -> None:
    rollouts = [rollout(text=str(i)) for i in range(4)]
    picks = [select(rollouts, "random-k", 1, 0.0, seed).kept for seed in range(400)]
    assert picks == [select(rollouts, "random-k", 1, 0.0, seed).kept for seed in range(400)]
    counts = [picks.count((i,)) for i in range(4)]
    assert all(60 < count < 140 for count in counts)  # 100 +- 4.6 standard deviations


def test_top_k_takes_the_best_by_the_ranking_score() -> None:
    rollouts = [rollout(text=str(i), reward=i / 9, taste=1 - i / 9) for i in range(5)]
    assert select(rollouts, "top-k", 2, 0.0, seed=0).kept == (3, 4)
    assert select(rollouts, "top-k", 2, 0.0, seed=0, rank="taste").kept == (0, 1)


def test_top_k_breaks_ties_by_the_seed_and_takes_abstentions_last() -> None:
    rollouts = [rollout(text=str(i), reward=0.7) for i in range(3)]
    rollouts.append(rollout(text="unjudged", reward=math.nan))
    picks = {select(rollouts, "top-k", 1, 0.0, seed).kept for seed in range(50)}
    assert picks == {(0,), (1,), (2,)}
    assert select(rollouts, "top-k", 4, 0.0, seed=0).kept == (0, 1, 2, 3)
    assert ranking_score(rollouts[3], "reward") == -1.0


def test_shortest_k_counts_tokens() -> None:
    rollouts = [rollout(text=str(i), length=length) for i, length in enumerate((9, 2, 5, 3))]
    assert select(rollouts, "shortest-k", 2, 0.0, seed=0).kept == (1, 3)


def test_the_threshold_itself_is_enough_and_k_does_not_matter() -> None:
    rollouts = [rollout(text=str(i), reward=i / 4) for i in range(5)]
    rollouts.append(rollout(text="unjudged", reward=math.nan))
    assert select(rollouts, "threshold", 1, threshold=0.5, seed=0).kept == (2, 3, 4)


def test_without_rollouts_nothing_is_kept() -> None:
    chosen = select([], "random-k", 2, 0.0, seed=0)
    assert (chosen.kept, chosen.solved, chosen.passed) == ((), 0.0, 0.0)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans(), st.floats(0, 1)),
        max_size=12,
    ),
    st.sampled_from(RULES),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_what_is_kept_is_right_distinct_and_in_order(
    made: list[tuple[str, str, bool, float]], rule: SelectionRule, keep: int, seed: int
) -> None:
    rollouts = [rollout(p, text, right=float(ok), reward=reward) for p, text, ok, reward in made]
    kept = select(rollouts, rule, keep, 0.5, seed).kept
    assert list(kept) == sorted(set(kept))
    assert all(made[i][2] for i in kept)
    assert len({made[i][:2] for i in kept}) == len(kept)
    if rule.endswith("-k"):
        solvable = {made[i][0] for i in range(len(made)) if made[i][2]}
        assert {made[i][0] for i in kept} == solvable


@pytest.mark.parametrize("rule", RULES)
def test_a_response_that_a_required_judge_failed_on_is_left_out(rule: SelectionRule) -> None:
    rollouts = [
        rollout("a", "judged", right=1.0, reward=0.5, judge=0.0),
        rollout("a", "not judged", right=1.0, reward=math.nan, judge=math.nan),
        rollout("a", "not judged either", right=1.0, reward=1.0, judge=math.nan),
    ]
    for rank in ("reward", "judge"):
        chosen = select(rollouts, rule, 4, 0.0, seed=0, rank=rank, required=["judge"])
        assert chosen.kept == (0,)
        assert chosen.unjudged == 2
