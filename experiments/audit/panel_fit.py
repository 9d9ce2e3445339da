"""A panel's weights and its threshold, fitted to what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.registry import unknown
from mstar.experiments.audit.errors import VERIFIER, agreed_verdicts, ranking
from mstar.experiments.verdicts import BAD, Verdict, read_verdicts

# Verdicts of the rarer kind for every weight: with fewer than five the coefficients are biased
# (Vittinghoff and McCulloch 2007).
PER_WEIGHT = 5
PENALTY = 1.0  # of squared coefficients, on scores of unit variance
STEPS = 50  # of Newton's method, which needs about ten
FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PanelFit:
    """A fitted panel.

    Attributes:
        weights: of each reward model, >= 0, with sum 1.
        threshold: the combined reward from which a response is at least as likely right as
            `precision`, in [0, 1].
        precision: as asked for.
        n: items that it was fitted to.
        right: how many of them are right.
        ranking: chance that the fitted reward is higher for a right response than for a wrong one,
            on problems that it was not fitted to.
        before: the same of the reward that the run used.
    """

    weights: dict[str, float]
    threshold: float
    precision: float
    n: int
    right: int
    ranking: float
    before: float

    def recipe(self, recipe: Recipe) -> Recipe:
        """A recipe with this panel: what passes the gate and reaches the threshold is kept.

        Gate and verifier stay in the panel without a weight where they were not fitted.
        """
        needed = dict.fromkeys([recipe.selection.gate, VERIFIER], 0.0)
        weights = {**self.weights, **{n: w for n, w in needed.items() if n not in self.weights}}
        own = {path.rpartition(":")[2]: path for path in recipe.rewards.panel}
        return recipe.replace(
            panel=tuple(own.get(name, name) for name in weights),
            weights=tuple(weights.values()),
            rule="weighted_sum",
            rank="reward",
            selection="threshold",
            threshold=self.threshold,
        )

    def text(self) -> str:
        """Lines for the terminal."""
        weights = ", ".join(f"{name} {weight:.3f}" for name, weight in self.weights.items())
        return (
            f"fitted to {self.n} items, {self.right} of them right\n"
            f"weights    {weights}\n"
            f"threshold  {self.threshold:.3f}, from which {100 * self.precision:.0f} % are "
            "expected right\n"
            f"ranks right above wrong: {self.ranking:.3f} on problems left out of the fit; the "
            f"run's own reward {self.before:.3f}"
        )


def fit_panel(path: Path, panel: Sequence[str], precision: float = 0.5) -> PanelFit:
    """Fit the weights of a panel to a file of verdicts.

    A logistic regression of "right, for the right reasons" on the scores, with coefficients that
    are not negative and a small ridge penalty. The combined reward is the weighted mean of the
    scores, so that the coefficients are its weights up to a factor.

    Args:
        path: the file of verdicts; all parts of the sample are used.
        panel: names of the reward models.
        precision: expected share of right responses at the threshold, in (0, 1).

    Raises:
        ValueError: too few verdicts, a reward model that has no scores there, or none that tells
            right from wrong.
    """
    if not 0 < precision < 1:
        raise ValueError(f"precision must lie in (0, 1), got {precision}")
    judged = [each for each in agreed_verdicts(read_verdicts(path)) if each.kind not in BAD]
    known = list(dict.fromkeys(name for each in judged for name in each.item.scores))
    for name in panel:
        if name not in known:
            raise ValueError(unknown("score", name, known))
    right = np.array([each.kind == "right" for each in judged], bool)
    rarer, needed = int(min(right.sum(), (~right).sum())), PER_WEIGHT * len(panel)
    if rarer < needed:
        raise ValueError(
            f"{path} has {int(right.sum())} responses that are right and {int((~right).sum())} "
            f"that are wrong; {len(panel)} weights need {needed} of each: judge more, or name "
            "fewer reward models with --panel"
        )
    scores = _scores(judged, panel)
    weights, offset = fit_weights(scores, right)
    if not weights.any():
        raise ValueError(
            f"none of {', '.join(panel)} tells right responses from wrong ones in {path}; look at "
            f"`mstar audit --summary`, and give other reward models"
        )
    threshold = (log(precision / (1 - precision)) - offset) / weights.sum()
    shares = weights / weights.sum()
    return PanelFit(
        {name: round(float(w), 4) for name, w in zip(panel, shares, strict=True)},
        round(float(np.clip(threshold, 0.0, 1.0)), 4),
        precision,
        len(judged),
        int(right.sum()),
        ranking(_left_out(scores, right, judged), right),
        ranking(np.array([each.item.reward or 0.0 for each in judged]), right),
    )


def fit_weights(scores: Floats, right: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Coefficients >= 0 and the intercept of a ridge logistic regression, by Newton's method.

    Columns whose coefficient comes out negative are left out one by one, the most negative first,
    and have 0. The penalty is on scores divided by their standard deviations, so that it does not
    depend on their scales.

    Args:
        scores: (N, K) in [0, 1].
        right: (N,).
    """
    spread = scores.std(axis=0)
    weights, offset = np.zeros(scores.shape[1]), 0.0
    used = np.flatnonzero(spread > 1e-6)
    while True:
        solved = _newton(scores[:, used] / spread[used], right)
        if not len(used) or solved[1:].min() >= 0:
            break
        used = np.delete(used, int(np.argmin(solved[1:])))
    weights[used], offset = solved[1:] / spread[used], float(solved[0])
    return weights, offset


def _newton(scores: Floats, right: NDArray[np.bool_]) -> Floats:
    """(1 + K,) intercept and coefficients that minimise the penalised negative log-likelihood."""
    design = np.column_stack([np.ones(len(scores)), scores])
    penalty = np.diag([1e-9, *[PENALTY] * scores.shape[1]])
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-design @ beta))
        slope = design.T @ (right - chance) - penalty @ beta
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, slope)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return beta


def _left_out(scores: Floats, right: NDArray[np.bool_], verdicts: Sequence[Verdict]) -> Floats:
    """(N,) the chance of being right that a fit to other problems gives each item, as log-odds."""
    problems = list(dict.fromkeys(each.item.problem for each in verdicts))
    fold = np.array([problems.index(each.item.problem) % FOLDS for each in verdicts])
    found = np.zeros(len(verdicts))
    for number in range(FOLDS):
        weights, offset = fit_weights(scores[fold != number], right[fold != number])
        found[fold == number] = scores[fold == number] @ weights + offset
    return found


def _scores(verdicts: Sequence[Verdict], panel: Sequence[str]) -> Floats:
    """(N, K); an abstention gets the reward model's mean, and so says nothing."""
    table = np.array(
        [
            [np.nan if (score := each.item.scores.get(name)) is None else score for name in panel]
            for each in verdicts
        ],
        np.float64,
    )
    mean = np.nanmean(table, axis=0) if len(table) else np.zeros(len(panel))
    return np.where(np.isnan(table), np.nan_to_num(mean), table)
