"""The policy: a vision-language model with its processor, on one process or many.

Any model that transformers loads as image-text-to-text plugs in by its name or folder. ``policy``
loads and saves it and encodes prompts; ``turns`` puts responses behind them, token by token, for
all that learns or scores; ``processors`` has what a model needs in place of its own processor,
``embedded`` the small model that ships. ``distributed`` has the processes of a launch, ``sharding``
the weights that FSDP2 or ZeRO shards over them, ``launch`` the check of its options, and
``forward`` evaluates a model that a trainer has wrapped.
"""

from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy, Precision

__all__ = ["EMBEDDED", "Policy", "Precision"]
