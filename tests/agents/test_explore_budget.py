"""Samples by prompt: who gets more, who is asked again, and that a run stays one run."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from closeness import same_weights
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import Even, agent_of, tiny_agent, weights

from mstar.agents.config import Recipe
from mstar.agents.explore.base import HOTTEST
from mstar.agents.explore.sample_allocation import (
    AGAIN,
    MOST,
    REMEMBERED,
    RetryQueue,
    next_wave,
    unsolved,
)
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import by_problem
from mstar.agents.self_evolving import SelfEvolving
from mstar.rewards.panel import RewardPanel

SCORES = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=9), min_size=1, max_size=9
)


@given(SCORES, st.integers(1, 3), st.integers(0, 40))
def test_no_more_is_given_than_there_is_and_only_where_right_ones_lack(
    scores: list[list[float]], top_k: int, left: int
) -> None:
    more = next_wave(scores, top_k, samples=4, left=left)
    assert len(more) == len(scores)
    assert 0 <= sum(more) <= left
    for own, count in zip(scores, more, strict=True):
        known = [score for score in own if not math.isnan(score)]
        most = 4 * MOST if known else 4
        lacks = sum(score == 1.0 for score in known) < top_k and len(own) < most
        assert 0 <= count <= (min(len(own), most - len(own)) if lacks else 0)
    wanted = next_wave(scores, top_k, samples=4, left=10_000)
    assert (sum(more) == 0) == (sum(wanted) == 0 or left == 0)


def test_waves_double_until_there_are_enough_right_ones_or_twice_the_even_share() -> None:
    sizes = []
    scores = [[0.0, 1.0], [0.0, 0.0]]
    while any(more := next_wave(scores, top_k=2, samples=8, left=100)):
        scores = [
            own + [1.0 if i == 0 else 0.0] * n
            for i, (own, n) in enumerate(zip(scores, more, strict=True))
        ]
        sizes.append([len(own) for own in scores])
    assert sizes == [[4, 4], [4, 8], [4, 16]]


def test_where_nobody_knows_a_problem_gets_its_even_share() -> None:
    unknown = [math.nan] * 4
    assert next_wave([unknown], top_k=2, samples=8, left=99) == [4]
    assert next_wave([unknown * 2], top_k=2, samples=8, left=99) == [0]
    assert not unsolved(unknown)


def test_an_unsolved_problem_is_asked_again_after_two_rounds_then_four() -> None:
    queue = RetryQueue()
    queue.note(1, {"hard": [0.0, 0.0], "easy": [1.0, 1.0], "mixed": [0.0, 1.0]})
    assert [queue.due(n, 9) for n in (1, 2, 3, 4)] == [[], [], ["hard"], ["hard"]]
    queue.note(3, {"hard": [0.0, 0.0]})
    assert [queue.due(n, 9) for n in (6, 7)] == [[], ["hard"]]
    queue.note(7, {"hard": [0.0, 1.0]})
    assert queue.due(99, 9) == []


def test_the_longest_overdue_come_first_and_the_oldest_are_given_up() -> None:
    queue = RetryQueue()
    queue.note(2, {"late": [0.0]})
    queue.note(1, {"early": [0.0]})
    assert queue.due(9, 1) == ["early"]
    queue.note(5, {f"p{i}": [0.0] for i in range(REMEMBERED)})
    assert len(queue.waiting) == REMEMBERED
    assert "late" not in queue.waiting


def test_a_round_spends_no_more_and_says_which_samples_were_extra(
    policy: Policy, tmp_path: Path
) -> None:
    evolving = tiny_agent(
        policy, tmp_path, budget="by-prompt", prompts=8, samples=4, first=2, rounds=2
    )
    _, *rounds = evolving.learn()
    evolving.close()
    longer = 0
    for done in rounds:
        assert len(done.rollouts) <= 8 * 4
        for members in by_problem(done.rollouts).values():
            group = [done.rollouts[i] for i in members]
            right = [r.scores["correctness"] == 1.0 for r in group]
            assert [r.extra for r in group] == [place >= 2 for place in range(len(group))]
            assert 2 <= len(group) <= MOST * 4
            if sum(right[:2]) == 2:
                assert len(group) == 2
            longer += len(group) > 2
    assert longer > 0


def test_an_unsolved_problem_comes_back_in_the_place_of_a_fresh_one(
    policy: Policy, tmp_path: Path
) -> None:
    judge = Even(strict=True)  # nothing is right
    evolving = tiny_agent(policy, tmp_path, judge, budget="by-prompt", prompts=AGAIN, first=1)
    _, *rounds = evolving.learn()
    evolving.close()
    asked = [list(by_problem(done.rollouts)) for done in rounds]
    assert [len(names) for names in asked] == [AGAIN] * 3
    assert set(asked[1]).isdisjoint(asked[0])
    assert [name for name in asked[2] if name in asked[0]] == [asked[0][0]]


def test_a_problem_is_sampled_at_a_higher_temperature_after_every_time_in_vain(
    policy: Policy, tmp_path: Path
) -> None:
    judge = Even(strict=True)  # nothing is right
    warming = {"warming": 1.25, "temperature": 0.8, "samples": 4, "first": 1}
    evolving = tiny_agent(policy, tmp_path, judge, budget="by-prompt", prompts=AGAIN, **warming)
    _, *rounds = evolving.learn()
    evolving.close()
    for number, done in enumerate(rounds):
        for name, members in by_problem(done.rollouts).items():
            again = number == 2 and name in by_problem(rounds[0].rollouts)
            expected = [1.0, 1.25, 1.5625, 1.5625] if again else [0.8, 1.0, 1.25, 1.25]
            assert [done.rollouts[i].temperature for i in members[:4]] == expected
    assert max(r.temperature for r in rounds[2].rollouts) <= HOTTEST


def test_a_problem_with_a_right_response_stays_at_the_temperature_that_found_it(
    policy: Policy, tmp_path: Path
) -> None:
    evolving = tiny_agent(
        policy, tmp_path, budget="by-prompt", prompts=8, samples=4, first=2, rounds=1, warming=2.0
    )
    _, done = evolving.learn()
    evolving.close()
    start = done.rollouts[0].temperature
    for members in by_problem(done.rollouts).values():
        group = [done.rollouts[i] for i in members]
        solved = any(r.scores["correctness"] == 1.0 for r in group[:2])
        assert {r.temperature for r in group[2:]} <= ({start} if solved else {HOTTEST, 2 * start})


def test_failures_are_counted_by_how_long_a_problem_waits() -> None:
    queue, number = RetryQueue(), 1
    for times in range(5):
        assert queue.failures("hard") == times
        queue.note(number, {"hard": [0.0]})
        (number, _) = queue.waiting["hard"]


def test_warming_without_samples_by_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="--allocation by-prompt"):
        Recipe.of(warming=1.2)
    with pytest.raises(ValueError, match="1 or more"):
        Recipe.of(warming=0.9, allocation="by-prompt")


@pytest.mark.parametrize(
    "settings",
    [
        {"budget": "by-prompt", "prompts": AGAIN, "samples": 4, "first": 2, "warming": 1.3},
        {"controller": "free", "samples": 4, "held_out_samples": 4, "rounds": 2},
        {"controller": "tampo", "samples": 4, "rounds": 2},
        {"controller": "paired", "samples": 3, "held_out_samples": 3, "held_out": 4, "rounds": 2},
        {"controller": "balance", "rounds": 2},
        {"controller": "entropy", "rounds": 2},
        {"controller": "schedule", "rounds": 2},
    ],
    ids=str,
)
def test_a_run_goes_on_from_its_state(
    loaded: Policy, tmp_path: Path, settings: dict[str, Any]
) -> None:
    def fresh(name: str) -> tuple[Policy, SelfEvolving]:
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        return policy, tiny_agent(policy, tmp_path / name, agent="rest-em", **settings)

    policy, evolving = fresh("whole")
    *_, before, last = evolving.learn()
    evolving.close()
    assert last.plan
    again, resumed = fresh("again")
    assert before.finetuned
    state = json.dumps(before.state)
    resumed.restore(json.loads(state), before.finetuned.checkpoint)
    assert json.dumps(resumed.state()) == state
    (repeated,) = resumed.learn()
    resumed.close()
    for one, other in zip(last.rollouts, repeated.rollouts, strict=True):
        assert (one.problem.id, one.response.text) == (other.problem.id, other.response.text)
    assert str(repeated.metrics) == str(last.metrics)  # NaN is not NaN
    assert same_weights(weights(again), weights(policy))


def test_without_a_budget_by_prompt_the_state_is_as_it_was(policy: Policy, tmp_path: Path) -> None:
    evolving = tiny_agent(policy, tmp_path)
    assert "aside" not in evolving.state()
    evolving.close()


def test_online_agents_say_that_they_cannot_spend_by_prompt(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allocation must be 'uniform'"):
        agent_of(policy, tmp_path, RewardPanel([Even()]), agent="grpo", budget="by-prompt")


def test_a_recipe_without_first_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="initial_samples must be at least 1"):
        Recipe.of(budget="by-prompt", first=0)
