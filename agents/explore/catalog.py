"""Controllers and mixings by name: to add one, write a class and add a line here."""

from __future__ import annotations

from mstar.agents.registry import Entry

# Subclasses of ``ExplorationController``, made of the first round's plan and the recipe.
CONTROLLERS: dict[str, Entry] = {
    "fixed": "mstar.agents.explore.base:Fixed",
    "schedule": "mstar.agents.explore.schedule:Schedule",
    "reward-pass@2": "mstar.agents.explore.sweep:RewardPass2",
    "pass@k": "mstar.agents.explore.sweep:PassK",
    "balance": "mstar.agents.explore.balance:Balance",
    "entropy": "mstar.agents.explore.entropy:Entropy",
    "paired": "mstar.agents.explore.paired:Paired",
    "free": "mstar.agents.explore.free:Free",
    "tampo": "mstar.agents.explore.tampo:Tampo",
}

# Subclasses of ``Mixing``, made of the recipe.
MIXINGS: dict[str, Entry] = {
    "scheduled": "mstar.agents.explore.data_mix:Scheduled",
    "adaptive": "mstar.agents.explore.data_mix:Adaptive",
    "curriculum": "mstar.agents.explore.curriculum:Curriculum",
}
