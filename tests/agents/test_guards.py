"""Each alarm is raised by a run that really goes wrong, and answered as the table says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from closeness import same_weights, within_rounding
from failing_runs import MAJORITY, Anything, sure_of_itself, wrong_majority
from markupsafe import escape
from rich.console import Console
from rollout_doubles import rollout
from tiny_runs import TINY, Even, agent_of, weights

from mstar.agents import agent as agents
from mstar.agents.monitor import evaluation
from mstar.agents.monitor.alarms import REMEDIES
from mstar.agents.monitor.guards import Guards
from mstar.agents.policy.policy import Policy
from mstar.agents.rollout import score_table
from mstar.agents.seeds import mix
from mstar.agents.selection import select
from mstar.agents.types import AlarmName, Remedy
from mstar.experiments.run.round_row import describe
from mstar.experiments.run.train import train
from mstar.rewards import RewardPanel, SelfCertainty
from mstar.rewards.base import Attempt, Scores


def test_a_proxy_that_rises_alone_is_frozen(policy: Policy, tmp_path: Path) -> None:
    agent = sure_of_itself(policy, tmp_path, rounds=4, max_new_tokens=8)
    rounds = list(agent.learn())
    agent.close()
    certainty = [done.metrics.health["self_certainty"].mean for done in rounds]
    assert certainty[3] > certainty[0] + 0.03
    assert {done.metrics.greedy for done in rounds} == {0.0}
    assert [[alarm.name for alarm in done.alarms] for done in rounds[:3]] == [[], [], []]
    (alarm,) = (alarm for alarm in rounds[3].alarms if alarm.name == "proxy gaming")
    assert (alarm.remedy, alarm.acted) == ("freeze", True)
    assert "'self_certainty' is frozen" in str(alarm)
    for task in (agent.task, agent.validation):
        assert task.panel.weights == {
            "correctness": 1.0,
            "format": 1.0,
            "self_certainty": 0.0,
        }
    assert (agent.guards.gate, agent.guards.rank) == ("format", "reward")
    last, chosen = rounds[4].rollouts, rounds[4].selection
    kept = {
        rank: select(last, "top-k", 1, 0.5, mix(0, 4, 1), "format", rank).kept
        for rank in ("reward", "self_certainty")
    }
    assert chosen is not None
    assert chosen.kept == kept["reward"] != kept["self_certainty"]


def test_after_a_freeze_metrics_controller_and_mix_rank_by_the_same_score(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = sure_of_itself(policy, tmp_path, rounds=1, held_out=2)
    agent.guards.rank = "reward"  # the recipe's is self_certainty
    ranks: dict[str, str] = {}

    def recorded(name: str, plain: Callable[..., Any], place: int) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            ranks[name] = given[place]
            return plain(*given)

        return call

    monkeypatch.setattr(evaluation, "measure", recorded("metrics", evaluation.measure, 1))
    monkeypatch.setattr(agents, "samples_of", recorded("controller", agents.samples_of, 1))
    mixing = type(agent.mixing)
    monkeypatch.setattr(mixing, "observe", recorded("mix", mixing.observe, 2))
    next(agent.learn())
    agent.close()
    assert ranks == dict.fromkeys(("metrics", "controller", "mix"), "reward")


def test_collapsing_answers_raise_the_temperature(policy: Policy, tmp_path: Path) -> None:
    agent = sure_of_itself(policy, tmp_path, rounds=3, learning_rate=1.5e-2)
    rounds = list(agent.learn())
    agent.close()
    entropy = [done.metrics.by_temperature[1.0].entropy for done in rounds]
    assert entropy[2] < entropy[0] / 4
    assert [[alarm.name for alarm in done.alarms] for done in rounds[:2]] == [[], []]
    (alarm,) = rounds[2].alarms
    assert (alarm.name, alarm.remedy, alarm.acted) == ("collapse", "explore", True)
    assert [done.plan.temperature for done in rounds[1:] if done.plan] == [1.0, 1.0, 1.2]
    assert {rollout.temperature for rollout in rounds[3].rollouts} == {1.2}
    assert agent.controller.plan().temperature == 1.0


def test_guards_that_only_watch_report_alarms_without_acting(
    policy: Policy, tmp_path: Path
) -> None:
    agent = sure_of_itself(policy, tmp_path, rounds=3, learning_rate=1.5e-2, guards="watch")
    rounds = list(agent.learn())
    agent.close()
    (alarm,) = rounds[2].alarms
    assert (alarm.name, alarm.acted) == ("collapse", False)
    assert "(no explore: the guards only watch)" in str(alarm)
    assert [done.plan.temperature for done in rounds[1:] if done.plan] == [1.0, 1.0, 1.0]


def test_a_policy_that_has_drifted_away_is_stopped(policy: Policy, tmp_path: Path) -> None:
    agent = sure_of_itself(policy, tmp_path / "one", rounds=5, learning_rate=0.1)
    rounds = list(agent.learn())
    agent.close()
    assert 1 < len(rounds) < 6
    drift = [done.metrics.drift for done in rounds]
    assert drift[0] == within_rounding(0)
    assert drift[-1] > 2 * rounds[0].metrics.by_temperature[1.0].entropy
    (alarm,) = (alarm for alarm in rounds[-1].alarms if alarm.name == "drift")
    assert (alarm.remedy, alarm.acted) == ("stop", True)
    assert list(agent.learn()) == []
    again = sure_of_itself(policy, tmp_path / "other", rounds=5, learning_rate=0.1)
    again.restore(describe(rounds[-1])["state"], None)
    assert list(again.learn()) == []


def test_a_wrong_majority_takes_the_policy_back_to_its_best_round(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    agent = wrong_majority(policy, tmp_path)
    after, checkpoints, updates = {}, {}, {}
    learning = agent.learn()
    for done in learning:
        after[done.number] = weights(policy)
        if done.finetuned:
            checkpoints[done.number] = done.finetuned.checkpoint
            updates[done.number] = done.finetuned.updates
        if done.back_to is not None:
            break
    majority = done.metrics.by_temperature[1.0].majority
    assert majority.said > majority.right == 0.0
    (alarm,) = (alarm for alarm in done.alarms if alarm.name == "over-confidence")
    assert (alarm.remedy, alarm.acted) == ("roll back", True)
    best = done.back_to
    assert best == done.number - 1  # none is better than another, so the last before it
    with pytest.raises(RuntimeError, match=f"wants the policy of round {best} back"):
        next(learning)
    agent.go_back(checkpoints[best])
    assert same_weights(weights(policy), after[best])
    following = next(agent.learn())
    agent.close()
    assert following.finetuned is not None
    assert following.finetuned.updates == updates[best] + 12  # Adam and schedule went back as well
    agent.go_back(None)
    assert same_weights(weights(policy), weights(loaded))


@pytest.mark.parametrize("agent", ["grpo", "iterative-rft", "rest-em"])
def test_every_agent_can_go_back(policy: Policy, tmp_path: Path, agent: str) -> None:
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), agent=agent, rounds=3, guards="act")
    learning = learner.learn()
    _, first = next(learning), next(learning)
    after = weights(policy)
    second = next(learning)
    assert not same_weights(weights(policy), after)
    assert first.finetuned is not None
    assert second.finetuned is not None
    learner.go_back(first.finetuned.checkpoint)
    assert same_weights(weights(policy), after)
    third = next(learner.learn())
    learner.close()
    assert third.finetuned is not None
    assert third.finetuned.updates == second.finetuned.updates


def test_the_best_round_is_not_left_for_a_worse_one(policy: Policy, tmp_path: Path) -> None:
    agent = wrong_majority(policy, tmp_path, rounds=3, guards="watch")
    base, *_, last = agent.learn(2)
    agent.close()
    guards = Guards(agent.recipe.replace(guards="act"), [agent.validation.panel])
    table = score_table([rollout("p", right=0.0, self_certainty=0.5)])
    guards.observe(0, base.metrics, 1.0, table)
    better = replace(last.metrics, greedy=base.metrics.greedy + 0.01)
    (alarm,) = (a for a in guards.observe(1, better, 1.0, table) if a.name == "over-confidence")
    assert (alarm.acted, alarm.why_not) == (False, "no round was as good")
    assert (guards.back_to, guards.best) == (None, 1)
    guards.observe(2, last.metrics, 1.0, table)
    assert (guards.back_to, guards.best) == (1, 1)
    # A run that learns from labels alone does not follow the majority, also where it could vote.
    for mixing in ({"unlabelled": 0.0}, {"unlabelled": 0.5, "unlabelled_start": 1.0}):
        recipe = agent.recipe.replace(guards="act", **mixing)
        labelled = Guards(recipe, [agent.validation.panel])
        labelled.observe(0, base.metrics, 1.0, table)
        raised = {alarm.name for alarm in labelled.observe(1, better, 1.0, table)}
        assert "over-confidence" not in raised


def test_without_labels_the_newest_round_is_the_best(policy: Policy, tmp_path: Path) -> None:
    unknown = RewardPanel([Unknown(), Anything(), SelfCertainty()])
    agent = agent_of(
        policy, tmp_path, unknown, gate="format", rank="self_certainty", guards="act", rounds=1
    )
    assert [done.alarms for done in agent.learn()] == [(), ()]
    agent.close()
    assert agent.guards.best == 1


class Unknown:
    """A verifier that has no label to go by."""

    name = "correctness"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.full(len(attempts), np.nan, np.float32)


def test_an_alarm_is_told_by_progress_rows_and_report(model: str, tmp_path: Path) -> None:
    recipe = TINY.replace(**MAJORITY, model=model)
    with (tmp_path / "said").open("w") as said:
        folder = train(recipe, tmp_path / "run", Console(file=said, width=500))
    rows = folder.rounds()
    back = next(row for row in rows if row["back_to"] is not None)
    texts = [alarm["text"] for alarm in back["alarms"]]
    assert any("ALARM over-confidence" in text for text in texts)
    assert all(text in (tmp_path / "said").read_text() for text in texts)
    page = (folder.path / "report.html").read_text()
    assert all(str(escape(text)) in page for text in texts)
    assert "correctness/self_certainty" in page
    assert "Pseudo-labels" in page
    # The rounds behind went on from where the run was taken back to.
    updates = {row["number"]: row["tuned"]["updates"] for row in rows if row["tuned"]}
    assert updates[back["number"] + 1] == updates[back["back_to"]] + 12
    assert folder.checkpoint_after(back["number"]) == folder.checkpoint(back["back_to"])
    json.dumps(rows, allow_nan=False)


def test_each_alarm_has_one_remedy_and_each_remedy_one_alarm() -> None:
    assert sorted(REMEDIES) == sorted(get_args(AlarmName))
    assert sorted(REMEDIES.values()) == sorted(get_args(Remedy))
