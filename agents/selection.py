"""Selection: which of its own responses the policy learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.agents.rollout import by_problem
from mstar.agents.settings import SelectionRule
from mstar.agents.types import Rollout, Selection


def select(
    rollouts: Sequence[Rollout],
    rule: SelectionRule,
    top_k: int,
    threshold: float,
    seed: int,
    gate: str = "correctness",
    rank: str = "reward",
    required: Sequence[str] = (),
) -> Selection:
    """Keep the best of the rollouts that pass the gate, problem by problem.

    M-STaR's selector H (Liu et al. 2024, arXiv 2412.17451): only right responses are kept, and
    among the right ones to a problem the `top_k` best by the ranking score. Of equal texts one is
    kept.

    Args:
        rollouts: judged responses.
        rule: ``all`` that pass; ``random-k``, ``top-k`` by the ranking score or ``shortest-k`` of
            them; or ``threshold``, all whose ranking score is at least the threshold.
        top_k: k.
        threshold: least ranking score under ``threshold``.
        seed: of ``random-k``, and of the order of ties.
        gate: the score that must be 1; where it abstained, ``pseudo`` must be 1, if there is one.
        rank: the score that ranks; ``reward`` is the panel's combined reward.
        required: scores without which a rollout is left out, since a judge failed on it.
    """
    rng = np.random.default_rng(seed)
    order = rng.random(len(rollouts))
    groups = by_problem(rollouts)
    kept: list[int] = []
    passed = solved = 0
    unjudged = {i for i, each in enumerate(rollouts) if not_judged(each, required)}
    for members in groups.values():
        right = [i for i in members if passes(rollouts[i], gate)]
        passed += len(right)
        solved += bool(right)
        distinct = {rollouts[i].response.text: i for i in reversed(right) if i not in unjudged}
        candidates = sorted(distinct.values(), key=lambda i: order[i])
        kept += _chosen(rollouts, candidates, rule, top_k, threshold, rank)
    return Selection(
        tuple(sorted(kept)),
        solved / max(1, len(groups)),
        passed / max(1, len(rollouts)),
        len(unjudged),
    )


def not_judged(rollout: Rollout, required: Sequence[str]) -> bool:
    """Whether a judge that was required failed on a rollout."""
    return any(np.isnan(rollout.scores[name]) for name in required)


def passes(rollout: Rollout, gate: str) -> bool:
    """Whether a rollout may be learned from: by the gate or, if it abstains, the pseudo-label.

    A response that does not count, because it was cut off, may not; see ``RewardPanel``.
    """
    if not rollout.counts:
        return False
    verdict = rollout.scores[gate]
    return (rollout.scores.get("pseudo", verdict) if np.isnan(verdict) else verdict) == 1.0


def ranking_score(rollout: Rollout, rank: str) -> float:
    """The score that ranks a rollout; -1 where its model abstained."""
    value = rollout.reward if rank == "reward" else rollout.scores[rank]
    return -1.0 if np.isnan(value) else value


def _chosen(
    rollouts: Sequence[Rollout],
    candidates: list[int],
    rule: SelectionRule,
    top_k: int,
    threshold: float,
    rank: str,
) -> list[int]:
    if rule == "all":
        return candidates
    if rule == "threshold":
        return [i for i in candidates if ranking_score(rollouts[i], rank) >= threshold]
    if rule == "top-k":
        candidates = sorted(candidates, key=lambda i: -ranking_score(rollouts[i], rank))
    elif rule == "shortest-k":
        candidates = sorted(candidates, key=lambda i: len(rollouts[i].response.tokens))
    return candidates[:top_k]
