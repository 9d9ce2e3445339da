"""The agents by name: to add one, write a subclass of ``Agent`` and add a line here."""

from __future__ import annotations

from mstar.agents.registry import Entry, resolve

# They learn from the rewards of all their responses, through TRL's trainers.
ONLINE_AGENTS: dict[str, Entry] = {
    "grpo": "mstar.agents.online.agent:Online",
    "dr-grpo": "mstar.agents.online.agent:Online",
    "dapo": "mstar.agents.online.agent:Online",
    "gspo": "mstar.agents.online.agent:Online",
    "rloo": "mstar.agents.online.agent:Online",
    "online-dpo": "mstar.agents.online.agent:Online",
}

AGENTS: dict[str, Entry] = {
    # They are fine-tuned on their own best responses, and differ in what a round inherits from the
    # one before. `mstar` is `continuous` with a process reward and a controller that moves.
    "mstar": "mstar.agents.self_evolving:SelfEvolving",
    "continuous": "mstar.agents.self_evolving:SelfEvolving",
    "iterative-rft": "mstar.agents.self_evolving:IterativeRFT",
    "rest-em": "mstar.agents.self_evolving:ReSTEM",
    "star": "mstar.agents.star:Star",
    # It is fine-tuned on worked solutions.
    "sft": "mstar.agents.sft:Sft",
    **ONLINE_AGENTS,
}


def agent_class(name: str) -> type:
    """The class of an agent: a name in ``AGENTS``, or ``module:Class`` of your own.

    Raises:
        ValueError: there is no such agent.
    """
    found: type = resolve("agent", AGENTS, name)
    return found
