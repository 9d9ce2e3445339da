"""Runs of a tiny model that really go wrong, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tiny_runs import agent_of

from mstar.agents.agent import Agent
from mstar.agents.policy.policy import Policy
from mstar.rewards import Correctness, RewardPanel, SelfCertainty
from mstar.rewards.base import Attempt, Scores

# More samples and updates than other tests need: it takes some learning to go wrong.
HARD: dict[str, Any] = {
    "guards": "act",
    "prompts": 8,
    "samples": 4,
    "updates": 8,
    "batch": 4,
    "held_out": 24,
    "held_out_samples": 4,
    "max_new_tokens": 3,
}
# Without a label the wrong majority is learned, and confirms itself the more for it. So many
# updates bring it there in round 2, however a processor rounds.
MAJORITY: dict[str, Any] = {
    **HARD,
    "updates": 12,
    "panel": ("correctness", "self_certainty"),
    "gate": "correctness",
    "rank": "self_certainty",
    "unlabelled": 1.0,
    "pseudo": "vote",
    "rounds": 3,
}


class Anything:
    """Lets every response pass."""

    name = "format"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.ones(len(attempts), np.float32)


def sure_of_itself(policy: Policy, folder: Path, **changes: Any) -> Agent:
    """It learns from the responses that it is surest of, right or wrong: a reward to be gamed."""
    panel = RewardPanel([Correctness(), Anything(), SelfCertainty()])
    setting = {
        "gate": "format",
        "rank": "self_certainty",
        "selection": "top-k",
        "keep": 1,
        **HARD,
        "held_out": 8,
        **changes,
    }
    return agent_of(policy, folder, panel, **setting)


def wrong_majority(policy: Policy, folder: Path, **changes: Any) -> Agent:
    """It has no labels, and learns what most of its own responses say."""
    panel = RewardPanel([Correctness(), SelfCertainty()])
    setting = {name: value for name, value in MAJORITY.items() if name != "panel"}
    return agent_of(policy, folder, panel, **{**setting, **changes})
