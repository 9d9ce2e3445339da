"""What must hold between the settings of a recipe."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from mstar.rewards.voting import VOTES

if TYPE_CHECKING:  # a recipe checks itself by this file
    from mstar.agents.config import Recipe


def check_unlabelled(recipe: Recipe) -> None:
    """Raise ValueError for shares and votes that make no sense."""
    if not 0 <= recipe.unlabelled <= 1:
        raise ValueError(f"unlabelled must lie in [0, 1], got {recipe.unlabelled}")
    if recipe.pseudo not in VOTES:
        raise ValueError(f"there is no vote {recipe.pseudo!r}; known: {', '.join(VOTES)}")
    if not 0 <= recipe.mix_in <= 1:
        raise ValueError(f"mix_in must lie in [0, 1], got {recipe.mix_in}")
    if not 0 <= recipe.gold < 1:
        raise ValueError(f"gold must lie in [0, 1), got {recipe.gold}")
    adaptive = recipe.mixing == "adaptive"
    if recipe.unlabelled == 1 and (recipe.mix_in or recipe.gold or adaptive):
        raise ValueError(
            "with unlabelled 1 there are no labelled problems for mix_in, gold or adaptive mixing; "
            "lower it"
        )
    if adaptive and recipe.mix_in:
        raise ValueError(
            f"mix_in is {recipe.mix_in}, but adaptive mixing finds out by itself when unlabelled "
            "problems are mixed in; leave mix_in at 0, or take scheduled mixing"
        )
    if adaptive and not recipe.unlabelled and not recipe.gold:
        raise ValueError(
            "adaptive mixing has nothing to mix: give --unlabelled, --gold or both their shares"
        )
    if recipe.gold and recipe.online:
        raise ValueError(
            f"gold is {recipe.gold}, but {recipe.agent} learns from rewards and is shown no "
            "solutions; leave gold at 0, or take an agent that fine-tunes"
        )


def check_panel(recipe: Recipe) -> None:
    """Raise ValueError for a gate, rank or weights that the panel does not have."""
    if recipe.gate not in recipe.panel:
        raise ValueError(
            f"the gate {recipe.gate!r} is not in the panel {recipe.panel}; add it to the panel"
        )
    if recipe.rank != "reward" and recipe.rank not in recipe.panel:
        raise ValueError(
            f"the rank {recipe.rank!r} is neither 'reward' nor in the panel {recipe.panel}"
        )
    if recipe.weights and len(recipe.weights) != len(recipe.panel):
        raise ValueError(
            f"{len(recipe.weights)} weights are given for the panel {recipe.panel}; give one for "
            "each, in its order"
        )
    if recipe.weights and not (min(recipe.weights) >= 0 and 0 < sum(recipe.weights) < inf):
        raise ValueError(f"weights must be finite, >= 0 and not all 0, got {recipe.weights}")


def check_judges(recipe: Recipe) -> None:
    """Raise ValueError for a judge that is named by half, or has nothing to follow."""
    if bool(recipe.judge_url) != bool(recipe.judge_model):
        raise ValueError(
            f"judge_url is {recipe.judge_url!r} and judge_model is {recipe.judge_model!r}; give "
            "both for an endpoint, or neither for the run's own model"
        )
    if recipe.judge_refresh and (
        "process" not in recipe.panel or recipe.online or recipe.agent == "sft"
    ):
        raise ValueError(
            f"judge_refresh is {recipe.judge_refresh}, with the panel {recipe.panel} and the agent "
            f"{recipe.agent!r}; it needs 'process' in the panel and an agent that selects"
        )


def check_server(recipe: Recipe) -> None:
    """Raise ValueError for an address that is none, and for scores that a server does not give."""
    if recipe.server and not recipe.server.startswith(("http://", "https://")):
        raise ValueError(
            f"server is {recipe.server!r}; give an address such as http://localhost:8000"
        )
    if recipe.server and recipe.rank == "self_certainty":
        raise ValueError(
            "a server does not tell how certain the policy is, so rank cannot be "
            "'self_certainty'; give another --rank, such as reward"
        )
