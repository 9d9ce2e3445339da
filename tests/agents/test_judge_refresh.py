"""A step judge that follows the policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import save_tiny_model

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import step_judge_of
from mstar.agents.judges.refresh import JudgeRefresh
from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.types import Rollout
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.variants.unlabelled import unlabelled


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    torch.manual_seed(0)
    StepJudge.fresh(Policy.load(str(save_tiny_model("llava", tmp_path / "llava")))).save(
        tmp_path / "judge"
    )
    following = Recipe().replace(panel=("correctness", "process"), rank="process", judge_refresh=2)
    return replace(following, step_judge=str(tmp_path / "judge"))


def rollouts(withheld: bool = False) -> list[Rollout]:
    family = FAMILIES["Dice"](1)
    source = unlabelled(family, 1.0) if withheld else family
    found = []
    for index in range(3):
        problem, known = source.problem("train", 0, index), family.problem("train", 0, index)
        for text in (known.solution, "red is 99\nAnswer: 3", ""):
            response = Response(text, (1,), 0.0, 0.0, 0.0, True)
            found.append(Rollout(problem, response, 1.0, 0, {"correctness": 1.0}, 1.0))
    return found


def test_the_judge_learns_every_so_many_rounds_and_stands_beside_the_policy(
    recipe: Recipe, tmp_path: Path
) -> None:
    judge = step_judge_of(recipe)
    refresh = JudgeRefresh(judge, recipe)
    before = judge.head.weight.detach().clone()
    assert refresh.after(1, rollouts(), tmp_path / "one") is None
    assert torch.equal(judge.head.weight, before)
    loss = refresh.after(2, rollouts(), tmp_path / "two")
    assert loss is not None
    assert loss > 0
    learned = judge.head.weight.detach().clone()
    assert not torch.equal(learned, before)
    again = JudgeRefresh(judge, recipe)  # another run in this process starts from the folder
    assert torch.equal(judge.head.weight, before)
    again.restore(tmp_path / "two")
    assert torch.equal(judge.head.weight, learned)
    again.restore(None)
    assert torch.equal(judge.head.weight, learned)


def test_withheld_answers_teach_the_judge_nothing(recipe: Recipe, tmp_path: Path) -> None:
    judge = step_judge_of(recipe)
    refresh = JudgeRefresh(judge, recipe)
    assert refresh.after(2, rollouts(withheld=True), tmp_path / "two") is None


def test_a_judge_that_is_trained_is_not_the_one_that_others_ask(recipe: Recipe) -> None:
    assert step_judge_of(recipe) is step_judge_of(recipe)
    assert step_judge_of(recipe) is not step_judge_of(recipe.replace(judge_refresh=0))


def test_a_recipe_that_has_no_judge_to_refresh_is_told() -> None:
    with pytest.raises(ValueError, match="needs 'process' in the panel"):
        Recipe().replace(judge_refresh=1)
