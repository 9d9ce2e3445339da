"""What must hold between the settings of a recipe."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from mstar.rewards.pseudo_labels import VOTES

if TYPE_CHECKING:  # a recipe checks itself by this file
    from mstar.agents.recipe import Recipe


def check_unlabelled(recipe: Recipe) -> None:
    """Raise ValueError for shares and votes that make no sense."""
    if not 0 <= recipe.unlabelled <= 1:
        raise ValueError(f"unlabelled must lie in [0, 1], got {recipe.unlabelled}")
    if recipe.pseudo not in VOTES:
        raise ValueError(f"there is no vote {recipe.pseudo!r}; known: {', '.join(VOTES)}")
    for name in ("mix_in", "gold"):
        if not 0 <= getattr(recipe, name) < 1:
            raise ValueError(f"{name} must lie in [0, 1), got {getattr(recipe, name)}")
    if recipe.unlabelled == 1 and (recipe.mix_in or recipe.gold):
        raise ValueError(
            "with unlabelled 1 there are no labelled problems for mix_in or gold; lower it"
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
