"""Reward models that are models themselves, and so are made for a recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.agents.judges.image_ablation import ImageGap
from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge, StepJudgeReward
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy, Precision
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.rewards.base import LazyImage, RewardModel
from mstar.rewards.models.endpoint import Endpoint
from mstar.rewards.models.grounding import ImageAblation
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.self_judge import Ask, SelfJudge
from mstar.rewards.panel import RewardPanel
from mstar.rewards.registry import reward_model, reward_names

JUDGE_KEY = "MSTAR_JUDGE_KEY"  # an environment variable: a recipe is stored, a key must not be
LONGEST_VERDICT = 256  # tokens of a reply to the rubric


def process(recipe: Recipe) -> RewardModel:
    """The lowest step score of the recipe's step judge, which is loaded anew by every call."""
    return StepJudgeReward(StepJudge.load(step_judge_folder(recipe), recipe.data.image_size))


def shipped_process() -> RewardModel:
    """``process`` without a recipe, as in ``gymnasium.make``: by the step judge that ships."""
    return process(Recipe())


def outcome(recipe: Recipe) -> RewardModel:
    """The recipe's outcome judge, of the whole response.

    Raises:
        ValueError: the recipe names none.
    """
    if not recipe.rewards.outcome_judge:
        raise ValueError(
            "the panel has 'outcome' and the recipe no outcome_judge; train one with "
            "`python -m mstar.experiments.judges.train --target outcome --out DIR` and give "
            "`--outcome-judge DIR`"
        )
    judge = StepJudge.load(recipe.rewards.outcome_judge, recipe.data.image_size)
    return OutcomeReward(judge.scores)


def image_ablation(recipe: Recipe) -> RewardModel:
    """How much the picture makes a right response likelier to the recipe's model as it came."""
    return ImageAblation(
        ImageGap(_frozen(recipe.model.name, recipe.model.dtype), recipe.data.image_size)
    )


def self_judge(recipe: Recipe) -> RewardModel:
    """The recipe's model as it came, asked with a rubric; or the endpoint that the recipe names."""
    if recipe.rewards.judge_url:
        asked = Endpoint(
            recipe.rewards.judge_url, recipe.rewards.judge_model, os.environ.get(JUDGE_KEY)
        )
        return SelfJudge(asked, workers=8)
    return SelfJudge(
        _asking(_frozen(recipe.model.name, recipe.model.dtype), recipe.data.image_size)
    )


JUDGES: dict[str, Callable[[Recipe], RewardModel]] = {
    "process": process,
    "outcome": outcome,
    "image_ablation": image_ablation,
    "self_judge": self_judge,
}


def panel_of(recipe: Recipe) -> RewardPanel:
    """The recipe's panel, with new copies of those of its models that are checkpoints.

    Raises:
        ValueError: a name that no reward model has.
        FileNotFoundError: there is no step judge in the recipe's folder.
    """
    return RewardPanel(reward_models(recipe.rewards.panel, recipe), recipe.reward_weights)


def reward_models(names: Sequence[str], recipe: Recipe) -> list[RewardModel]:
    """Reward models by name; those that are models are made as the recipe says.

    Raises:
        ValueError: a name that no reward model has.
        FileNotFoundError: there is no judge in the recipe's folder.
    """
    check_names(names)
    return [JUDGES[name](recipe) if name in JUDGES else reward_model(name) for name in names]


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError for a name that no reward model has."""
    known = dict.fromkeys([*reward_names(), *JUDGES])
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no reward model {unknown}; known: {', '.join(known)}")


def _asking(policy: Policy, size: int) -> Ask:
    """A policy as a judge that is asked in words, and answers with what it finds likeliest."""
    sampler = LocalSampler(policy, LONGEST_VERDICT, 1)

    def ask(text: str, images: Sequence[LazyImage]) -> str:
        prompt = Prompt(text, tuple(image.render(size) for image in images), "judge")
        return sampler.sample([prompt], 1, 0.0, 0)[0][0].text

    return ask


def step_judge_folder(recipe: Recipe) -> Path:
    """Where the recipe's step judge comes from."""
    named = recipe.rewards.step_judge
    return STEP_JUDGE if named == "embedded" else Path(named)


def step_judge_in(panel: RewardPanel) -> StepJudge:
    """The step judge behind the ``process`` of a panel.

    Raises:
        ValueError: the panel has none.
    """
    for model in panel.models:
        if isinstance(model, StepJudgeReward):
            return model.judge
    raise ValueError(f"the panel {panel.names} has no step judge; make it with panel_of(recipe)")


@lru_cache(maxsize=1)  # several judges of a panel may ask it, and none trains it
def _frozen(model: str, dtype: Precision) -> Policy:
    return Policy.load(str(EMBEDDED) if model == "embedded" else model, dtype=dtype)
