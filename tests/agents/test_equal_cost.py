"""What practice costs and what measuring costs are told apart, and a run ends with its budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import TINY, Even, agent_of

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.types import Cost
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.source import Subset
from mstar.experiments.run.problems import evaluation_sets, open_task
from mstar.rewards.panel import RewardPanel


def test_the_temperatures_that_a_controller_asks_for_are_practice(
    policy: Policy, tmp_path: Path
) -> None:
    panel = RewardPanel([Even()])
    learner = agent_of(policy, tmp_path, panel, controller="reward-pass@2", rounds=3)
    _, _, swept, last = learner.learn()
    learner.close()
    sampled = sum(len(r.response.tokens) for r in swept.rollouts) * 2  # of two like rounds, about
    assert len(swept.metrics.by_temperature) == 14
    common = 3 * swept.metrics.problems * (1 + swept.metrics.samples)
    assert swept.cost.measured_responses == common
    assert swept.cost.training_tokens > sampled
    assert len(last.metrics.by_temperature) == 1


@pytest.mark.parametrize(
    "limit", [{"rounds": 2}, {"token_budget": 4 * 2 * TINY.sampling.max_new_tokens + 1}]
)
def test_no_temperature_is_probed_for_a_round_that_does_not_come(
    policy: Policy, tmp_path: Path, limit: dict[str, int]
) -> None:
    panel = RewardPanel([Even()])
    changes = {"rounds": 9, **limit}
    learner = agent_of(policy, tmp_path, panel, controller="reward-pass@2", **changes)
    last = list(learner.learn())[-1]
    learner.close()
    assert last.number == 2, "a round in which the controller would sweep"
    assert len(last.metrics.by_temperature) == 1


@pytest.mark.parametrize("agent", ["continuous", "rest-em", "grpo"])
def test_a_run_ends_with_the_round_that_reaches_its_budget(
    policy: Policy, tmp_path: Path, agent: str
) -> None:
    panel = RewardPanel([Even()])
    budget = 4 * 2 * TINY.sampling.max_new_tokens + 1  # more than one round can write
    learner = agent_of(policy, tmp_path, panel, agent=agent, rounds=9, token_budget=budget)
    rounds = list(learner.learn())
    assert rounds[-2].cost.training_tokens < budget <= rounds[-1].cost.training_tokens
    assert list(learner.learn()) == []  # as for a run that is started again
    learner.close()


def test_an_older_bill_without_measuring_can_be_gone_on_with() -> None:
    older = {"responses": 3, "tokens": 5, "flops": 7.0, "seconds": 1.0}
    assert Cost(**older).training_tokens == 5  # type: ignore[arg-type]


def test_a_pool_comes_round() -> None:
    recipe = TINY.replace(pool=3, families=("BarChart",))
    drawn = [problem.id for problem in open_task(recipe, "train").draw(7)]
    assert len(set(drawn)) == 3
    assert drawn == [*drawn[:3], *drawn[:3], drawn[0]]
    validation = [problem.id for problem in open_task(recipe, "validation").draw(7)]
    assert len(set(validation)) == 7
    with pytest.raises(ValueError, match="at least one problem"):
        Subset(FAMILIES["Dice"](1), 0)


def test_the_harder_exam_is_one_level_up_and_off_by_default() -> None:
    assert [tested.group for tested in evaluation_sets(TINY.replace(test=4))] == ["trained"]
    trained, harder = evaluation_sets(TINY.replace(test=4, test_harder=True))
    assert (harder.group, len(harder.problems)) == ("harder", 2)
    assert {problem.tags["level"] for problem in harder.problems} == {"2"}
    assert {problem.tags["level"] for problem in trained.problems} == {"1"}
    with pytest.raises(ValueError, match="a level above 3"):
        Recipe.of(level=3, test_harder=True)
    with pytest.raises(ValueError, match="token_budget must be 0 or more"):
        Recipe.of(token_budget=-1)
