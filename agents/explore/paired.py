"""M-STaR's rule with less noise at a lower cost: few paired probes, pooled over rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mstar.agents.config import Recipe
from mstar.agents.explore.base import COOLEST, HOTTEST, ExplorationController
from mstar.agents.explore.samples import reward_pass_2_at
from mstar.agents.explore.temperature_belief import (
    Comparison,
    Floats,
    Prior,
    posterior,
    surprise,
)
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, Samples, SamplingPlan

START = (0.3, 0.5, 0.75, 1.1, 1.6)  # probes of the base policy
AROUND = (1 / 1.5, 1.5)  # later probes, as factors of the present temperature
GRID = np.exp(np.linspace(np.log(COOLEST), np.log(HOTTEST), 35))  # candidates, 5 % apart
SUBSET = 4  # Reward-Pass@2 is estimated out of at most so many samples
WINDOW = 16  # rounds; older comparisons are dropped
PRIOR = Prior(height=0.06, width=0.65, memory=40.0)
SHOCK = 3.0  # standard deviations of surprise after which all comparisons are dropped


class Paired(ExplorationController):
    """Chooses the temperature by Reward-Pass@2, as M-STaR does, and accounts for noise.

    The paper's rule (arXiv 2412.17451) takes the highest of 14 estimates, each of which is a few
    points off. This one compares temperatures on the same problems by the same uniform numbers, so
    that much of the noise is common to both and cancels; estimates Reward-Pass@2 out of half of a
    problem's samples or so, averaged over all such subsets, which halves the noise and hardly
    moves the optimum; pools comparisons over rounds and neighbouring temperatures, see
    ``posterior``; moves only where the expected gain is worth `margin` of its own standard
    deviation; and drops all comparisons when a new one contradicts them.

    Probes cost samples that could have been training. It probes five temperatures before the
    first round, then two beside the present one: in the round after a move, else in every second
    one. Widths, memory, margin and probes were tuned on simulated runs, see ``mstar bench
    exploration``.

    The threshold slowly follows the ranking score at which ``top_k`` right responses of a solved
    problem pass; only the selection rule ``threshold`` uses it.

    Args:
        plan: of the first round; its temperature is brought into the range of the paper's sweep.
        recipe: all settings.
        prior: of the score over temperature.
        margin: expected gain that a move needs, in standard deviations of that gain.
    """

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        prior: Prior = PRIOR,
        margin: float = 0.3,
    ) -> None:
        temperature = min(HOTTEST, max(COOLEST, plan.temperature))
        super().__init__(replace(plan, temperature=temperature), recipe)
        self._prior, self._margin = prior, margin
        self._comparisons: list[Comparison] = []
        self._due = 0  # the round of the next probes

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The present temperature and its neighbours; before the first round, the whole range."""
        present = self._plan.temperature
        if round_number < self._due:
            return (present,)
        if round_number == 0:
            return tuple(sorted({*START, present}))
        near = {round(min(HOTTEST, max(COOLEST, present * by)), 4) for by in AROUND}
        return tuple(sorted({*near, present}))

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Add what was compared, and move if the expected gain is large enough."""
        if found := self._compared(round_number, samples):
            for new in found:
                known = self._comparisons
                if known and surprise(self._prior, known, new) > SHOCK:
                    known = []
                recent = [c for c in known if c.round_number > round_number - WINDOW]
                self._comparisons = [*recent, new]
            best = self._best(round_number + 1)
            self._due = round_number + (1 if best != self._plan.temperature else 2)
            self._plan = replace(self._plan, temperature=best)
        threshold = passing(samples.training, self._plan.top_k)
        if threshold is not None:
            moved = self._plan.threshold + 0.3 * (threshold - self._plan.threshold)
            self._plan = replace(self._plan, threshold=round(moved, 6))

    def _compared(self, round_number: int, samples: RoundSamples) -> list[Comparison]:
        """What a round says about temperatures: here the probes, by Reward-Pass@2."""
        new = compared(round_number, samples.validation)
        return [] if new is None else [new]

    def _candidates(self) -> Floats:
        """The temperatures that a move may go to."""
        return GRID

    def _best(self, now: int) -> float:
        """The candidate with the largest expected gain, or the present temperature."""
        present = self._plan.temperature
        grid = np.append(self._candidates(), present)
        mean, covariance = posterior(self._prior, self._comparisons, grid, now)
        variance = np.diag(covariance) + covariance[-1, -1] - 2 * covariance[-1]
        gain = mean - mean[-1]
        best = int(np.argmax(gain))
        if gain[best] <= self._margin * np.sqrt(max(variance[best], 0.0)):
            return present
        return float(round(grid[best], 4))

    def state(self) -> dict[str, Any]:
        """What was chosen, the comparisons behind it, and when the next probes are due."""
        return {
            **super().state(),
            "threshold": self._plan.threshold,
            "due": self._due,
            "seen": [asdict(comparison) for comparison in self._comparisons],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume with the comparisons that were made."""
        super().restore(state)
        self._plan = replace(self._plan, threshold=float(state["threshold"]))
        self._comparisons = [Comparison.restored(comparison) for comparison in state["seen"]]
        self._due = int(state["due"])


def compared(round_number: int, probed: tuple[Samples, ...]) -> Comparison | None:
    """Reward-Pass@2 at the probed temperatures; None where there are fewer than two.

    Of K samples of a problem, subsets of min(4, K - 1) are averaged; never fewer than two.
    """
    if len(probed) < 2:
        return None
    fewest = min(int((~np.isnan(s.right)).sum(axis=1).max()) for s in probed)
    if fewest < 2:
        return None
    k = max(2, min(SUBSET, fewest - 1))
    scores = [reward_pass_2_at(samples, k) for samples in probed]
    return Comparison.of(round_number, [s.temperature for s in probed], scores)


def passing(samples: tuple[Samples, ...], top_k: int) -> float | None:
    """The threshold that lets `top_k` right responses of a solved problem pass, on average.

    None where nothing was right.
    """
    if not samples:
        return None
    right = np.concatenate([(s.right == 1).ravel() for s in samples])
    rank = np.concatenate([s.rank.ravel() for s in samples])[right]
    solved = np.any([(s.right == 1).any(axis=1) for s in samples], axis=0).sum()
    if not len(rank):
        return None
    wanted = min(len(rank), int(top_k * solved))
    return float(np.sort(rank)[::-1][wanted - 1])
