"""How a round samples, and what moves it between rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # a recipe names controllers, and the command line reads recipes without torch
    from mstar.agents.explore.evidence import Evidence
    from mstar.agents.monitor.metrics import Dynamics

# The paper's sweep: 0.3 to 1.6 in steps of 0.1 (arXiv 2412.17451). No controller leaves its range
# but for a first plan that lies outside it.
SWEEP = tuple(round(0.3 + 0.1 * i, 1) for i in range(14))
COOLEST, HOTTEST = SWEEP[0], SWEEP[-1]


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How the next round samples and selects.

    Attributes:
        temperature: of sampling, > 0.
        samples: per prompt.
        keep: how many right answers of a problem are learned from.
        threshold: least ranking score to be kept, under the ``threshold`` rule.
        unlabelled: share of the problems that have no label; None takes them as they come.
        gold: share of the lessons that are worked solutions.
    """

    temperature: float = 1.0
    samples: int = 8
    keep: int = 2
    threshold: float = 0.0
    unlabelled: float | None = None
    gold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < 10 or self.samples < 1 or self.keep < 1:
            raise ValueError(
                f"{self}: temperature must lie in (0, 10), samples and keep must be at least 1"
            )
        if not 0 <= (self.unlabelled or 0.0) <= 1 or not 0 <= self.gold < 1:
            raise ValueError(f"{self}: unlabelled must lie in [0, 1] and gold in [0, 1)")


class ExplorationController(Protocol):
    """Moves the sampling plan as the policy changes; all it knows is JSON."""

    def probes(self, round_number: int) -> tuple[float, ...]:
        """Temperatures to measure after this round; the plan's own is always among them."""
        ...

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Take note of a measurement, and of the samples behind it and of the round's own."""
        ...

    def plan(self) -> SamplingPlan:
        """The plan for the next round."""
        ...

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, as JSON values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...
