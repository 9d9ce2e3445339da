"""Monitoring: the evaluation of the policy after every round, and the alarms that follow.

``Monitor.evaluate`` samples the validation problems, computes the metrics (``metrics``), the health
of the reward models and the drift from the base (``drift``), and has the guards (``guards``) check
them. An alarm is one entry in ``alarms.signs``, which finds it, and one in ``alarms.REMEDIES``,
which answers it; the guards apply the remedy.
"""

from mstar.agents.monitor.alarms import REMEDIES
from mstar.agents.monitor.evaluation import Evaluation, Monitor
from mstar.agents.monitor.guards import Guards
from mstar.agents.monitor.metrics import measure

__all__ = ["REMEDIES", "Evaluation", "Guards", "Monitor", "measure"]
