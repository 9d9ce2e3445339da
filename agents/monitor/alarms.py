"""What can go wrong with a run, and by which signs it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isnan, nan, sqrt
from types import MappingProxyType
from typing import Any, Literal

from mstar.agents.monitor.metrics import Dynamics

AlarmName = Literal["collapse", "over-confidence", "proxy gaming", "drift"]
Remedy = Literal["explore", "roll back", "freeze", "stop"]

# One remedy each. A frozen weight pays for a proxy no longer; exploring raises the temperature;
# rolling back returns to the best round; stopping ends the run.
REMEDIES: Mapping[AlarmName, Remedy] = MappingProxyType(
    {
        "collapse": "explore",
        "over-confidence": "roll back",
        "proxy gaming": "freeze",
        "drift": "stop",
    }
)

LEFT = 0.25  # of the base's entropy, or of its distinct answers beyond the first: less is collapse
OVER = 0.15  # rise in over-confidence of the majority, above the base's
FAR = 2.0  # times the base's entropy: its own responses cost the policy three times what they did


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something went wrong, and what is done about it.

    Attributes:
        name: what.
        round: after which it was found.
        reason: one sentence with the figures.
        remedy: what answers it.
        acted: whether it was done.
        why_not: what kept it from being done.
    """

    name: AlarmName
    round: int
    reason: str
    remedy: Remedy
    acted: bool
    why_not: str = ""

    def __str__(self) -> str:
        answer = f"-> {self.remedy}" if self.acted else f"(no {self.remedy}: {self.why_not})"
        return f"ALARM {self.name}: {self.reason} {answer}"


@dataclass(frozen=True, slots=True)
class Start:
    """The base's figures, which later rounds are held against.

    Attributes:
        greedy: share of the held-out problems that the greedy answer gets right.
        entropy: of a token, in nats.
        distinct: answers of a problem.
        over: over-confidence of the majority, in [-1, 1].
    """

    greedy: float
    entropy: float
    distinct: float
    over: float

    @classmethod
    def of(cls, base: Dynamics, temperature: float) -> Start:
        """Taken from the first measurement."""
        spread = base.spread[temperature]
        return cls(base.greedy, spread.entropy, spread.distinct, spread.majority.over)

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, float | None]) -> Start:
        """The figures that ``state`` came from; JSON has null for NaN."""
        return cls(**{name: nan if value is None else value for name, value in state.items()})


def signs(now: Dynamics, start: Start, temperature: float) -> dict[AlarmName, str]:
    """A sentence for each alarm but that of proxies, which takes more than one measurement.

    Collapse: entropy or distinct answers down to a quarter without a gain in greedy accuracy, the
    signature of majority rewards that have run away (arXiv 2505.21444). Over-confidence: the
    majority's share rose above its accuracy, as by pseudo-labels that confirm themselves. Drift:
    far from the base and no better than it. Held-out problems without labels raise the first and
    the last by the fall and the distance alone, and never the second.
    """
    spread, noise = now.spread[temperature], sqrt(0.5 / max(1, now.problems))
    found: dict[AlarmName, str] = {}
    # Noise is at least the standard error of a difference of two shares. NaN is no gain.
    gained = now.greedy - start.greedy > noise
    greedy = f"greedy accuracy went from {start.greedy:.3f} to {now.greedy:.3f}"
    if isnan(start.greedy) or isnan(now.greedy):
        greedy = "greedy accuracy is not known"
    fell = spread.entropy < LEFT * start.entropy or spread.distinct - 1 < LEFT * (
        start.distinct - 1
    )
    if fell and not gained:
        found["collapse"] = (
            f"entropy fell from {start.entropy:.3f} to {spread.entropy:.3f} nats and distinct "
            f"answers from {start.distinct:.2f} to {spread.distinct:.2f}, while {greedy}."
        )
    if spread.majority.over - start.over > max(OVER, 2 * noise):
        found["over-confidence"] = (
            f"the majority's share is {spread.majority.said:.3f} and right are "
            f"{spread.majority.right:.3f} of the majorities: {spread.majority.over:+.3f} apart, "
            f"at the start {start.over:+.3f}."
        )
    if now.drift > FAR * start.entropy and not gained:
        found["drift"] = (
            f"the policy is {now.drift:.2f} nats a token away from the base, whose entropy was "
            f"{start.entropy:.2f}, while {greedy}."
        )
    return found
