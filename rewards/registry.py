"""Reward models by name: those shipped here, and those that installed packages declare.

Reward models that need another model are constructed in ``mstar.agents.judges``.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import entry_points

from mstar.rewards.base import RewardModel
from mstar.rewards.models.brevity import Brevity
from mstar.rewards.models.controls import MajorityOnly, RandomReward
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.models.format import Format
from mstar.rewards.models.grounding import CounterfactualGrounding
from mstar.rewards.models.relaxed_accuracy import RelaxedAccuracy
from mstar.rewards.models.repetition import Repetition
from mstar.rewards.models.self_certainty import SelfCertainty
from mstar.rewards.models.self_consistency import SelfConsistency
from mstar.rewards.own import own_reward

GROUP = "mstar.rewards"  # of the entry points that name reward models

REWARDS: dict[str, Callable[[], RewardModel]] = {
    "correctness": Correctness,
    "relaxed_accuracy": RelaxedAccuracy,
    "format": Format,
    "self_consistency": SelfConsistency,
    "grounding": CounterfactualGrounding,
    "brevity": Brevity,
    "repetition": Repetition,
    "self_certainty": SelfCertainty,
    "random": RandomReward,
    "majority": MajorityOnly,
}


def reward_model(name: str) -> RewardModel:
    """Construct a reward model by its name.

    Reward models of other packages are declared as entry points of the group ``mstar.rewards`` and
    imported only when they are used::

        [project.entry-points."mstar.rewards"]
        politeness = "my_package.rewards:Politeness"

    Args:
        name: a key of ``REWARDS``; the name of an entry point whose object, called without
            arguments, returns a reward model; or ``FILE.py:NAME`` or ``module:NAME``, see
            ``own_reward``.

    Raises:
        ValueError: no reward model has this name.
    """
    if ":" in name:
        return own_reward(name)
    if name in REWARDS:
        return REWARDS[name]()
    for point in entry_points(group=GROUP, name=name):
        made: RewardModel = point.load()()
        return made
    near = get_close_matches(name, reward_names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"no reward model {name!r}{hint} Known: {', '.join(reward_names())}")


def reward_names() -> list[str]:
    """The names that ``reward_model`` accepts."""
    return list(dict.fromkeys([*REWARDS, *sorted(entry_points(group=GROUP).names)]))
