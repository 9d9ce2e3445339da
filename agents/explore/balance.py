"""B-STaR's rule: a temperature and threshold that keep enough responses, most of them right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.explore.base import ExplorationController
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, Samples, SamplingPlan

# B-STaR's code sweeps 0.50 to 1.20 in steps of 0.05.
TEMPERATURES = tuple(round(0.5 + 0.05 * i, 2) for i in range(15))
QUANTILES = tuple(i / 20 for i in range(20))


class Balance(ExplorationController):
    """The temperature and threshold with the highest mean balance score, after every round.

    The score of a problem is min(n' / n*, 1) n' / n, where n of its samples pass the threshold and
    n' of these are right; 0 where none passes (Zeng et al. 2024, arXiv 2412.17256, section 4). It
    is averaged over the validation problems; n* is ``top_k`` of the plan. B-STaR's code sweeps
    thresholds from -1 to 1; ours are the quantiles of the ranking scores that were seen, as reward
    models have different scales. As in the paper, noise is not considered.

    Args:
        plan: of the first round.
        recipe: all settings.
        temperatures: to try.
    """

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        temperatures: tuple[float, ...] = TEMPERATURES,
    ) -> None:
        super().__init__(plan, recipe)
        self.temperatures = temperatures

    def probes(self, round_number: int) -> tuple[float, ...]:
        """All temperatures, after every round."""
        return tuple(sorted({*self.temperatures, self._plan.temperature}))

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Move to the best pair; ties go to the nearest temperature, then the lowest threshold."""
        probed = samples.validation
        ranks = [part.rank[~np.isnan(part.right)] for part in probed]
        if not sum(map(len, ranks)):  # nothing was sampled, or nothing has a label
            return
        quantiles = np.quantile(np.concatenate(ranks), QUANTILES, method="lower")
        thresholds = [float(t) for t in np.unique(quantiles)]
        present = self._plan.temperature
        pairs = [
            (float(score), -abs(part.temperature - present), -threshold, part.temperature)
            for part in probed
            for threshold, score in zip(
                thresholds,
                balance(part, np.array(thresholds), self._plan.top_k).mean(axis=1),
                strict=True,
            )
        ]
        _, _, negative, temperature = max(pairs)
        self._plan = replace(self._plan, temperature=temperature, threshold=-negative)

    def state(self) -> dict[str, Any]:
        """The chosen temperature and threshold."""
        return {**super().state(), "threshold": self._plan.threshold}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume at the chosen temperature and threshold."""
        super().restore(state)
        self._plan = replace(self._plan, threshold=float(state["threshold"]))


def balance(samples: Samples, thresholds: NDArray[np.float64], wanted: int) -> NDArray[np.float64]:
    """The balance score of each of N problems at each of H thresholds, (H, N), in [0, 1].

    Args:
        samples: of the problems.
        thresholds: (H,), least ranking scores that pass.
        wanted: n*, right responses wanted of a problem.
    """
    passing = (samples.rank >= thresholds[:, None, None]) & ~np.isnan(samples.right)  # (H, N, K)
    kept = passing.sum(axis=2)
    right = (passing & (samples.right == 1)).sum(axis=2)
    score: NDArray[np.float64] = np.minimum(right / wanted, 1.0) * right / np.maximum(kept, 1)
    return score
