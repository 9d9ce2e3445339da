"""The policy: a vision-language model with its processor, on one process or many.

A model that transformers loads as image-text-to-text plugs in by its name or folder;
docs/architectures.md has the families that were tried. ``policy`` loads and saves it and encodes
prompts, ``processors`` loads its processor, ``backends`` tells if torchvision can be used,
``turns`` puts responses behind prompts, token by token, for all that learns or scores, and
``embedded`` has the small model that ships. ``distributed`` has the processes of a launch,
``sharding`` the weights that FSDP2 or ZeRO shards over them, ``launch`` the check of its options,
and ``forward`` evaluates a model that a trainer has wrapped.
"""

from mstar.agents.policy.backends import TORCHVISION
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy, Precision

__all__ = ["EMBEDDED", "TORCHVISION", "Policy", "Precision"]
