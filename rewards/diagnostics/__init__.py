"""Checks of a panel: do its scores mean what they should?

``canaries`` scores attempts of known quality before a run; ``health`` measures how each reward
model agrees with the verifier and adapts weights to that; ``calibration`` compares stated
confidence with outcomes; ``proxy_guard`` freezes a reward model whose scores rise while
correctness does not. All are pure functions or values: another check = one file, called from
``mstar.agents.monitor`` (during a run) or ``mstar.experiments.run`` (before it).
"""

from mstar.rewards.diagnostics.calibration import Calibration, calibration
from mstar.rewards.diagnostics.canaries import JUNK, CanaryReport, canaries, check_canaries
from mstar.rewards.diagnostics.health import (
    ModelHealth,
    adapted_weights,
    agreement,
    pairwise,
    panel_health,
    spearman,
)
from mstar.rewards.diagnostics.proxy_guard import Frozen, ProxyGuard

__all__ = [
    "JUNK",
    "Calibration",
    "CanaryReport",
    "Frozen",
    "ModelHealth",
    "ProxyGuard",
    "adapted_weights",
    "agreement",
    "calibration",
    "canaries",
    "check_canaries",
    "pairwise",
    "panel_health",
    "spearman",
]
