"""The ways a run can fail, and how each is detected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isnan, nan, sqrt
from types import MappingProxyType
from typing import Any

from mstar.agents.types import AlarmName, Metrics, Remedy

# One remedy each. Freezing sets the weight of a gamed reward model to 0; exploring raises the
# temperature; rolling back returns to the best round; stopping ends the run. No remedy lengthens
# responses: what a round costs is the recipe's to say.
REMEDIES: Mapping[AlarmName, Remedy] = MappingProxyType(
    {
        "collapse": "explore",
        "over-confidence": "roll back",
        "proxy gaming": "freeze",
        "drift": "stop",
        "cut off": "none",
    }
)

# Collapse is a fall below this share of the base's entropy, or of its distinct answers minus one.
LEFT = 0.25
# Alarm if the over-confidence of the majority rises by this much.
OVER = 0.15
# Drift is a distance of this many times the base's entropy. At 2, the base's responses have three
# times the negative log-likelihood under the policy that they had under the base.
FAR = 2.0
# Cut off are responses by the limit on their length; an alarm from this share on.
CUT = 0.25


@dataclass(frozen=True, slots=True)
class BaseMetrics:
    """The metrics of the base policy that later rounds are compared with.

    Attributes:
        greedy: share of the validation problems that the greedy response gets right.
        entropy: of a token, in nats.
        distinct: answers of a problem.
        over: over-confidence of the majority, in [-1, 1].
    """

    greedy: float
    entropy: float
    distinct: float
    over: float

    @classmethod
    def of(cls, metrics: Metrics, temperature: float) -> BaseMetrics:
        """Taken from the first evaluation."""
        sampled = metrics.by_temperature[temperature]
        return cls(metrics.greedy, sampled.entropy, sampled.distinct, sampled.majority.over)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, float | None]) -> BaseMetrics:
        """The metrics that ``state`` returned; JSON has null for NaN."""
        return cls(**{name: nan if value is None else value for name, value in state.items()})


def signs(now: Metrics, base: BaseMetrics, temperature: float) -> dict[AlarmName, str]:
    """The alarms that one evaluation raises, with a sentence each.

    Collapse: entropy or distinct answers down to a quarter without a gain in greedy accuracy, the
    signature of majority rewards that were over-optimised (arXiv 2505.21444). Over-confidence: the
    majority's share rose relative to its accuracy, as when pseudo-labels confirm themselves; the
    guards heed it in runs that follow the majority. Drift: far from the base and no better than it.
    Cut off: the limit on the length of responses ends a quarter of them. Without labelled
    validation problems, accuracy is not known: collapse and drift then depend on the fall and the
    distance alone, and over-confidence is never found. Proxy gaming needs several evaluations; see
    ``ProxyGuard``.
    """
    sampled, noise = now.by_temperature[temperature], sqrt(0.5 / max(1, now.problems))
    found: dict[AlarmName, str] = {}
    # Noise is at least the standard error of a difference of two shares. NaN is no gain.
    gained = now.greedy - base.greedy > noise
    greedy = f"greedy accuracy went from {base.greedy:.3f} to {now.greedy:.3f}"
    if isnan(base.greedy) or isnan(now.greedy):
        greedy = "greedy accuracy is not known"
    fell = sampled.entropy < LEFT * base.entropy or sampled.distinct - 1 < LEFT * (
        base.distinct - 1
    )
    if fell and not gained:
        found["collapse"] = (
            f"entropy fell from {base.entropy:.3f} to {sampled.entropy:.3f} nats and distinct "
            f"answers from {base.distinct:.2f} to {sampled.distinct:.2f}, while {greedy}."
        )
    majority = sampled.majority
    if majority.over - base.over > max(OVER, 2 * noise):
        found["over-confidence"] = (
            f"the majority's share is {majority.said:.3f} and right are "
            f"{majority.right:.3f} of the majorities: {majority.over:+.3f} apart, "
            f"at the start {base.over:+.3f}."
        )
    if now.drift > FAR * base.entropy and not gained:
        found["drift"] = (
            f"the policy is {now.drift:.2f} nats a token away from the base, whose entropy was "
            f"{base.entropy:.2f}, while {greedy}."
        )
    if now.cut >= CUT:
        found["cut off"] = (
            f"{100 * now.cut:.0f} % of the responses were cut off by max_new_tokens and earn "
            "nothing; give a higher --max-new-tokens."
        )
    return found
