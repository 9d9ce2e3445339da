"""Online reinforcement learning by TRL's trainers, on our sampler and reward panel.

``Online`` runs one trainer through all rounds; ``TrlBridge`` gives it problems, responses and
rewards. A trainer plugs in with a function from a ``TrainerSpec``, reward columns and a table to
the trainer, and one line in ``agent.TRAINERS``; the algorithm's name goes into the agents' catalog.
"""

from mstar.agents.online.agent import TRAINERS, Online
from mstar.agents.online.trainers import TrainerSpec
from mstar.agents.online.trl_bridge import RewardColumn, RoundBatch, TrlBridge

__all__ = ["TRAINERS", "Online", "RewardColumn", "RoundBatch", "TrainerSpec", "TrlBridge"]
