"""Retraining the step judge during a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import panel_of, step_judge_in
from mstar.agents.judges.refresh import JudgeRefresh
from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.self_evolving import SelfEvolving
from mstar.agents.types import Rollout
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Prompt
from mstar.envs.variants.unlabelled import unlabelled
from mstar.experiments.run.problems import open_task


@pytest.fixture
def recipe(model: str, tmp_path: Path) -> Recipe:
    torch.manual_seed(0)
    StepJudge.fresh(Policy.load(model)).save(tmp_path / "judge")
    following = Recipe().replace(panel=("correctness", "process"), rank="process", judge_refresh=2)
    return following.replace(step_judge=str(tmp_path / "judge"))


def rollouts(withheld: bool = False) -> list[Rollout]:
    family = FAMILIES["Dice"](1)
    source = unlabelled(family, 1.0) if withheld else family
    found = []
    for index in range(3):
        problem, known = source.problem("train", 0, index), family.problem("train", 0, index)
        for text in (known.solution, "red is 99\nAnswer: 3", ""):
            response = Response(text, (1,), 0.0, 0.0, 0.0, True)
            found.append(
                Rollout(problem, Prompt("", (), ""), response, 1.0, 0, {"correctness": 1.0}, 1.0)
            )
    return found


def test_the_judge_is_trained_every_few_rounds_and_saved_beside_the_policy(
    recipe: Recipe, tmp_path: Path
) -> None:
    judge = step_judge_in(panel_of(recipe))
    refresh = JudgeRefresh(judge, recipe)
    before = judge.head.weight.detach().clone()
    assert refresh.after(1, rollouts(), tmp_path / "one") is None
    assert torch.equal(judge.head.weight, before)
    loss = refresh.after(2, rollouts(), tmp_path / "two")
    assert loss is not None
    assert loss > 0
    learned = judge.head.weight.detach().clone()
    assert not torch.equal(learned, before)
    refresh.restore(None)
    assert torch.equal(judge.head.weight, before)
    refresh.restore(tmp_path / "two")
    assert torch.equal(judge.head.weight, learned)


def test_the_judge_is_not_trained_on_unlabelled_problems(recipe: Recipe, tmp_path: Path) -> None:
    judge = step_judge_in(panel_of(recipe))
    refresh = JudgeRefresh(judge, recipe)
    assert refresh.after(2, rollouts(withheld=True), tmp_path / "two") is None


def test_a_judge_that_is_trained_is_not_shared_with_another_run(recipe: Recipe) -> None:
    assert step_judge_in(panel_of(recipe)) is not step_judge_in(panel_of(recipe))


def test_training_and_validation_problems_must_share_the_judge_that_is_trained(
    policy: Policy, recipe: Recipe, tmp_path: Path
) -> None:
    env, apart = open_task(recipe, "train"), open_task(recipe, "validation")
    with pytest.raises(ValueError, match="give both the same panel"):
        SelfEvolving(policy, env, apart, recipe, tmp_path)
    panel = env.panel
    agent = SelfEvolving(
        policy, env, open_task(recipe, "validation", panel=panel), recipe, tmp_path
    )
    agent.close()


def test_a_recipe_without_a_judge_to_refresh_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 'process' in the panel"):
        Recipe().replace(judge_refresh=1)
