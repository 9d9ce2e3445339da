"""Responses that the limit on their length cuts off: what they earn, and how they are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rollout_doubles import rollout
from tiny_runs import TINY, Even, agent_of

from mstar.agents.config import Recipe
from mstar.agents.monitor.alarms import BaseMetrics, signs
from mstar.agents.monitor.metrics import measure
from mstar.agents.policy.policy import Policy
from mstar.agents.pseudo_labels import pseudo_labelled
from mstar.agents.selection import passes, select
from mstar.agents.types import Cost, Metrics, Rollout, Round, SamplingMetrics
from mstar.envs.variants.unlabelled import withhold
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.round_row import describe
from mstar.rewards import RewardPanel


def cut(made: Rollout, counts: bool = False) -> Rollout:
    """The same response without its end."""
    return replace(made, response=replace(made.response, finished=False), counts=counts)


def test_a_cut_response_that_does_not_count_is_not_selected() -> None:
    right = [rollout(text="Answer: 3"), cut(rollout(text="the answer is 3, but"))]
    assert select(right, "all", 1, 0.0, seed=0).kept == (0,)
    assert select([right[0], cut(right[1], counts=True)], "all", 1, 0.0, seed=0).kept == (0, 1)


def test_a_cut_response_does_not_vote_nor_pass_by_a_vote() -> None:
    made = [rollout(text=f"Answer: {n}", right=np.nan) for n in (3, 4, 4, 4)]
    made = [replace(r, problem=withhold(r.problem)) for r in made]
    voted = pseudo_labelled(made, "vote", "reward")
    assert [passes(r, "correctness") for r in voted] == [False, True, True, True]
    voted = pseudo_labelled([made[0], *map(cut, made[1:])], "vote", "reward")
    assert [passes(r, "correctness") for r in voted] == [True, False, False, False]


@pytest.mark.parametrize("agent", ["continuous", "star", "grpo", "online-dpo"])
def test_no_agent_rewards_or_selects_cut_responses(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    learner = agent_of(
        policy, tmp_path, RewardPanel([Even()]), agent=agent, rounds=1, unfinished="nothing"
    )
    base, done = learner.learn()
    learner.close()
    lost = [r for r in done.rollouts if not r.response.finished]
    assert lost
    assert {r.reward for r in lost} == {0.0}
    assert not any(r.scores["correctness"] > 0 for r in lost)
    assert done.selection is not None
    kept = [done.rollouts[i] for i in done.selection.kept]
    assert all(r.response.finished or r.reward == 0 for r in kept)
    if not learner.recipe.learns_online:
        assert all(r.response.finished for r in kept)
    row = describe(done)
    assert row["cut"] == len(lost) / len(done.rollouts)
    assert 0 < row["dynamics"]["cut"] <= 1
    assert base.metrics.cut > 0.25
    assert [alarm.name for alarm in base.alarms] == ["cut off"]
    assert "max_new_tokens" in str(base.alarms[0])


def test_the_share_of_cut_responses_is_measured_and_alarms() -> None:
    made = [rollout(temperature=0.0), rollout(), cut(rollout(text="so", right=0.0))]
    metrics = measure(made, "reward")
    assert metrics.cut == pytest.approx(1 / 3)
    start = BaseMetrics.of(metrics, 1.0)
    assert "33 %" in signs(metrics, start, 1.0)["cut off"]
    assert "cut off" not in signs(replace(metrics, cut=0.1), start, 1.0)


def test_the_live_line_says_how_many_were_cut(tmp_path: Path) -> None:
    sampled = SamplingMetrics(0.5, 0.5, 0.5, 1.0, 1.0, 5.0)
    metrics = Metrics(4, 2, 0.5, {1.0: sampled}, cut=0.125)
    base = Round(0, None, (), None, None, metrics, Cost(), {})
    with (tmp_path / "said").open("w") as said:
        Progress(Console(file=said, width=200)).finished(base)
    assert "cut 12.5 %" in (tmp_path / "said").read_text()


def test_the_limit_on_the_length_suits_the_model_unless_it_is_given() -> None:
    assert Recipe().max_new_tokens == 64
    other = Recipe.of(model="somebody/a-model")
    assert other.max_new_tokens == 1024
    assert other.resolved().sampling.max_new_tokens == 1024
    assert other.replace(model="embedded").max_new_tokens == 64
    assert other.replace(max_new_tokens=100).resolved().max_new_tokens == 100
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1"):
        Recipe.of(max_new_tokens=0)
    assert TINY.max_new_tokens == 6
