"""Online runs: killed and resumed, with LoRA, closed, and with invalid batches."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killed_runs import came_to, kill, raise_at, run, unbroken
from rollout_doubles import rollout as judged
from tiny_runs import TINY, Even, agent_of, weights

from mstar.agents.online import trl_bridge as trl_bridge
from mstar.agents.online.dpo import best_and_worst
from mstar.agents.online.trl_bridge import RewardColumn, column_weights, informative_groups
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.types import Rollout
from mstar.envs.problem import Problem, Prompt
from mstar.experiments.run.run_folder import RunFolder
from mstar.rewards.panel import RewardPanel

ONLINE: tuple[str, ...] = ("grpo", "rloo", "online-dpo")  # one of each trainer


def while_sampling(patch: pytest.MonkeyPatch, number: int, _: int) -> None:
    raise_at(patch, trl_bridge, "collect_local", number)  # a round takes one


def before_the_commit(patch: pytest.MonkeyPatch, number: int, rows: int) -> None:
    raise_at(patch, RunFolder, "commit", number + 1 - rows)


@pytest.mark.parametrize("agent", ONLINE)
@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_killed_run_resumes_to_the_same_result(
    model: str, tmp_path: Path, agent: str, lora_rank: int
) -> None:
    # The pull to the base is there, so that a resumed run must know the base and not itself.
    recipe = TINY.replace(model=model, agent=agent, beta=0.1, lora_rank=lora_rank)
    recipe = recipe.replace(rounds=2, prompts=2, minibatches=2, max_new_tokens=3)
    recipe = recipe.replace(online_learning_rate=1e-2, warmup=0)  # far from it at once
    for arm in (while_sampling, before_the_commit):
        kill(recipe, tmp_path, arm, 2)
        assert len(RunFolder(tmp_path).rounds()) == 2
    assert came_to(run(recipe, tmp_path)) == unbroken(recipe)


@pytest.mark.parametrize("agent", ONLINE)
def test_lora_trains_the_adapter_alone(policy: Policy, tmp_path: Path, agent: str) -> None:
    adapted = policy.with_lora(4)
    before = weights(adapted)
    learner = agent_of(adapted, tmp_path, RewardPanel([Even()]), agent=agent, rounds=1)
    *_, done = learner.learn()
    learner.close()
    after = weights(adapted)
    moved = {name for name in before if not torch.equal(after[name], before[name])}
    assert moved
    assert all("lora_" in name for name in moved)
    assert done.finetuned is not None
    assert (done.finetuned.checkpoint / "adapter_model.safetensors").exists()


def test_closing_unwraps_the_model_and_ends_the_thread(policy: Policy, tmp_path: Path) -> None:
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), agent="grpo")
    list(learner.learn(1))
    assert "online-trainer" in [thread.name for thread in threading.enumerate()]
    learner.close()
    assert "online-trainer" not in [thread.name for thread in threading.enumerate()]
    assert policy.network.forward.__func__ is type(policy.network).forward
    with pytest.raises(RuntimeError, match="was closed"):
        next(learner.learn(2))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 1}, "compares the samples of a prompt"),
        ({"batch": 3}, r"batch x minibatches is 6; it must be a multiple of samples \(2\) and"),
        ({"prompts": 5}, r"divide prompts x samples \(10\)"),
    ],
)
def test_batches_that_do_not_fill_a_round_are_refused(
    policy: Policy, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        agent_of(policy, tmp_path, RewardPanel([Even()]), agent="grpo", **changes)


def rollout(reward: float, right: float = 0.0) -> Rollout:
    said = Response("", (1,), logprob=0.0, entropy=0.0, certainty=0.0, finished=True)
    problem = Problem("p", (), "?", None)
    return Rollout(problem, Prompt("?", (), "p"), said, 1.0, 0, {"correctness": right}, reward)


def test_groups_with_equal_rewards_are_not_informative() -> None:
    groups = [(1.0, 1.0), (0.0, 1.0), (np.nan, 1.0), (0.0, 0.0)]
    rollouts = [rollout(reward, float(reward == 1.0)) for group in groups for reward in group]
    told = informative_groups(rollouts, 2, "correctness")
    assert told.kept == (2, 3)
    assert told.solved == 3 / 4
    assert told.passed == 4 / 8


def test_a_preference_pair_is_the_best_and_the_worst_scored_response() -> None:
    group = [rollout(reward) for reward in (0.5, np.nan, 0.9, 0.1, 0.9)]
    assert best_and_worst(group) == (group[2], group[3])
    silent = [rollout(np.nan), rollout(np.nan)]
    best, worst = best_and_worst(silent)
    assert not best.reward > worst.reward


def test_an_online_agent_gives_a_response_without_a_reward_no_advantage(
    policy: Policy, tmp_path: Path
) -> None:
    agent = agent_of(policy, tmp_path, RewardPanel([Even()]), agent="grpo")
    bridge: Any = agent.bridge  # type: ignore[attr-defined]
    rewards = [0.0, 1.0, 1.0, math.nan, math.nan, math.nan]
    bridge.scored = [
        judged("a" if i < 4 else "b", right=reward, reward=reward)
        for i, reward in enumerate(rewards)
    ]
    columns = [RewardColumn(bridge, name)([""] * 6) for name in column_weights(agent.task)]
    summed = [sum(score or 0.0 for score in scores) for scores in zip(*columns, strict=True)]
    assert summed == pytest.approx([0.0, 1.0, 1.0, 2 / 3, 0.0, 0.0])
    agent.close()
