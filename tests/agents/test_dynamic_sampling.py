"""DAPO's dynamic sampling: groups without an advantage are replaced, and everything is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import agent_of

from mstar.agents.config import Recipe
from mstar.agents.online.agent import Online, check_batches
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import by_problem
from mstar.agents.types import Round
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel


class ByProblem:
    """Every second problem has no wrong response; to the others those of even length are right."""

    name = "correctness"

    def score(self, attempts: list[Attempt]) -> Scores:
        return np.array([easy(a.group) or len(a.response) % 2 == 0 for a in attempts], np.float32)


def easy(problem: str) -> bool:
    return int(problem.rpartition("/")[2]) % 2 == 0


def first_round(policy: Policy, folder: Path, **changes: Any) -> tuple[Online, Round]:
    agent = agent_of(
        policy,
        folder,
        RewardPanel([ByProblem()]),
        agent="dapo",
        prompts=4,
        samples=4,
        batch=8,
        **changes,
    )
    assert isinstance(agent, Online)
    _, done = agent.learn(1)
    agent.close()
    return agent, done


def test_groups_that_are_all_right_or_all_wrong_give_way_to_fresh_problems(
    policy: Policy, tmp_path: Path
) -> None:
    agent, done = first_round(policy, tmp_path)
    learned = by_problem(agent.bridge.scored)
    assert len(learned) == 4
    for members in learned.values():
        assert len({agent.bridge.scored[i].reward for i in members}) == 2
    sampled = by_problem(done.rollouts)
    replaced = agent.bridge.replaced
    assert done.selection is not None
    assert done.selection.replaced == len(replaced) == len(sampled) - 4
    assert len(replaced) >= 2
    kept = {done.rollouts[i].problem.id for i in done.selection.kept}
    assert kept == set(learned)
    tokens = sum(len(rollout.response.tokens) for rollout in done.rollouts)
    assert done.cost.training_tokens == tokens  # of replaced groups too


def test_the_limit_ends_the_search_and_problems_are_never_asked_twice(
    policy: Policy, tmp_path: Path
) -> None:
    agent, done = first_round(policy, tmp_path, dynamic_sampling=1)
    sampled = by_problem(done.rollouts)
    assert len(sampled) <= 8  # four groups, and one in the place of each
    assert {id for id in list(sampled)[:2] if easy(id)} <= set(agent.bridge.replaced)
    known = agent.bridge.asked  # as a set that has no others would give
    agent.bridge._batch = replace(agent.bridge._batch, fresh=lambda count: known)
    assert agent.bridge._fresh_problems(3) == []


def test_agents_that_cannot_replace_groups_say_so() -> None:
    assert Recipe.of(agent="dapo").resamplings == 10
    assert Recipe.of(agent="grpo").resamplings == 0
    with pytest.raises(ValueError, match="use dapo, grpo, dr-grpo or gspo"):
        check_batches(Recipe.of(agent="rloo", dynamic_sampling=3))
    with pytest.raises(ValueError, match="0 or more"):
        Recipe.of(dynamic_sampling=-1)
