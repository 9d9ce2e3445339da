"""A proxy that rises while held-out correctness does not is frozen, and says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frozen:
    """A reward model that pays no more, when that was found, and why."""

    name: str
    round: int
    reason: str


@dataclass(frozen=True)
class ProxyGuard:
    """Watches each proxy's mean beside the verifier's on a held-out slice.

    Over the last `window` evaluations a straight line is fitted to both. Where the proxy's line
    rises by more than `rise` while correctness rises by less than `gain`, the proxy is frozen:
    it weighs 0 from then on, whatever weights are adapted to. Only a person lifts that.
    The signature of reward over-optimisation (Gao et al., arXiv 2210.10760).

    The guard is a value: ``observe`` returns the next one and leaves this one as it is.

    Attributes:
        reference: the column that stands for the truth; never frozen.
        window: evaluations to look back over, at least 2.
        rise: what a proxy's mean may rise by over the window, in [0, 1].
        gain: the rise in correctness that justifies it, in [0, 1].
        seen: one (round, mean score by name) an evaluation, the last `window` of them.
        frozen: what was frozen, in that order.
    """

    reference: str = "correctness"
    window: int = 4
    rise: float = 0.03
    gain: float = 0.005
    seen: tuple[tuple[int, Mapping[str, float]], ...] = ()
    frozen: tuple[Frozen, ...] = ()

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"a line needs a window of at least 2 evaluations, got {self.window}")

    def observe(self, round: int, means: Mapping[str, float]) -> ProxyGuard:
        """The guard after one more evaluation.

        Args:
            round: the round that was evaluated.
            means: mean score by name on the held-out slice, the reference among them; NaN where
                a model abstained throughout.

        Raises:
            KeyError: the reference is not among the means.
        """
        if self.reference not in means:
            raise KeyError(f"means need the reference {self.reference!r}, got {sorted(means)}")
        guard = replace(self, seen=(*self.seen, (round, dict(means)))[-self.window :])
        fresh = tuple(found for name in means if (found := guard._judge(name)) is not None)
        for found in fresh:
            LOG.warning("%s", found.reason)
        return replace(guard, frozen=self.frozen + fresh)

    def weights(self, weights: Mapping[str, float]) -> dict[str, float]:
        """The same weights with those of the frozen at 0."""
        names = {found.name for found in self.frozen}
        return {name: 0.0 if name in names else weight for name, weight in weights.items()}

    def state(self) -> dict[str, Any]:
        """Everything as JSON values; ``from_state`` reads it back."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ProxyGuard:
        """The guard that ``state`` came from."""
        seen = tuple(
            (int(round_), {n: float("nan") if m is None else m for n, m in means.items()})
            for round_, means in state["seen"]  # JSON has null for NaN
        )
        frozen = tuple(Frozen(**found) for found in state["frozen"])
        return cls(**{**state, "seen": seen, "frozen": frozen})

    def _judge(self, name: str) -> Frozen | None:
        known = name == self.reference or any(found.name == name for found in self.frozen)
        if known or len(self.seen) < self.window:
            return None
        rise, gain = self._change(name), self._change(self.reference)
        if not (rise > self.rise and gain < self.gain):  # NaN freezes nothing
            return None
        round_ = self.seen[-1][0]
        reason = (
            f"round {round_}: reward model {name!r} is frozen: over the last {self.window} "
            f"evaluations its held-out mean rose by {rise:.3f} while {self.reference} changed by "
            f"{gain:+.3f}"
        )
        return Frozen(name, round_, reason)

    def _change(self, name: str) -> float:
        """What a straight line through the window's means rises by, from first to last."""
        means = np.array([seen.get(name, np.nan) for _, seen in self.seen], np.float64)
        steps = np.arange(len(means)) - (len(means) - 1) / 2
        slope = (steps * means).sum() / (steps**2).sum()
        return float(slope * (len(means) - 1))
