"""The sample that people look at: a random part, and parts that tell most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mstar.experiments.audit.population import Candidate
from mstar.experiments.verdicts import Item

RANDOM = "random"
RANDOM_SHARE = 0.5  # of the sample; what estimates are made from
MOST_DISAGREEMENT = 0.9  # quantile from which judges are said to disagree
HIGH_REWARD = 0.75  # quantile
LOW_AGREEMENT = 0.5  # share of the responses to the problem that give the same answer

Flags = NDArray[np.bool_]


def draw_sample(candidates: Sequence[Candidate], size: int, seed: int) -> list[Item]:
    """The items of the sample, in the order in which they are shown.

    Whoever stops early has seen the same share of every part. The parts are drawn without
    replacement, the random one first and from everything, so that it alone stands for the whole.
    An item's place in a draw comes from a hash of its id: as a run goes on, the sample grows by
    new items and keeps most of the old ones.

    Args:
        candidates: all N items.
        size: how many to show; all where there are fewer.
        seed: of the draw.
    """
    order = sorted(range(len(candidates)), key=lambda i: _place(candidates[i].item.id, seed))
    flags = {name: stratum(candidates) for name, stratum in STRATA.items()}
    members = {name: [i for i in order if flags[name][i]] for name in STRATA}
    quota = round((1 - RANDOM_SHARE) * size / max(1, sum(map(bool, members.values()))))
    size = min(size, len(order))
    at_random = max(1, size - quota * sum(map(bool, members.values())))
    parts = _draw(order, members, at_random, quota)
    while (missing := size - sum(len(chosen) for chosen, _ in parts.values())) > 0:
        at_random += missing  # a part with few members leaves its places to the random one
        parts = _draw(order, members, at_random, quota)
    shown = [
        (
            place / len(chosen),
            replace(candidates[index].item, stratum=name, probability=chance),
        )
        for name, (chosen, chance) in parts.items()
        for place, index in enumerate(chosen)
    ]
    return [item for _, item in sorted(shown, key=lambda pair: pair[0])]


def _draw(
    order: Sequence[int], members: Mapping[str, Sequence[int]], at_random: int, quota: int
) -> dict[str, tuple[Sequence[int], float]]:
    """Of each part the chosen indices, and the probability with which its members are chosen."""
    taken = set(order[:at_random])
    parts: dict[str, tuple[Sequence[int], float]] = {
        RANDOM: (order[:at_random], at_random / max(1, len(order)))
    }
    for name, own in members.items():
        free = [index for index in own if index not in taken]
        taken |= set(free[:quota])
        parts[name] = (free[:quota], len(free[:quota]) / max(1, len(free)))
    return parts


def _place(id: str, seed: int) -> bytes:
    return blake2b(f"{seed}/{id}".encode(), digest_size=16).digest()


def judges_disagree(candidates: Sequence[Candidate]) -> Flags:
    """(N,) whether reward models rank a response most differently.

    Scores are compared by their ranks among all N, since each model has a scale of its own; the
    disagreement is the standard deviation of a response's ranks.
    """
    names = list(dict.fromkeys(name for each in candidates for name in each.item.scores))
    ranks = [_ranks(_column(candidates, name)) for name in names]
    if len(ranks) < 2:
        return np.zeros(len(candidates), bool)
    table = np.stack(ranks, axis=1)  # (N, K)
    known = ~np.isnan(table)
    spread = np.where(known.sum(axis=1) > 1, _deviation(table), 0.0)
    least = max(float(np.quantile(spread, MOST_DISAGREEMENT)), 1e-9)
    found: Flags = spread >= least
    return found


def kept_for_training(candidates: Sequence[Candidate]) -> Flags:
    """(N,) whether a round learned from a response."""
    return np.array([each.item.kept for each in candidates], bool)


def high_reward_low_agreement(candidates: Sequence[Candidate]) -> Flags:
    """(N,) whether a response is paid well although most others give another answer."""
    rewards = np.array(
        [np.nan if each.item.reward is None else each.item.reward for each in candidates]
    )
    if np.isnan(rewards).all():
        return np.zeros(len(candidates), bool)
    alone = np.array([each.agreement for each in candidates]) < LOW_AGREEMENT
    found: Flags = alone & (rewards >= np.nanquantile(rewards, HIGH_REWARD)) & (rewards > 0)
    return found


STRATA: dict[str, Callable[[Sequence[Candidate]], Flags]] = {
    "judges disagree": judges_disagree,
    "high reward, low agreement": high_reward_low_agreement,
    "kept for training": kept_for_training,
}


def _column(candidates: Sequence[Candidate], name: str) -> NDArray[np.float64]:
    scores = [each.item.scores.get(name) for each in candidates]
    return np.array([np.nan if score is None else score for score in scores], np.float64)


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks in [0, 1], equal scores sharing their mean rank; NaN stays NaN."""
    known = scores[~np.isnan(scores)]
    ordered = np.sort(known)
    below = np.searchsorted(ordered, scores, "left")
    upto = np.searchsorted(ordered, scores, "right")
    ranks: NDArray[np.float64] = np.where(
        np.isnan(scores), np.nan, (below + upto) / max(1, 2 * len(known))
    )
    return ranks


def _deviation(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation of each row over what is not NaN."""
    known = ~np.isnan(table)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.nan_to_num(table).sum(axis=1, keepdims=True) / count
    squares = np.where(known, (table - mean) ** 2, 0.0)
    deviation: NDArray[np.float64] = np.sqrt(squares.sum(axis=1) / count[:, 0])
    return deviation
