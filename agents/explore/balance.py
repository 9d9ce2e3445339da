"""B-STaR's rule: the temperature and threshold that keep enough answers, and right ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mstar.agents.explore.base import SamplingPlan

if TYPE_CHECKING:
    from mstar.agents.explore.evidence import Evidence, Samples
    from mstar.agents.monitor.metrics import Dynamics

# B-STaR's code sweeps 0.50 to 1.20 in steps of 0.05.
TEMPERATURES = tuple(round(0.5 + 0.05 * i, 2) for i in range(15))
QUANTILES = tuple(i / 20 for i in range(20))


class Balance:
    """The temperature and threshold with the highest mean balance score, after every round.

    The score of a problem is min(n' / n*, 1) n' / n, where n of its samples pass the threshold and
    n' of these are right; 0 where none passes (Zeng et al. 2024, arXiv 2412.17256, section 4). It
    is mean over the held-out problems; n* is how many right answers the plan keeps. B-STaR's code
    sweeps thresholds from -1 to 1; ours are the quantiles of the ranking scores that were seen,
    reward models having different scales. As in the paper, noise is not considered.

    Args:
        plan: of the first round.
        temperatures: to try; without the evidence of their samples nothing moves.
    """

    def __init__(self, plan: SamplingPlan, temperatures: tuple[float, ...] = TEMPERATURES) -> None:
        self._plan, self.temperatures = plan, temperatures

    def probes(self, round_number: int) -> tuple[float, ...]:
        """All temperatures, after every round."""
        return tuple(sorted({*self.temperatures, self._plan.temperature}))

    def observe(
        self, round_number: int, dynamics: Dynamics, evidence: Evidence | None = None
    ) -> None:
        """Move to the best pair; of equal ones the nearest temperature and lowest threshold."""
        if evidence is None or not evidence.probed:
            return
        present, found = self._plan.temperature, evidence.probed
        told = np.concatenate([s.rank[~np.isnan(s.right)] for s in found])
        if not len(told):  # nobody knows what is right
            return
        thresholds = [float(t) for t in np.unique(np.quantile(told, QUANTILES, method="lower"))]
        pairs = [
            (float(score), -abs(samples.temperature - present), -threshold, samples.temperature)
            for samples in found
            for threshold, score in zip(
                thresholds,
                balance(samples, np.array(thresholds), self._plan.keep).mean(axis=1),
                strict=True,
            )
        ]
        _, _, negative, temperature = max(pairs)
        self._plan = replace(self._plan, temperature=temperature, threshold=-negative)

    def plan(self) -> SamplingPlan:
        """The first plan at the chosen temperature and threshold."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """The chosen temperature and threshold."""
        return {"temperature": self._plan.temperature, "threshold": self._plan.threshold}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on at the chosen temperature and threshold."""
        self._plan = replace(
            self._plan,
            temperature=float(state["temperature"]),
            threshold=float(state["threshold"]),
        )


def balance(samples: Samples, thresholds: NDArray[np.float64], wanted: int) -> NDArray[np.float64]:
    """The balance score of each of N problems at each of H thresholds, (H, N), in [0, 1].

    Args:
        samples: of the problems.
        thresholds: (H,), least ranking scores that pass.
        wanted: n*, right answers wanted of a problem.
    """
    passing = (samples.rank >= thresholds[:, None, None]) & ~np.isnan(samples.right)  # (H, N, K)
    kept = passing.sum(axis=2)
    right = (passing & (samples.right == 1)).sum(axis=2)
    score: NDArray[np.float64] = np.minimum(right / wanted, 1.0) * right / np.maximum(kept, 1)
    return score
