"""TAMPO: a distribution over temperatures, moved towards those that make good responses likely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.explore.base import LADDER, ExplorationController
from mstar.agents.seeds import mix
from mstar.agents.types import NO_SAMPLES, Metrics, RoundSamples, Samples, SamplingPlan

Floats = NDArray[np.float64]

SMOOTHING = 0.05  # the paper's alpha
NUCLEUS = 0.7  # the paper's top-p


class Tampo(ExplorationController):
    """Temperature as a meta-policy (Dang et al. 2026, arXiv 2602.11779).

    With l_T(y) the mean log-probability of the tokens of response y at temperature T, and A(y) its
    advantage in its group, (reward - mean) / standard deviation, every round does

        A(T_k) = mean over responses of sparsemax(l_T1(y), ..., l_TK(y))_k A(y)
        M(T_k) <- (1 - alpha) M(T_k) + alpha A(T_k)
        pi(T_k) = m(T_k) / sum_j m(T_j), where m is M, moved and scaled to [0, 1],

    and the next temperature is drawn from the nucleus of pi with mass top-p. No response is sampled
    for it. Before the first round of training the first plan holds. The paper's reward is whether
    the answer is right, and so is ours; its M starts at 0, as here.

    An engine that does not see logits cannot record the ladder: the run is refused at its start.

    Args:
        plan: of the first round.
        recipe: all settings; its seed draws the temperatures.
        smoothing: alpha, in (0, 1].
        nucleus: top-p, in (0, 1].
    """

    ladder: ClassVar[tuple[float, ...]] = LADDER

    def __init__(
        self,
        plan: SamplingPlan,
        recipe: Recipe,
        *,
        smoothing: float = SMOOTHING,
        nucleus: float = NUCLEUS,
    ) -> None:
        super().__init__(plan, recipe)
        self._seed, self._smoothing, self._nucleus = recipe.run.seed, smoothing, nucleus
        self._merit = np.zeros(len(self.ladder))

    def observe(
        self, round_number: int, metrics: Metrics, samples: RoundSamples = NO_SAMPLES
    ) -> None:
        """Update the distribution by the round's own responses, and draw from it."""
        parts = [part for part in samples.training if {*self.ladder} <= {*part.ladder}]
        merits = [merits_of(part, self.ladder) for part in parts]
        if not sum(map(len, merits)):  # nothing was sampled, or nothing has a label
            return
        self._merit += self._smoothing * (np.concatenate(merits).mean(axis=0) - self._merit)
        rng = np.random.default_rng(mix(self._seed, round_number, 10))
        share = nucleus(distribution(self._merit), self._nucleus)
        self._plan = replace(self._plan, temperature=self.ladder[rng.choice(len(share), p=share)])

    def state(self) -> dict[str, Any]:
        """The chosen temperature and what is known of all."""
        return {**super().state(), "merit": self._merit.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume at the chosen temperature."""
        super().restore(state)
        self._merit = np.array(state["merit"])


def merits_of(samples: Samples, ladder: tuple[float, ...]) -> Floats:
    """The advantage of each of M responses, shared out to L temperatures, (M, L).

    M counts the responses whose problem has a label; where all or none of a problem's are right,
    their advantage is 0.
    """
    assert samples.tokens is not None, "recorded with the ladder"
    known = ~np.isnan(samples.right)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = samples.right - np.nansum(samples.right, axis=1, keepdims=True) / count
    spread = np.sqrt(np.nansum(centred**2, axis=1, keepdims=True) / count)
    advantage = centred / np.where(spread > 0, spread, 1.0)  # (N, K)
    likely = np.stack([samples.ladder[t] / samples.tokens for t in ladder], axis=-1)
    merits: Floats = sparsemax(likely[known]) * advantage[known][:, None]
    return merits


def sparsemax(x: Floats) -> Floats:
    """The nearest point of the simplex to each row (Martins and Astudillo 2016, arXiv 1602.02068).

    >>> sparsemax(np.array([[0.1, 0.5, -3.0]])).round(6).tolist()
    [[0.3, 0.7, 0.0]]
    """
    ordered = -np.sort(-x, axis=-1)
    total = np.cumsum(ordered, axis=-1)
    places = np.arange(1, x.shape[-1] + 1)
    support = (1 + places * ordered > total).sum(axis=-1, keepdims=True)
    bound = (np.take_along_axis(total, support - 1, axis=-1) - 1) / support
    found: Floats = np.maximum(x - bound, 0.0)
    return found


def distribution(merit: Floats) -> Floats:
    """Merits moved and scaled to [0, 1], as shares; even ones where all merits are equal."""
    moved: Floats = merit - merit.min()
    return moved / moved.sum() if moved.sum() > 0 else np.full(len(merit), 1 / len(merit))


def nucleus(shares: Floats, mass: float) -> Floats:
    """The shares without the smallest ones, as many as leave at least `mass`; they sum to 1.

    >>> nucleus(np.array([0.1, 0.6, 0.3]), 0.7).round(6).tolist()
    [0.0, 0.666667, 0.333333]
    """
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    kept = np.zeros(len(shares))
    kept[order[before < mass]] = shares[order[before < mass]]
    found: Floats = kept / kept.sum()
    return found
