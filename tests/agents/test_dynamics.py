"""What a measurement says of a policy, and what must hold between its figures."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rollout_doubles import rollout
from tiny_runs import TINY, tiny_agent

from mstar.agents.agent import Agent
from mstar.agents.catalog import agent_class
from mstar.agents.judges.catalog import panel_of
from mstar.agents.monitor.drift import RESPONSES, BaseResponses
from mstar.agents.monitor.metrics import health_of, measure
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import collect
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.types import Rollout, SamplingMetrics
from mstar.envs.problem import Prompt
from mstar.envs.task import Task
from mstar.experiments.run.round_row import describe
from mstar.rewards.diagnostics.calibration import calibration

DRAWS = 20  # of each prompt
Group = list[tuple[bool, float]]  # of one problem: whether each sample is right, and its reward


def groups(least: int = 1, most: int = 6) -> st.SearchStrategy[list[Group]]:
    """1 to 5 problems with K samples each, `least` <= K <= `most`."""
    sample = st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]))
    return st.integers(least, most).flatmap(
        lambda k: st.lists(st.lists(sample, min_size=k, max_size=k), min_size=1, max_size=5)
    )


def spread(made: list[Group]) -> SamplingMetrics:
    rollouts = [
        rollout(f"p{number}", right=float(right), reward=reward)
        for number, group in enumerate(made)
        for right, reward in group
    ]
    return measure(rollouts, "reward").by_temperature[1.0]


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
    assert measure(rollouts, "reward").by_temperature[1.0].reward_pass_2 == 0.0
    assert measure(rollouts, "judge").by_temperature[1.0].reward_pass_2 == 1.0


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


def test_greedy_answers_and_temperatures_are_kept_apart() -> None:
    found = measure(measured(), "reward")
    assert (found.problems, found.samples, found.greedy) == (2, 2, 0.5)
    assert sorted(found.by_temperature) == [0.5, 1.0]
    assert [found.by_temperature[t].pass_1 for t in (0.5, 1.0)] == [0.5, 0.25]
    assert [found.by_temperature[t].pass_k for t in (0.5, 1.0)] == [0.5, 0.5]
    assert found.gap(1.0) == 0.0


def test_an_undecided_answer_does_not_count_as_wrong() -> None:
    unknown = [
        rollout("c", "Answer: 5", temperature=heat, right=math.nan)
        for heat in (0.0, 0.5, 0.5, 1, 1)
    ]
    found, beside = measure(measured(), "reward"), measure([*measured(), *unknown], "reward")
    assert (beside.problems, beside.greedy) == (3, found.greedy)
    for heat in (0.5, 1.0):
        assert beside.by_temperature[heat].pass_1 == found.by_temperature[heat].pass_1
        assert beside.by_temperature[heat].pass_k == found.by_temperature[heat].pass_k
        assert beside.by_temperature[heat].reward_pass_2 == found.by_temperature[heat].reward_pass_2
    alone = measure(unknown, "reward")
    told = [alone.greedy, alone.gap(1.0), *astuple(alone.by_temperature[1.0])[:3]]
    assert all(math.isnan(share) for share in told)


@pytest.mark.parametrize("controller", ["reward-pass@2", "balance", "paired"])
def test_without_held_out_labels_a_run_stays_where_it_is_and_can_be_resumed(
    loaded: Policy, tmp_path: Path, controller: str
) -> None:
    recipe = TINY.replace(rounds=2, controller=controller, held_out_samples=3)

    def agent(name: str) -> Agent:
        train, blind = (
            Task(
                source="BarChart",
                panel=panel_of(recipe),
                split=split,
                size=96,
                seed=0,
                unlabelled=hidden,
            )
            for split, hidden in (("train", 0.0), ("validation", 1.0))
        )
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        made: Agent = agent_class(recipe.run.agent)(policy, train, blind, recipe, tmp_path / name)
        return made

    whole = agent("whole")
    _, first, second = whole.learn()
    whole.close()
    assert math.isnan(second.metrics.greedy)
    assert second.plan is not None
    assert second.plan.temperature == recipe.sampling.temperature
    resumed = agent("resumed")
    state = json.loads(json.dumps(describe(first)))["state"]
    resumed.restore(state, first.finetuned.checkpoint if first.finetuned else None)
    (again,) = resumed.learn()
    resumed.close()
    assert [r.response.text for r in again.rollouts] == [r.response.text for r in second.rollouts]
    assert str(again.metrics) == str(second.metrics)  # NaN is not NaN


def test_distinct_counts_final_answers_and_not_wordings() -> None:
    found = measure(measured(), "reward").by_temperature
    assert found[0.5].distinct == 1.5
    assert found[1.0].distinct == 2.0


def test_entropy_and_length_are_means_over_responses() -> None:
    found = measure(measured(), "reward").by_temperature[0.5]
    assert (found.entropy, found.length) == (1.0, 4.0)


def test_a_majority_is_as_confident_as_its_share_and_right_or_wrong() -> None:
    made = [
        *(rollout("a", "Answer: 3", right=1.0) for _ in range(3)),
        rollout("a", "Answer: 4", right=0.0),
        *(rollout("b", "Answer: 1", right=0.0) for _ in range(4)),
        *(rollout("c", "", right=0.0) for _ in range(4)),
    ]
    majority = measure(made, "reward").by_temperature[1.0].majority
    assert (majority.said, majority.right) == pytest.approx(((0.75 + 1 + 0) / 3, 1 / 3))
    assert majority.over == pytest.approx(0.25)
    assert majority.brier == pytest.approx((0.25**2 + 1 + 0) / 3)
    assert majority.ece == pytest.approx((0.25 + 1 + 0) / 3)


def test_what_nobody_can_tell_right_from_wrong_is_not_calibrated() -> None:
    unknown = [rollout("a", "Answer: 3", right=math.nan) for _ in range(4)]
    found = measure(unknown, "reward").by_temperature[1.0]
    assert math.isnan(found.majority.over)
    assert math.isnan(found.confidence.ece)
    known = [rollout("b", "Answer: 3", right=1.0) for _ in range(4)]
    both = measure([*unknown, *known], "reward").by_temperature[1.0]
    assert both.majority == measure(known, "reward").by_temperature[1.0].majority
    assert (both.majority.said, both.majority.right) == (1.0, 1.0)


def test_confidence_is_the_geometric_mean_of_a_responses_tokens() -> None:
    made = [rollout(right=1.0, length=2), rollout(right=0.0, length=2)]  # -1 nat each
    confidence = measure(made, "reward").by_temperature[1.0].confidence
    assert confidence.said == pytest.approx(math.exp(-0.5))
    assert confidence.ece == pytest.approx(math.exp(-0.5) - 0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_calibration_errors_are_bounded_and_vanish_for_who_knows(
    made: list[tuple[float, bool]],
) -> None:
    said, right = np.array([s for s, _ in made]), np.array([r for _, r in made])
    found = calibration(said, right)
    assert abs(found.over) <= found.ece + 1e-9 <= 1 + 1e-8
    assert 0 <= found.brier <= 1
    sure = calibration(right.astype(float), right)
    assert (sure.ece, sure.brier, sure.over) == (0, 0, 0)


def test_reward_models_are_held_to_the_verifier_and_to_each_other() -> None:
    made = [
        rollout(text="x" * n, right=float(n > 4), judge=n / 10, contrary=1 - n / 10)
        for n in range(1, 9)
    ]
    health, agreement = health_of(made)
    assert health["judge"].agreement > 0.8
    assert health["contrary"].agreement < -0.8
    assert health["judge"].length == 1.0
    assert agreement == {
        "correctness/judge": health["judge"].agreement,
        "correctness/contrary": health["contrary"].agreement,
        "judge/contrary": -1.0,
    }


def test_drift_is_zero_for_the_base_and_grows_with_training(policy: Policy, tmp_path: Path) -> None:
    agent = tiny_agent(policy, tmp_path, rounds=2)
    drift = [done.metrics.drift for done in agent.learn()]
    agent.close()
    assert drift[0] == 0.0
    assert min(drift[1:]) > 0.1


def test_drift_estimates_the_divergence_of_what_the_base_would_say(
    policy: Policy, loaded: Policy
) -> None:
    """One token to each of many prompts: sampled drift against the divergence summed up."""
    task = Task(source="BarChart", size=96, seed=0)
    asked = task.draw(RESPONSES)
    sampler = LocalSampler(loaded, max_new_tokens=1)
    base = collect(sampler, task, asked, [1.0] * DRAWS, seed=1, version=0)
    with torch.no_grad():
        policy.network.lm_head.weight.mul_(1.5)
    exact = [divergence(loaded, policy, task.prompt(problem)) for problem in asked]
    sampled = []
    for start in range(DRAWS):
        drop = [base[i * DRAWS + start] for i in range(len(asked))]
        anchor = BaseResponses.of(loaded, drop, 1.0)
        sampled.append(anchor.drift(policy, drop))
    error = np.std(sampled) / np.sqrt(len(sampled))
    assert abs(np.mean(sampled) - np.mean(exact)) < 4 * error
    assert np.mean(exact) > 4 * error


def divergence(one: Policy, other: Policy, prompt: Prompt) -> float:
    """KL(one || other) of the first token after a prompt, over the whole vocabulary."""
    with torch.no_grad():
        logs = [p.network(**p.encode([prompt])).logits[0, -1].log_softmax(-1) for p in (one, other)]
    return float((logs[0].exp() * (logs[0] - logs[1])).sum())


def test_without_greedy_answers_there_is_no_greedy_accuracy() -> None:
    found = measure([r for r in measured() if r.temperature], "reward")
    assert math.isnan(found.greedy)
    assert found.samples == 2
    assert found.by_temperature == pytest.approx(measure(measured(), "reward").by_temperature)
