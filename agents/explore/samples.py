"""Rollouts as arrays of right and rank by temperature, and unbiased estimates from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from mstar.agents.rollout import by_problem
from mstar.agents.selection import ranking_score
from mstar.agents.types import Rollout, Samples


def samples_of(rollouts: Sequence[Rollout], rank: str) -> tuple[Samples, ...]:
    """Rollouts by temperature, ascending; greedy, extra and distorted ones are left out.

    Args:
        rollouts: of N problems.
        rank: the ranking score.
    """
    plain = [r for r in rollouts if r.temperature > 0 and not r.extra and not r.response.distorted]
    groups = [[plain[i] for i in members] for members in by_problem(plain).values()]
    found = []
    for temperature in sorted({r.temperature for r in plain}):
        rows = [[r for r in group if r.temperature == temperature] for group in groups]
        right, tokens = _table(rows, _right), _table(rows, lambda r: len(r.response.tokens))
        ranks = _table(rows, lambda r: ranking_score(r, rank), missing=-1.0)
        ladders = [set(r.response.ladder) for row in rows for r in row]
        ladder = {
            t: _table(rows, _log_probability_at(t)) for t in sorted(set.intersection(*ladders))
        }
        found.append(Samples(temperature, right, ranks, tokens, ladder))
    return tuple(found)


def _table(
    rows: Sequence[Sequence[Rollout]],
    value: Callable[[Rollout], float],
    missing: float = np.nan,
) -> NDArray[np.float64]:
    """A value of each rollout, (N, K), from N lists of at most K."""
    found = np.full((len(rows), max(map(len, rows))), missing)
    for place, row in enumerate(rows):
        found[place, : len(row)] = [value(rollout) for rollout in row]
    return found


def _log_probability_at(temperature: float) -> Callable[[Rollout], float]:
    return lambda rollout: rollout.response.ladder[temperature]


def _right(rollout: Rollout) -> float:
    score = rollout.scores["correctness"]
    return score if np.isnan(score) else float(score == 1.0)


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
