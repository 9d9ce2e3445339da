"""What a solution is worth: the verifier, the other reward models and the panel."""

from collections.abc import Callable

from mstar.rewards.base import Answer, Attempt, RewardModel, Scores
from mstar.rewards.brevity import Brevity
from mstar.rewards.canaries import CanaryReport, check_canaries
from mstar.rewards.controls import MajorityOnly, RandomReward
from mstar.rewards.correctness import Correctness
from mstar.rewards.endpoint import Endpoint
from mstar.rewards.format import Format
from mstar.rewards.grounding import ImageAblation, TwinGrounding
from mstar.rewards.health import ModelHealth, adapted_weights, agreement, panel_health, spearman
from mstar.rewards.outcome import OutcomeReward
from mstar.rewards.panel import RewardPanel, Rule, ScoreTable
from mstar.rewards.process import ProcessReward
from mstar.rewards.proxy_guard import Frozen, ProxyGuard
from mstar.rewards.repetition import Repetition
from mstar.rewards.rescoring import recombine, rescore
from mstar.rewards.rules import RULES
from mstar.rewards.self_certainty import SelfCertainty
from mstar.rewards.self_consistency import SelfConsistency
from mstar.rewards.self_judge import SelfJudge
from mstar.rewards.trl_bridge import from_trl, to_trl
from mstar.rewards.trl_columns import answer_from_json, answer_to_json
from mstar.rewards.verify import Verdict, extract, verify

# What needs nothing to be constructed. Those that ask a model are JUDGES in agents/judges.py.
REWARDS: dict[str, Callable[[], RewardModel]] = {
    "correctness": Correctness,
    "format": Format,
    "self_consistency": SelfConsistency,
    "grounding": TwinGrounding,
    "brevity": Brevity,
    "repetition": Repetition,
    "self_certainty": SelfCertainty,
    "random": RandomReward,
    "majority": MajorityOnly,
}

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
    "spearman",
    "to_trl",
    "verify",
]
