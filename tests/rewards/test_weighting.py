"""Panel weights that follow agreement with the verifier, in all environments and in TRL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import agent_of

from mstar.agents.agent import Agent
from mstar.agents.online.agent import Online
from mstar.agents.online.trl_bridge import RewardColumn, column_weights
from mstar.agents.policy.policy import Policy
from mstar.experiments.run.round_row import describe
from mstar.rewards import RewardPanel
from mstar.rewards.base import Attempt, Scores


class Judge:
    """Scores by the parity of a response's length, or the opposite."""

    def __init__(self, name: str, score: Callable[[bool], float]) -> None:
        self.name, self._score = name, score

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array([self._score(len(a.response) % 2 == 0) for a in attempts], np.float32)


def judged_agent(policy: Policy, folder: Path, **changes: Any) -> Agent:
    panel = RewardPanel(
        [
            Judge("correctness", float),
            Judge("friend", lambda even: 0.5 + 0.4 * even),
            Judge("liar", lambda even: 1.0 - even),
        ]
    )
    setting = {"rank": "reward", "rounds": 1, "held_out": 8, "held_out_samples": 4, **changes}
    return agent_of(policy, folder, panel, **setting)


def test_a_model_that_disagrees_with_the_verifier_loses_its_weight(
    policy: Policy, tmp_path: Path
) -> None:
    agent = judged_agent(policy, tmp_path / "one", weighting="agreement")
    base, done = agent.learn()
    agent.close()
    assert base.metrics.health["liar"].agreement == -1.0
    for task in (agent.task, agent.validation):
        weights = task.panel.weights
        assert (weights["correctness"], weights["liar"]) == (1.0, 0.0)
        assert weights["friend"] == pytest.approx(1 - 31**-0.5)  # of 32 attempts
    friend = 1 - 31**-0.5
    paid = {1.0: (1 + 0.9 * friend) / (1 + friend), 0.0: 0.5 * friend / (1 + friend)}
    for rollout in done.rollouts:
        assert rollout.reward == pytest.approx(paid[rollout.scores["correctness"]])
    again = judged_agent(policy, tmp_path / "other", weighting="agreement")
    again.restore(describe(done)["state"], None)
    assert again.task.panel.weights == agent.task.panel.weights


def test_fixed_weights_do_not_change(policy: Policy, tmp_path: Path) -> None:
    agent = judged_agent(policy, tmp_path)
    agent.task.panel.weights["friend"] = 0.5
    list(agent.learn())
    agent.close()
    assert agent.task.panel.weights == {"correctness": 1.0, "friend": 0.5, "liar": 1.0}


def test_the_columns_of_trl_sum_to_the_reward_after_weights_have_changed(
    policy: Policy, tmp_path: Path
) -> None:
    agent = judged_agent(policy, tmp_path, agent="grpo", minibatches=1)
    assert isinstance(agent, Online)
    _, done = agent.learn()
    agent.close()
    columns = [RewardColumn(agent.bridge, name) for name in column_weights(agent.task)]
    weights_of_columns = list(column_weights(agent.task).values())
    for weights in ({}, {"liar": 0.0}, {"friend": 0.2, "liar": 3.0}):
        agent.task.panel.weights |= weights
        problems = [rollout.problem for rollout in done.rollouts]
        table = agent.task.score(problems, [rollout.response.text for rollout in done.rollouts])
        agent.bridge.scored = [
            replace(rollout, reward=float(reward))
            for rollout, reward in zip(done.rollouts, table.reward, strict=True)
        ]
        scores = np.array([column([""] * len(problems)) for column in columns], float)
        np.testing.assert_allclose(weights_of_columns @ scores, table.reward, atol=1e-5)
