"""Reward models that need a recipe, by name; a new one is one function and one line here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.agents.judges.image_ablation import ImageGap
from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge, StepJudgeReward
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.pixels import PixelBounds
from mstar.agents.policy.policy import Policy
from mstar.agents.registry import did_you_mean
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.settings import ModelConfig
from mstar.envs.problem import Prompt
from mstar.rewards.base import LazyImage, RewardModel, Rule
from mstar.rewards.models.endpoint import Endpoint
from mstar.rewards.models.format import Format
from mstar.rewards.models.grounding import ImageAblation
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.process import ReadingReward
from mstar.rewards.models.self_judge import Ask, SelfJudge
from mstar.rewards.panel import RewardPanel
from mstar.rewards.registry import reward_model, reward_names
from mstar.rewards.rules import RULES, gated

JUDGE_KEY = "MSTAR_JUDGE_KEY"  # environment variable: recipes are stored, a key must not be
MAX_VERDICT_TOKENS = 256
MOST_FAILURES = 0.2  # of an endpoint, as a share of a batch; above, the run stops


def process(recipe: Recipe) -> RewardModel:
    """The lowest step score of the recipe's step judge, which is loaded anew by every call."""
    return StepJudgeReward(StepJudge.load(step_judge_folder(recipe), recipe.data.image_size))


def reading(recipe: Recipe) -> RewardModel:
    """The lowest score that the recipe's step judge gives to a step that states something seen."""
    judge = StepJudge.load(step_judge_folder(recipe), recipe.data.image_size)
    return ReadingReward(judge.scores)


def shipped_process() -> RewardModel:
    """``process`` without a recipe, as in ``gymnasium.make``: the model that ships."""
    return process(Recipe())


def outcome(recipe: Recipe) -> RewardModel:
    """The recipe's outcome reward model, which scores a whole response.

    Raises:
        ValueError: the recipe has no ``outcome_judge``.
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
    """How much images raise the likelihood of a right response under the recipe's base model."""
    return ImageAblation(ImageGap(_frozen(recipe.model), recipe.data.image_size))


def self_judge(recipe: Recipe) -> RewardModel:
    """The recipe's base model, or its endpoint, prompted with a rubric."""
    if recipe.rewards.judge_url:
        endpoint = Endpoint(
            recipe.rewards.judge_url, recipe.rewards.judge_model, os.environ.get(JUDGE_KEY)
        )
        return SelfJudge(endpoint, workers=8, most_failures=MOST_FAILURES)
    return SelfJudge(_greedy_replies(_frozen(recipe.model), recipe.data.image_size))


def response_form(recipe: Recipe) -> RewardModel:
    """Whether a response has the form that the recipe's prompts ask for."""
    return Format(recipe.data.answer_form)


JUDGES: dict[str, Callable[[Recipe], RewardModel]] = {
    "format": response_form,
    "process": process,
    "reading": reading,
    "outcome": outcome,
    "image_ablation": image_ablation,
    "self_judge": self_judge,
}


def panel_of(recipe: Recipe) -> RewardPanel:
    """The recipe's panel, with new copies of those of its models that are checkpoints.

    Raises:
        ValueError: no reward model has one of the names.
        FileNotFoundError: a folder of the recipe holds no judge.
    """
    rule: Rule = RULES[recipe.reward_rule]
    if recipe.reward_rule == "gated":
        rule = partial(gated, gate=recipe.selection.gate)
    return RewardPanel(
        reward_models(recipe.rewards.panel, recipe),
        recipe.reward_weights,
        rule,
        unfinished=recipe.rewards.unfinished,
    )


def reward_models(names: Sequence[str], recipe: Recipe) -> list[RewardModel]:
    """Load reward models by name, with the settings of a recipe.

    Raises:
        ValueError: no reward model has one of the names.
        FileNotFoundError: a folder of the recipe holds no judge.
    """
    check_names(names)
    return [JUDGES[name](recipe) if name in JUDGES else reward_model(name) for name in names]


def endpoints_in(*panels: RewardPanel) -> list[Endpoint]:
    """The endpoints that judges of some panels ask, each once."""
    models = (model for panel in panels for model in panel.models)
    asked = [m.ask for m in models if isinstance(m, SelfJudge) and isinstance(m.ask, Endpoint)]
    return list({id(endpoint): endpoint for endpoint in asked}.values())


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError if no reward model has one of the names."""
    known = dict.fromkeys([*reward_names(), *JUDGES])
    if missing := [name for name in names if name not in known and ":" not in name]:
        hint = did_you_mean(missing[0], list(known))
        raise ValueError(f"no reward model {missing}{hint}; known: {', '.join(known)}")
    if taken := [name for name in names if ":" in name and name.rpartition(":")[2] in known]:
        raise ValueError(
            f"{taken[0]} has the name of a reward model that ships, and a table could not tell "
            "the two apart; give it another"
        )


def _greedy_replies(policy: Policy, size: int) -> Ask:
    """A policy as a judge: text and images in, its greedy response out."""
    sampler = LocalSampler(policy, MAX_VERDICT_TOKENS, 1)

    def ask(text: str, images: Sequence[LazyImage]) -> str:
        prompt = Prompt(text, tuple(image.render(size) for image in images), "judge")
        return sampler.sample([prompt], 1, 0.0, 0)[0][0].text

    return ask


def step_judge_folder(recipe: Recipe) -> Path:
    """The folder that the recipe's step judge is loaded from."""
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


@lru_cache(maxsize=1)  # shared by the reward models of a panel, none of which trains it
def _frozen(model: ModelConfig) -> Policy:
    name = str(EMBEDDED) if model.name == "embedded" else model.name
    pixels = PixelBounds(model.min_pixels, model.max_pixels)
    return Policy.load(name, dtype=model.dtype, pixels=pixels)
