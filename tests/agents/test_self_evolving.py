"""The loop: what a round inherits, samples, keeps and costs, for each of the three agents."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from closeness import same_weights
from tiny_runs import TINY, Even, Weights, tiny_agent, weights

from mstar.agents.explore.base import SWEEP
from mstar.agents.monitor import evaluation
from mstar.agents.monitor.metrics import measure
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import by_problem
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import FinetuneResult, Metrics, Rollout, SFTExample
from mstar.envs.vector_env import ProblemVectorEnv


class Watched:
    """What the policy was before and after each fine-tuning, and Adam's step count after it."""

    def __init__(self, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before: list[Weights] = []
        self.after: list[Weights] = []
        self.steps: list[set[int]] = []
        self.examples: list[int] = []
        plain = LiveTrainer.fine_tune

        def fine_tune(
            live: LiveTrainer, examples: Sequence[SFTExample], newest: Path | None
        ) -> FinetuneResult:
            self.examples.append(len(examples))
            self.before.append(weights(policy))
            tuned = plain(live, examples, newest)
            self.after.append(weights(policy))
            assert live.trainer is not None
            kept = live.trainer.optimizer.state.values()
            self.steps.append({int(of_weight["step"]) for of_weight in kept})
            return tuned

        monkeypatch.setattr(LiveTrainer, "fine_tune", fine_tune)


@pytest.mark.parametrize(
    ("agent", "steps"),
    [("continuous", [2, 4, 6]), ("iterative-rft", [2, 2, 2]), ("rest-em", [2, 2, 2])],
)
def test_each_agent_inherits_what_it_says(
    policy: Policy,
    loaded: Policy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    agent: str,
    steps: list[int],
) -> None:
    watched = Watched(policy, monkeypatch)
    evolving = tiny_agent(policy, tmp_path, agent=agent)
    rounds = list(evolving.learn())
    evolving.close()
    assert [done.finetuned.updates for done in rounds if done.finetuned] == steps
    assert watched.steps == [{step} for step in steps]
    base = weights(loaded)
    assert same_weights(watched.before[0], base)
    for before, after in zip(watched.before[1:], watched.after, strict=False):
        assert same_weights(before, base if agent == "rest-em" else after)
        assert not same_weights(after, base)
    assert same_weights(weights(policy), watched.after[-1])


def test_rounds_hold_fresh_problems_and_keep_what_passes(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(policy, monkeypatch)
    evolving = tiny_agent(policy, tmp_path, keep=1)
    base, *rounds = evolving.learn()
    evolving.close()
    assert (base.number, base.plan, base.selection, base.finetuned) == (0, None, None, None)
    assert len(base.rollouts) == 0
    assert [done.number for done in rounds] == [1, 2, 3]
    asked: set[str] = set()
    for done, learned in zip(rounds, watched.examples, strict=True):
        groups = by_problem(done.rollouts)
        assert [len(members) for members in groups.values()] == [2] * 4
        assert asked.isdisjoint(groups)
        asked |= groups.keys()
        assert {r.version for r in done.rollouts} == {done.number - 1}
        assert done.selection is not None
        right = [len(r.response.text) % 2 == 0 for r in done.rollouts]
        assert all(right[i] for i in done.selection.kept)
        assert done.selection.passed == sum(right) / 8
        solved = [members for members in groups.values() if any(right[i] for i in members)]
        assert done.selection.solved == len(solved) / 4
        assert learned == len(done.selection.kept) == len(solved)
        assert done.metrics.problems == done.metrics.samples == 2


def test_one_seed_gives_one_run(loaded: Policy, tmp_path: Path) -> None:
    runs = []
    for name in ("one", "other"):
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        evolving = tiny_agent(policy, tmp_path / name, rounds=2)
        texts = [[r.response.text for r in done.rollouts] for done in evolving.learn()]
        evolving.close()
        runs.append((texts, weights(policy)))
    assert runs[0][0] == runs[1][0]
    assert same_weights(runs[0][1], runs[1][1])


def test_where_nothing_is_kept_the_policy_stays_and_the_loop_goes_on(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    evolving = tiny_agent(policy, tmp_path, Even(strict=True))
    rounds = list(evolving.learn())
    assert [done.number for done in rounds] == [0, 1, 2, 3]
    assert [done.finetuned for done in rounds] == [None] * 4
    assert same_weights(weights(policy), weights(loaded))
    assert evolving._trainer is None


def test_adam_goes_on_after_a_round_without_examples(policy: Policy, tmp_path: Path) -> None:
    judge = Even()
    evolving = tiny_agent(policy, tmp_path, judge)
    updates = []
    for done in evolving.learn():
        judge.strict = done.number == 1  # in round 2, nothing is right
        updates.append(done.finetuned.updates if done.finetuned else None)
    evolving.close()
    assert updates == [None, 2, None, 4]


def test_costs_add_up(policy: Policy, tmp_path: Path) -> None:
    evolving = tiny_agent(policy, tmp_path, rounds=2)
    costs = [done.cost for done in evolving.learn()]
    evolving.close()
    measured = 2 * (1 + 2)
    assert [cost.responses for cost in costs] == [
        measured,
        2 * measured + 8,
        3 * measured + 16,
    ]
    for before, after in pairwise(costs):
        longest = TINY.max_new_tokens * (measured + 8)
        assert measured + 8 <= after.tokens - before.tokens <= longest
        assert after.flops > before.flops
        assert after.seconds > before.seconds
    # Two forward passes' worth a token, six in training, of at least the weights that there are.
    assert costs[0].flops >= 2 * policy.size * costs[0].tokens


def test_the_sweep_of_every_second_round_decides_the_next_temperature(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(rollouts: Sequence[Rollout], rank: str) -> Metrics:
        """As it is, with 0.5 made the best temperature."""
        found = measure(rollouts, rank)
        rigged = {
            t: replace(s, reward_pass_2=float(t == 0.5)) for t, s in found.by_temperature.items()
        }
        return replace(found, by_temperature=rigged)

    monkeypatch.setattr(evaluation, "measure", measured)
    evolving = tiny_agent(policy, tmp_path, controller="reward-pass@2")
    rounds = list(evolving.learn())
    evolving.close()
    assert [tuple(done.metrics.by_temperature) for done in rounds] == [
        (1.0,),
        (1.0,),
        SWEEP,
        (0.5,),
    ]
    assert [done.plan.temperature for done in rounds if done.plan] == [1.0, 1.0, 0.5]
    assert {r.temperature for r in rounds[3].rollouts} == {0.5}
    assert [done.state["controller"] for done in rounds][1:3] == [
        {"temperature": 1.0},
        {"temperature": 0.5},
    ]


def test_learning_in_two_goes_is_learning_in_one(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    evolving = tiny_agent(policy, tmp_path / "two", rounds=2)
    numbers = [done.number for count in (0, 1, 2) for done in evolving.learn(count)]
    assert numbers == [0, 1, 2]
    straight = Policy(copy.deepcopy(loaded.model), loaded.processor)
    other = tiny_agent(straight, tmp_path / "one", rounds=2)
    assert len(list(other.learn())) == 3
    assert same_weights(weights(policy), weights(straight))
    with pytest.raises(ValueError, match="3 rounds were asked for"):
        next(evolving.learn(3))
    evolving.close()
    other.close()


def test_it_acts_greedily_on_a_batch_of_observations(policy: Policy, tmp_path: Path) -> None:
    evolving = tiny_agent(policy, tmp_path)
    env = ProblemVectorEnv(3, source="BarChart", size=96, seed=5)
    observations, _ = env.reset()
    answers = evolving.act(observations)
    assert len(answers) == 3
    assert answers == evolving.act(observations)
    _, rewards, *_ = env.step(answers)
    assert rewards.shape == (3,)


def test_a_state_is_json_and_goes_on_where_it_was_taken(policy: Policy, tmp_path: Path) -> None:
    evolving = tiny_agent(policy, tmp_path / "one", rounds=1)
    *_, done = evolving.learn()
    evolving.close()
    assert done.finetuned is not None
    state: dict[str, Any] = dict(done.state)
    again = tiny_agent(policy, tmp_path / "other", rounds=1)
    again.restore(state, done.finetuned.checkpoint)
    assert again.rounds_done == 1
    assert [p.id for p in again.task.draw(2)] == [p.id for p in evolving.task.draw(2)]
    assert list(again.learn()) == []
