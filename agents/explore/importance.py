"""Evidence about other temperatures from responses that were sampled at one: importance weights.

A response y sampled at temperature T is evidence for T' with the weight pi_T'(y) / pi_T(y); the
sampler records both probabilities as it draws (``Response.ladder``). What is estimated is
*discovery*, the value that ``Free`` maximises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from mstar.agents.explore.samples import pass_at
from mstar.agents.explore.temperature_belief import Comparison
from mstar.agents.types import Samples

Floats = NDArray[np.float64]

DRAWS = 5  # samples of a problem in which a right one is looked for, at most
EFFECTIVE = 0.3  # least effective share of the draws for a temperature to be estimated


@dataclass(frozen=True, slots=True)
class Discovery:
    """Discovery at one temperature, estimated from samples at this or another one.

    Attributes:
        temperature: that it is of.
        values: (N,), by problem; their mean is the estimate, and their spread gives its error. NaN
            where a problem has too few samples.
        effective: effective share of the weights, in (0, 1]; 1 where they are all equal.
        cost: mean number of tokens of a response, by the same weights.
    """

    temperature: float
    values: Floats
    effective: float
    cost: float


def discovery(samples: Samples, temperature: float, draws: int = DRAWS) -> Discovery | None:
    """How much a round at a temperature would find that the policy does not know.

    With p_i(T) the probability that a sample of problem i is right at T, discovery at T' is the
    mean over problems of

        (1 - p_i(T)) (1 - (1 - p_i(T'))^k),

    the probability that k samples at T' hold a right one to learn from, weighted by how rarely the
    policy as it samples now is right: what is always solved teaches nothing, and what is never
    solved cannot be learned from. T is the temperature of the samples, so that the weight of a
    problem is the same for all T' that are compared.

    Both factors are estimated from different samples of a problem, averaged over all choices of
    1 + k of them, so that they are independent: with e_k the elementary symmetric polynomial, a
    the share of wrong samples, and w the importance weights, the estimate is

        mean(a) (1 - mean(e_k(w wrong) over those without j) / mean(e_k(w) over those without j)),

    both means over problems and wrong samples j. Self-normalised importance weights (Owen 2013,
    Monte Carlo theory, methods and examples, section 9.2) are consistent, and where T' = T this is
    the unbiased estimate of pass@k (Chen et al. 2021, arXiv 2107.03374) times the share of wrong
    samples. ``values`` are the estimate's linearisation (the delta method), problem by problem.

    Args:
        samples: of N problems, with their log-probabilities at both temperatures.
        temperature: T'.
        draws: k, lowered where problems have no more than k samples.

    Returns:
        None where the samples have no log-probability there, or no problem has 3 samples.
    """
    known = ~np.isnan(samples.right)
    count = known.sum(axis=1)
    k = min(draws, int(count.max(initial=0)) - 1)
    moved = temperature != samples.temperature
    if k < 2 or (moved and temperature not in samples.ladder):
        return None
    enough = count > k
    wrong = np.where(known, 1.0 - samples.right, 0.0)[enough]
    weights = known[enough].astype(np.float64)
    if moved:
        ratio = samples.ladder[temperature] - samples.ladder[samples.temperature]
        ratio = np.where(known, ratio, -np.inf)[enough]
        weights = np.exp(ratio - ratio.max())  # a common factor cancels
    number = count[enough]
    subsets = np.array([comb(n - 1, k) for n in number.tolist()], np.float64) * number
    unseen = wrong.sum(axis=1) / number
    missed = (wrong * without_each(weights * wrong, k)).sum(axis=1) / subsets
    normal = (wrong * without_each(weights, k)).sum(axis=1) / subsets
    values = np.full(len(count), np.nan)
    values[enough] = linearised(unseen, missed, normal)
    share = (known[enough] * without_each(weights, k)).sum(axis=1) / subsets
    return Discovery(temperature, values, effective_share(share), _cost(samples, enough, weights))


def without_each(x: Floats, k: int) -> Floats:
    """Elementary symmetric polynomial e_k of all but one number of each row.

    Args:
        x: (N, K), numbers >= 0.
        k: degree, >= 1.

    Returns:
        (N, K): at place j, e_k of the row without its j-th number.

    >>> without_each(np.array([[1.0, 2.0, 3.0]]), 2).tolist()
    [[6.0, 3.0, 2.0]]
    """
    found = np.zeros(x.shape)
    for left_out in range(x.shape[1]):
        rows = np.zeros((len(x), k + 1))
        rows[:, 0] = 1.0
        for place in range(x.shape[1]):
            if place != left_out:
                rows[:, 1:] += x[:, [place]] * rows[:, :-1].copy()
        found[:, left_out] = rows[:, k]
    return found


def linearised(unseen: Floats, missed: Floats, normal: Floats) -> Floats:
    """The estimate mean(unseen) (1 - mean(missed) / mean(normal)) as a mean over problems, (N,)."""
    everything, never, usual = unseen.mean(), missed.mean(), normal.mean()
    if usual == 0:  # every sample is right
        return np.zeros(len(unseen))
    share = never / usual
    change = (unseen - everything) * (1 - share)
    change -= everything * (missed - never - share * (normal - usual)) / usual
    found: Floats = everything * (1 - share) + change
    return found


def effective_share(weights: Floats) -> float:
    """Kish's effective sample size over the number of weights, in (0, 1].

    >>> effective_share(np.array([1.0, 1.0, 0.0, 0.0]))
    0.5
    """
    square = float((weights**2).sum())
    return float(weights.sum()) ** 2 / (len(weights) * square) if square else 0.0


def evidence(samples: Samples, round_number: int) -> Comparison | None:
    """Discovery for the tokens spent, at every temperature that the samples say something about.

    Values are divided by the cost of a response relative to one at the samples' own temperature, so
    that a temperature at which responses ramble must find more.

    Args:
        samples: at one temperature.
        round_number: number of rounds that the policy had been trained for.

    Returns:
        None where the samples say nothing about another temperature.
    """
    own = discovery(samples, samples.temperature)
    if own is None:
        return None
    others = [discovery(samples, t) for t in sorted(samples.ladder) if t != samples.temperature]
    reached = [d for d in others if d is not None and d.effective >= EFFECTIVE]
    ordered = sorted([own, *reached], key=lambda each: each.temperature)
    return Comparison.of(
        round_number,
        [each.temperature for each in ordered],
        [each.values * own.cost / each.cost for each in ordered],
    )


def yields(samples: Samples) -> float:
    """Discovery as a share of what there is to discover, in [0, 1]; 0 where it is unknown.

    It is the probability that the other samples of a problem hold a right one, where one is wrong.
    """
    own = discovery(samples, samples.temperature)
    if own is None:
        return 0.0
    unseen = float(np.nanmean(1.0 - samples.right))
    return float(np.nanmean(own.values)) / unseen if unseen else 1.0


def _cost(samples: Samples, enough: NDArray[np.bool_], weights: Floats) -> float:
    """Mean number of tokens of a response by the weights; 1 where it was not recorded."""
    if samples.tokens is None:
        return 1.0
    return float((weights * np.nan_to_num(samples.tokens[enough])).sum() / weights.sum())


def probed(
    parts: Sequence[Samples], temperature: float, round_number: int, draws: int = DRAWS
) -> Comparison | None:
    """Discovery for the tokens spent at temperatures that the same problems were sampled at.

    Args:
        parts: samples of N problems, one part for each temperature.
        temperature: of the part that says how rarely the policy is right on a problem.
        round_number: number of rounds that the policy had been trained for.
        draws: k of ``discovery``.

    Returns:
        None where there is nothing to compare.
    """
    own = next((part for part in parts if part.temperature == temperature), None)
    if own is None or (base := discovery(own, temperature, draws)) is None:
        return None
    known = ~np.isnan(own.right)
    k = min(draws, int(known.sum(axis=1).max()) - 1)
    enough = known.sum(axis=1) > k
    unseen = np.full(len(known), np.nan)
    unseen[enough] = 1.0 - np.nanmean(own.right[enough], axis=1)
    values = []
    for part in parts:
        cost = _cost(part, np.ones(len(part.right), bool), (~np.isnan(part.right)).astype(float))
        found = base.values if part is own else unseen * pass_at(part, k)
        values.append(found * base.cost / cost)
    return Comparison.of(round_number, [part.temperature for part in parts], values)
