"""The agents by name."""

from __future__ import annotations

from mstar.agents.agent import Agent
from mstar.agents.config import AgentName
from mstar.agents.online.agent import Online
from mstar.agents.self_evolving import SelfEvolving
from mstar.agents.sft import Sft
from mstar.agents.star import Star

AGENTS: dict[AgentName, type[Agent]] = {
    # They learn from their own best answers, and differ in what a round inherits; `mstar` is
    # `continuous` with a process reward and a controller that moves, see the recipe.
    "mstar": SelfEvolving,
    "continuous": SelfEvolving,
    "iterative-rft": SelfEvolving,
    "rest-em": SelfEvolving,
    "star": Star,
    # It learns from worked solutions.
    "sft": Sft,
    # They learn from the rewards of all their answers.
    "grpo": Online,
    "dr-grpo": Online,
    "dapo": Online,
    "gspo": Online,
    "rloo": Online,
    "online-dpo": Online,
}
