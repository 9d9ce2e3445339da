"""Metrics of a policy: accuracy, headroom, calibration, and how well reward models select."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.agents.rollout import by_problem, score_table
from mstar.agents.selection import ranking_score
from mstar.agents.types import Metrics, Rollout, SamplingMetrics
from mstar.rewards.diagnostics.calibration import Calibration, calibration
from mstar.rewards.diagnostics.health import ModelHealth, pairwise, panel_health
from mstar.rewards.verifier.verify import extract
from mstar.rewards.voting import answers_by_class


def measure(rollouts: Sequence[Rollout], rank: str) -> Metrics:
    """Metrics of rollouts that hold one greedy response and K samples per temperature and problem.

    The metrics are those of M-STaR (arXiv 2412.17451, section on the dynamics of self-evolution).

    Args:
        rollouts: of N problems; temperature 0 is greedy.
        rank: the ranking score of Reward-Pass@2.
    """
    greedy = [r.scores["correctness"] for r in _labelled(rollouts) if r.temperature == 0]
    temperatures = sorted({r.temperature for r in rollouts} - {0.0})
    problems = len(by_problem(rollouts))
    sampled = sum(r.temperature > 0 for r in rollouts)
    return Metrics(
        problems=problems,
        samples=sampled // max(1, problems * len(temperatures)),
        greedy=float(np.mean(np.equal(greedy, 1.0))) if greedy else float("nan"),
        by_temperature={
            t: _at_temperature([r for r in rollouts if r.temperature == t], rank)
            for t in temperatures
        },
        cut=cut_share(rollouts),
    )


def cut_share(rollouts: Sequence[Rollout]) -> float:
    """Share of the responses that were cut off by the limit on their length; 0 without any."""
    return sum(not r.response.finished for r in rollouts) / max(1, len(rollouts))


def health_of(rollouts: Sequence[Rollout]) -> tuple[dict[str, ModelHealth], dict[str, float]]:
    """Health and agreement of the reward models over rollouts; see ``Metrics``."""
    table = score_table(rollouts)
    lengths = np.array([len(rollout.response.text) for rollout in rollouts], np.int64)
    return panel_health(table, lengths), pairwise(table)


def _at_temperature(rollouts: list[Rollout], rank: str) -> SamplingMetrics:
    groups = list(by_problem(rollouts).values())
    pass_1, pass_k, reward_pass_2 = _passing(_labelled(rollouts), rank)
    return SamplingMetrics(
        pass_1=pass_1,
        pass_k=pass_k,
        reward_pass_2=reward_pass_2,
        entropy=float(np.mean([r.response.entropy for r in rollouts])),
        distinct=float(np.mean([len({_answer(rollouts[i]) for i in m}) for m in groups])),
        length=float(np.mean([len(r.response.tokens) for r in rollouts])),
        majority=_majority(rollouts, groups),
        confidence=_confidence(rollouts),
    )


def _labelled(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Those that the verifier can tell right from wrong."""
    return [r for r in rollouts if not np.isnan(r.scores["correctness"])]


def _passing(labelled: Sequence[Rollout], rank: str) -> tuple[float, float, float]:
    """Pass@1, Pass@K and Reward-Pass@2 of rollouts at one temperature."""
    if not labelled:
        return (float("nan"),) * 3
    groups = list(by_problem(labelled).values())
    right = np.array([r.scores["correctness"] == 1.0 for r in labelled])
    ranked = np.array([ranking_score(r, rank) for r in labelled])
    best_two = [
        [members[i] for i in np.argsort(-ranked[members], kind="stable")[:2]] for members in groups
    ]
    return (
        float(np.mean([right[members].mean() for members in groups])),
        float(np.mean([right[members].any() for members in groups])),
        float(np.mean([right[members].any() for members in best_two])),
    )


def _confidence(rollouts: Sequence[Rollout]) -> Calibration:
    labelled = _labelled(rollouts)
    stated = [np.exp(r.response.logprob / max(1, len(r.response.tokens))) for r in labelled]
    right = [r.scores["correctness"] == 1.0 for r in labelled]
    return calibration(np.array(stated), np.array(right, bool))


def _majority(rollouts: Sequence[Rollout], groups: Sequence[Sequence[int]]) -> Calibration:
    """Calibration of the most frequent answers; among equally frequent ones the first given counts.

    A problem without any answer counts as a confidence of 0 and wrong. Problems where the verifier
    cannot judge the majority are left out.
    """
    stated, right = [], []
    for members in groups:
        group = [rollouts[i] for i in members]
        classes = answers_by_class([r.problem.attempt(r.judged) for r in group])
        given = [answer for answer in classes if answer is not None]
        most = max(given, key=given.count, default=None)
        verdict = 0.0 if most is None else group[classes.index(most)].scores["correctness"]
        if not np.isnan(verdict):
            stated.append(given.count(most) / len(group) if most is not None else 0.0)
            right.append(verdict == 1.0)
    return calibration(np.array(stated), np.array(right, bool))


def _answer(rollout: Rollout) -> str:
    answer = rollout.problem.answer
    return (extract(rollout.response.text, answer) if answer else None) or rollout.response.text
