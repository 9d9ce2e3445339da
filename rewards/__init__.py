"""Rewards: how good is a solution? The verifier, the other reward models, and the panel.

A reward model scores attempts (responses to problems) in [0, 1]; a panel holds several of them and
combines their scores by a rule. What plugs in: a reward model (``models``: one file and a line in
``REWARDS``, an entry point of another package, or a function of your own by ``FILE.py:NAME``, see
``registry``); an answer type of the verifier
(``verifier``: one file and a line in ``COMPARATORS``); a rule (``rules``: a function and a line in
``RULES``); a pseudo-label (``voting``); and every reward function written for TRL (``from_trl``;
``to_trl`` converts the other way). ``diagnostics`` checks panels. Importing this package loads no
torch.
"""

from mstar.rewards.base import Answer, Attempt, LazyImage, RewardModel, Rule, Scores, ScoreTable
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
from mstar.rewards.models.grounding import CounterfactualGrounding, ImageAblation, TwinGrounding
from mstar.rewards.models.outcome import OutcomeReward
from mstar.rewards.models.process import ProcessReward
from mstar.rewards.models.relaxed_accuracy import RelaxedAccuracy
from mstar.rewards.models.repetition import Repetition
from mstar.rewards.models.self_certainty import SelfCertainty
from mstar.rewards.models.self_consistency import SelfConsistency
from mstar.rewards.models.self_judge import SelfJudge
from mstar.rewards.own import OwnReward, own_reward
from mstar.rewards.panel import RewardPanel, recombine, rescore
from mstar.rewards.registry import REWARDS, reward_model, reward_names
from mstar.rewards.rules import RULES
from mstar.rewards.trl import answer_from_json, answer_to_json, from_trl, to_trl
from mstar.rewards.verifier.audit import audit
from mstar.rewards.verifier.verify import Verdict, equivalent, extract, verify

__all__ = [
    "REWARDS",
    "RULES",
    "Answer",
    "Attempt",
    "Brevity",
    "CanaryReport",
    "Correctness",
    "CounterfactualGrounding",
    "Endpoint",
    "Format",
    "Frozen",
    "ImageAblation",
    "LazyImage",
    "MajorityOnly",
    "ModelHealth",
    "OutcomeReward",
    "OwnReward",
    "ProcessReward",
    "ProxyGuard",
    "RandomReward",
    "RelaxedAccuracy",
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
    "audit",
    "check_canaries",
    "equivalent",
    "extract",
    "from_trl",
    "own_reward",
    "panel_health",
    "recombine",
    "rescore",
    "reward_model",
    "reward_names",
    "spearman",
    "to_trl",
    "verify",
]
