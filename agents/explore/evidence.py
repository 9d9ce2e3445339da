"""What a round shows an exploration controller: which samples were right and how they ranked."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Samples:
    """Up to K samples of each of N problems at one temperature.

    Attributes:
        temperature: that they were sampled at.
        right: (N, K), 1 right, 0 not, NaN where nobody knows or a problem has fewer than K.
        rank: (N, K), the ranking score, -1 where its model abstained.
    """

    temperature: float
    right: NDArray[np.float64]
    rank: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All samples of a round; row i is one problem at all temperatures of a part.

    Attributes:
        probed: on the held-out problems, the same ones after every round.
        practised: for training, on problems that the policy had not yet learned from.
    """

    probed: tuple[Samples, ...] = ()
    practised: tuple[Samples, ...] = ()


NOTHING = Evidence()


def pass_at(samples: Samples, k: int) -> NDArray[np.float64]:
    """Unbiased estimate of pass@k of each problem, (N,); NaN where it has fewer than k samples.

    1 - C(n - c, k) / C(n, k) of n samples with c right ones (Chen et al. 2021, arXiv 2107.03374).
    """
    drawn = (~np.isnan(samples.right)).sum(axis=1)
    right = np.nansum(samples.right, axis=1).astype(int)
    return np.array(
        [
            1.0 - comb(n - c, k) / comb(n, k) if n >= k else np.nan
            for n, c in zip(drawn.tolist(), right.tolist(), strict=True)
        ]
    )


def reward_pass_2_at(samples: Samples, k: int) -> NDArray[np.float64]:
    """Unbiased estimate of Reward-Pass@2 out of k samples of each problem, (N,), k >= 2.

    The mean over all subsets of k of a problem's n samples of whether one of the subset's two
    highest-ranked is right. The samples at places a < b of the ranking are the two highest of
    C(n - b, k - 2) of the C(n, k) subsets, so no subset is enumerated; with n = k this is plain
    Reward-Pass@2 (arXiv 2412.17451). NaN where a problem has fewer than k samples.
    """
    if k < 2:
        raise ValueError(f"Reward-Pass@2 looks at the best two of k samples, but k is {k}")
    missing = np.isnan(samples.right)
    order = np.argsort(np.where(missing, np.inf, -samples.rank), axis=1, kind="stable")
    wrong = np.take_along_axis(np.where(missing, 0.0, 1.0 - samples.right), order, axis=1)
    pairs = wrong * (np.cumsum(wrong, axis=1) - wrong)  # with how many wrong ones before it
    drawn = (~missing).sum(axis=1)
    found = np.full(len(drawn), np.nan)
    for n in np.unique(drawn[drawn >= k]).tolist():
        ways = np.array([comb(n - place, k - 2) for place in range(1, n + 1)], np.float64)
        rows = drawn == n
        found[rows] = 1.0 - pairs[rows, :n] @ ways / comb(n, k)
    return found
