"""What a solution is worth: the verifier, the other reward models and the panel."""

from mstar.rewards.base import Answer, Attempt, RewardModel, Scores
from mstar.rewards.diagnostics.canaries import CanaryReport, check_canaries
from mstar.rewards.diagnostics.health import (
    ModelHealth,
    adapted_weights,
    agreement,
    panel_health,
    spearman,
)
from mstar.rewards.diagnostics.proxy_guard import Frozen, ProxyGuard
from mstar.rewards.models.brevity import Brevity
from mstar.rewards.models.controls import MajorityOnly, RandomReward
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.models.endpoint import Endpoint
from mstar.rewards.models.format import Format
from mstar.rewards.models.grounding import ImageAblation, TwinGrounding
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.process import ProcessReward
from mstar.rewards.models.repetition import Repetition
from mstar.rewards.models.self_certainty import SelfCertainty
from mstar.rewards.models.self_consistency import SelfConsistency
from mstar.rewards.models.self_judge import SelfJudge
from mstar.rewards.panel import RewardPanel, Rule, ScoreTable
from mstar.rewards.registry import REWARDS, reward_model, reward_names
from mstar.rewards.rescoring import recombine, rescore
from mstar.rewards.rules import RULES
from mstar.rewards.trl.bridge import from_trl, to_trl
from mstar.rewards.trl.columns import answer_from_json, answer_to_json
from mstar.rewards.verifier.verify import Verdict, extract, verify

__all__ = [
    "REWARDS",
    "RULES",
    "Answer",
    "Attempt",
    "Brevity",
    "CanaryReport",
    "Correctness",
    "Endpoint",
    "Format",
    "Frozen",
    "ImageAblation",
    "MajorityOnly",
    "ModelHealth",
    "OutcomeReward",
    "ProcessReward",
    "ProxyGuard",
    "RandomReward",
    "Repetition",
    "RewardModel",
    "RewardPanel",
    "Rule",
    "ScoreTable",
    "Scores",
    "SelfCertainty",
    "SelfConsistency",
    "SelfJudge",
    "TwinGrounding",
    "Verdict",
    "adapted_weights",
    "agreement",
    "answer_from_json",
    "answer_to_json",
    "check_canaries",
    "extract",
    "from_trl",
    "panel_health",
    "recombine",
    "rescore",
    "reward_model",
    "reward_names",
    "spearman",
    "to_trl",
    "verify",
]
