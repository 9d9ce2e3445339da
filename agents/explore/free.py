"""A temperature chosen by what a round's own responses say about others, without extra samples."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from mstar.agents.config import Recipe
from mstar.agents.explore.base import LADDER
from mstar.agents.explore.importance import evidence, probed, yields
from mstar.agents.explore.paired import GRID, START, Paired
from mstar.agents.explore.temperature_belief import Comparison, Floats, Prior, posterior
from mstar.agents.types import RoundSamples, SamplingPlan

PRIOR = Prior(height=0.08, width=0.65, memory=4.0)
STEP = 2.0  # largest move in one round, as a factor of the temperature
BARREN = 0.1  # a round that finds a smaller share of what there is to discover tells too little


class Free(Paired):
    """Chooses the temperature of the most discovery a token, from samples that are there anyway.

    What is maximised is ``importance.discovery``: the probability that the samples of a problem
    hold a right one, weighted by how rarely the policy is right on it, for the tokens spent. It is
    not Reward-Pass@2, which counts problems that are always solved, from which nothing is learned,
    and so stays at a low temperature when some kinds of problems are solved, while others need a
    higher one.

    The evidence is the training samples of every round, or the validation samples at the present
    temperature where those are too few for each problem. Importance weights make them speak for
    the temperatures of the ladder around theirs, and the posterior and the margin of ``Paired`` do
    the rest, with the noise that the weights really have. It moves within the range that the newest
    samples speak of, by a factor of ``STEP`` at most.

    Weights cannot tell of what was never drawn. They degenerate where responses are long, since
    hardly any is likely at two temperatures; and where a round finds less than ``BARREN`` of what
    there is to discover, its few right responses say little. Only then is one temperature probed
    in the next round: that with the largest expected improvement (Mockus 1975).

    An engine that does not see logits cannot record the ladder: the run is refused at its start.

    Args:
        plan: of the first round.
        recipe: all settings.
        prior: of discovery over temperature.
        margin: see ``Paired``.
    """

    ladder: ClassVar[tuple[float, ...]] = LADDER

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        prior: Prior = PRIOR,
        margin: float = 0.3,
    ) -> None:
        super().__init__(plan, recipe, prior=prior, margin=margin)
        self._blind = False  # whether the last round's own samples said too little

    def probes(self, round_number: int) -> tuple[float, ...]:
        """The present temperature, and one more if the last round's samples said too little."""
        present = self._plan.temperature
        if not self._blind:
            return (present,)
        return tuple(sorted({present, self._most_promising(round_number)}))

    def _most_promising(self, now: int) -> float:
        """Of the temperatures of ``START``, that with the largest expected improvement."""
        grid = np.array([*START, self._plan.temperature])
        mean, covariance = posterior(self._prior, self._comparisons, grid, now)
        gain = (mean - mean[-1])[:-1]
        variance = np.diag(covariance) + covariance[-1, -1] - 2 * covariance[-1]
        spread = np.sqrt(np.maximum(variance[:-1], 1e-12))
        normal = NormalDist()
        improvement = [
            float(s * normal.pdf(g / s) + g * normal.cdf(g / s))
            for g, s in zip(gain, spread, strict=True)
        ]
        return START[int(np.argmax(improvement))]

    def _candidates(self) -> Floats:
        """Those that the newest samples speak of: beyond them, the posterior follows its trend.

        None is further than ``STEP`` from the present one. Where nearly all responses to a problem
        are the same, their weights are equal at any temperature, though hardly one of them says
        what a far temperature would find.
        """
        reach, present = self._comparisons[-1].temperatures, self._plan.temperature
        low, high = max(min(reach), present / STEP), min(max(reach), present * STEP)
        near = GRID[(low <= GRID) & (high >= GRID)]
        return near if len(near) else np.array([self._plan.temperature])

    def _compared(self, round_number: int, samples: RoundSamples) -> list[Comparison]:
        """What the round's samples, and probes if there were any, say about temperatures."""
        trained = [evidence(part, round_number - 1) for part in samples.training]
        found = [each for each in trained if each is not None]
        used = samples.training if found else samples.validation[:1]
        if len(samples.validation) > 1:
            direct = probed(samples.validation, self._plan.temperature, round_number)
            found += [] if direct is None else [direct]
        elif not found:
            validated = [evidence(part, round_number) for part in samples.validation]
            found = [each for each in validated if each is not None]
        self._blind = not found or max(map(yields, used), default=0.0) < BARREN
        return found

    def state(self) -> dict[str, Any]:
        """As of ``Paired``, and whether a probe is needed."""
        return {**super().state(), "blind": self._blind}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume with the comparisons that were made."""
        super().restore(state)
        self._blind = bool(state["blind"])
