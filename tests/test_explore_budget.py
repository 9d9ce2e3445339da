"""Samples by prompt: who gets more, who is asked again, and that a run stays one run."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import Even, agent_of, same, tiny_agent, weights

from mstar.agents.budget import AGAIN, MOST, REMEMBERED, Aside, hopeless, shares, sure
from mstar.agents.collect import by_problem
from mstar.agents.policy import Policy
from mstar.agents.recipe import Recipe
from mstar.rewards.panel import RewardPanel

SCORES = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=2, max_size=4), min_size=1, max_size=9
)


@given(SCORES, st.integers(0, 40), st.integers(0, 12))
def test_no_more_is_given_than_there_is_and_only_to_mixed_problems(
    first: list[list[float]], left: int, most: int
) -> None:
    more = shares(first, left, most)
    mixed = [not sure(scores) and not hopeless(scores) for scores in first]
    assert len(more) == len(first)
    assert sum(more) <= left
    assert all(count == 0 for count, is_mixed in zip(more, mixed, strict=True) if not is_mixed)
    given_ = [count for count, is_mixed in zip(more, mixed, strict=True) if is_mixed]
    assert not given_ or max(given_) - min(given_) <= 1
    assert not given_ or max(given_) <= most
    assert sum(more) == min(left, most * sum(mixed))


def test_what_nobody_knows_is_neither_sure_nor_hopeless() -> None:
    assert not sure([1.0, math.nan])
    assert not hopeless([0.0, math.nan])
    assert shares([[math.nan, math.nan]], left=3, most=8) == [3]


def test_a_hopeless_problem_is_asked_again_after_two_rounds_then_four() -> None:
    aside = Aside()
    aside.note(1, {"hard": [0.0, 0.0], "easy": [1.0, 1.0], "mixed": [0.0, 1.0]})
    assert [aside.due(n, 9) for n in (1, 2, 3, 4)] == [[], [], ["hard"], ["hard"]]
    aside.note(3, {"hard": [0.0, 0.0]})
    assert [aside.due(n, 9) for n in (6, 7)] == [[], ["hard"]]
    aside.note(7, {"hard": [0.0, 1.0]})
    assert aside.due(99, 9) == []


def test_the_longest_overdue_come_first_and_the_oldest_are_given_up() -> None:
    aside = Aside()
    aside.note(2, {"late": [0.0]})
    aside.note(1, {"early": [0.0]})
    assert aside.due(9, 1) == ["early"]
    aside.note(5, {f"p{i}": [0.0] for i in range(REMEMBERED)})
    assert len(aside.waiting) == REMEMBERED
    assert "late" not in aside.waiting


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
            assert len(group) <= MOST * 4
            assert (len(group) > 2) <= (right[0] != right[1])
            longer += len(group) > 2
    assert longer > 0


def test_a_hopeless_problem_comes_back_in_the_place_of_a_fresh_one(
    policy: Policy, tmp_path: Path
) -> None:
    judge = Even(strict=True)  # nothing is right: all is hopeless
    evolving = tiny_agent(policy, tmp_path, judge, budget="by-prompt", prompts=AGAIN, first=1)
    _, *rounds = evolving.learn()
    evolving.close()
    asked = [list(by_problem(done.rollouts)) for done in rounds]
    assert [len(names) for names in asked] == [AGAIN] * 3
    assert set(asked[1]).isdisjoint(asked[0])
    assert [name for name in asked[2] if name in asked[0]] == [asked[0][0]]


@pytest.mark.parametrize(
    "settings",
    [
        {"budget": "by-prompt", "prompts": AGAIN, "samples": 4, "first": 2},
        {"controller": "paired", "samples": 3, "held_out_samples": 3, "held_out": 4},
        {"controller": "balance"},
        {"controller": "entropy"},
        {"controller": "schedule"},
    ],
    ids=str,
)
def test_a_run_goes_on_from_its_state(
    loaded: Policy, tmp_path: Path, settings: dict[str, Any]
) -> None:
    runs = []
    for name in ("whole", "killed"):
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        evolving = tiny_agent(policy, tmp_path / name, agent="rest-em", **settings)
        rounds = list(evolving.learn(2 if name == "killed" else None))
        evolving.close()
        if name == "killed":
            tuned = rounds[-1].tuned or rounds[-2].tuned
            policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
            evolving = tiny_agent(policy, tmp_path / "again", agent="rest-em", **settings)
            state = json.loads(json.dumps(rounds[-1].state))
            evolving.restore(state, Path(tuned.checkpoint) if tuned else None)
            rounds += list(evolving.learn())
            evolving.close()
        texts = [[(r.problem.id, r.response.text) for r in done.rollouts] for done in rounds]
        runs.append((texts, [done.dynamics for done in rounds], weights(policy)))
        assert [done.plan.temperature for done in rounds if done.plan]
    assert runs[0][0] == runs[1][0]
    assert runs[0][1] == runs[1][1]
    assert same(runs[0][2], runs[1][2])


def test_without_a_budget_by_prompt_the_state_is_as_it_was(policy: Policy, tmp_path: Path) -> None:
    evolving = tiny_agent(policy, tmp_path)
    assert "aside" not in evolving.state()
    evolving.close()


def test_online_agents_say_that_they_cannot_spend_by_prompt(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="budget must be 'uniform'"):
        agent_of(policy, tmp_path, RewardPanel([Even()]), agent="grpo", budget="by-prompt")


def test_a_recipe_without_first_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="first must be at least 1"):
        Recipe(budget="by-prompt", first=0)
