"""Freezes a reward model whose scores rise while correctness on validation problems does not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frozen:
    """A reward model whose weight is 0 from a round on, and why."""

    name: str
    round: int
    reason: str


@dataclass(frozen=True)
class ProxyGuard:
    """Compares each proxy's mean score with the verifier's on validation problems.

    A straight line is fitted to both over the last `window` evaluations. Where the proxy's line
    rises by more than `rise` while correctness rises by less than `gain`, the proxy is frozen: its
    weight is 0 for the rest of the run, whatever weights are adapted to. This is the signature of
    reward over-optimisation (Gao et al., arXiv 2210.10760).

    The guard is immutable: ``observe`` returns a new one.

    Attributes:
        reference: the column to take as the truth; never frozen.
        window: number of evaluations that the lines are fitted to, at least 2.
        rise: the largest rise of a proxy's mean over the window that needs no gain, in [0, 1].
        gain: the rise in correctness that justifies a larger one, in [0, 1].
        seen: (round, mean score by name) of the last `window` evaluations.
        frozen: the frozen models, in the order in which they were frozen.

    Raises:
        ValueError: the window is smaller than 2.
    """

    reference: str = "correctness"
    window: int = 4
    rise: float = 0.03
    gain: float = 0.005
    seen: tuple[tuple[int, Mapping[str, float]], ...] = ()
    frozen: tuple[Frozen, ...] = ()

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"the window must be at least 2 evaluations, got {self.window}")

    def observe(self, round: int, means: Mapping[str, float]) -> ProxyGuard:
        """The guard after one more evaluation.

        Args:
            round: the round that was evaluated.
            means: mean score by name on the validation problems, including the reference; NaN
                if a model always abstained.

        Raises:
            KeyError: the reference is not among the means.
        """
        if self.reference not in means:
            raise KeyError(
                f"the means lack the reference {self.reference!r}, they have {sorted(means)}: add "
                "that reward model to the panel"
            )
        guard = replace(self, seen=(*self.seen, (round, dict(means)))[-self.window :])
        fresh = tuple(each for name in means if (each := guard._checked(name)) is not None)
        for each in fresh:
            LOG.warning("%s", each.reason)
        return replace(guard, frozen=self.frozen + fresh)

    def weights(self, weights: Mapping[str, float]) -> dict[str, float]:
        """The same weights, with 0 for frozen models."""
        names = {each.name for each in self.frozen}
        return {name: 0.0 if name in names else weight for name, weight in weights.items()}

    def state(self) -> dict[str, Any]:
        """All fields as JSON values; ``from_state`` reads them back."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ProxyGuard:
        """The guard whose ``state()`` this is."""
        seen = tuple(
            (int(round_), {n: float("nan") if m is None else m for n, m in means.items()})
            for round_, means in state["seen"]  # JSON has null for NaN
        )
        frozen = tuple(Frozen(**each) for each in state["frozen"])
        return cls(**{**state, "seen": seen, "frozen": frozen})

    def _checked(self, name: str) -> Frozen | None:
        exempt = name == self.reference or any(each.name == name for each in self.frozen)
        if exempt or len(self.seen) < self.window:
            return None
        rise, gain = self._change(name), self._change(self.reference)
        if not (rise > self.rise and gain < self.gain):  # NaN freezes nothing
            return None
        round_ = self.seen[-1][0]
        reason = (
            f"round {round_}: reward model {name!r} is frozen: over the last {self.window} "
            f"evaluations its mean on validation problems rose by {rise:.3f} while "
            f"{self.reference} changed by {gain:+.3f}"
        )
        return Frozen(name, round_, reason)

    def _change(self, name: str) -> float:
        """The rise of a straight line fitted to the window's means, from first to last."""
        means = np.array([mean.get(name, np.nan) for _, mean in self.seen], np.float64)
        steps = np.arange(len(means)) - (len(means) - 1) / 2
        slope = (steps * means).sum() / (steps**2).sum()
        return float(slope * (len(means) - 1))
