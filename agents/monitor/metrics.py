"""What a policy can do now: accuracy, head-room, calibration, and how well rewards pick from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mstar.agents.explore.evidence import Samples
from mstar.agents.rollout import Rollout, by_problem, score_table
from mstar.agents.selection import ranking_score
from mstar.rewards.diagnostics.calibration import Calibration, calibration
from mstar.rewards.diagnostics.health import ModelHealth, pairwise, panel_health
from mstar.rewards.verifier.verify import extract
from mstar.rewards.voting import answers_by_class

UNKNOWN = calibration(np.zeros(0), np.zeros(0, bool))


@dataclass(frozen=True, slots=True)
class Spread:
    """What K samples of each problem at one temperature show.

    Accuracies are of the samples that the verifier can tell right from wrong, and NaN without any.

    Attributes:
        pass_1: mean share of the samples that are right.
        pass_k: share of problems with at least one right sample of K: exploration.
        reward_pass_2: share of problems where one of the two samples that the ranking score puts
            first, of all K, is right: how well the reward model exploits the policy.
        entropy: mean entropy of a token, in nats.
        distinct: mean number of different final answers of a problem.
        length: mean number of tokens of a response.
        majority: of each problem's most frequent answer: the share of the samples that give it, as
            a confidence, against whether it is right.
        confidence: of each response: the geometric mean of its tokens' probabilities, as a
            confidence, against whether it is right.
    """

    pass_1: float
    pass_k: float
    reward_pass_2: float
    entropy: float
    distinct: float
    length: float
    majority: Calibration = UNKNOWN
    confidence: Calibration = UNKNOWN


@dataclass(frozen=True, slots=True)
class Dynamics:
    """One measurement of a policy on held-out problems.

    Attributes:
        problems: how many.
        samples: K, at each temperature.
        greedy: share that the greedy answer gets right, of those where that can be told; NaN where
            it can be told of none.
        spread: what sampling shows, by temperature.
        health: each reward model beside the verifier, over the samples at one temperature; {} for
            a panel without the verifier.
        agreement: Spearman's correlation of each two reward models over the same samples, by
            ``"one/other"``.
        drift: from the base, in nats a token; see ``Anchor``.
    """

    problems: int
    samples: int
    greedy: float
    spread: dict[float, Spread]
    health: dict[str, ModelHealth] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    drift: float = float("nan")

    def gap(self, temperature: float) -> float:
        """Head-room: Pass@K minus greedy accuracy; near zero, nothing new is left to learn."""
        return self.spread[temperature].pass_k - self.greedy


def measure(rollouts: Sequence[Rollout], rank: str) -> Dynamics:
    """Sum up rollouts that hold one greedy answer and K samples per temperature of each problem.

    Metrics of M-STaR (arXiv 2412.17451, section on the dynamics of self-evolution).

    Args:
        rollouts: of N problems; temperature 0 is greedy.
        rank: the score that ranks for Reward-Pass@2.
    """
    greedy = [r.scores["correctness"] for r in _known(rollouts) if r.temperature == 0]
    temperatures = sorted({r.temperature for r in rollouts} - {0.0})
    spread = {t: _spread([r for r in rollouts if r.temperature == t], rank) for t in temperatures}
    problems = len(by_problem(rollouts))
    sampled = sum(r.temperature > 0 for r in rollouts)
    return Dynamics(
        problems=problems,
        samples=sampled // max(1, problems * len(temperatures)),
        greedy=float(np.mean(np.equal(greedy, 1.0))) if greedy else float("nan"),
        spread=spread,
    )


def samples_of(rollouts: Sequence[Rollout], rank: str) -> tuple[Samples, ...]:
    """Rollouts by temperature, ascending; greedy and extra ones are left out.

    Args:
        rollouts: of N problems.
        rank: the ranking score.
    """
    plain = [r for r in rollouts if r.temperature > 0 and not r.extra]
    groups = [[plain[i] for i in members] for members in by_problem(plain).values()]
    found = []
    for heat in sorted({r.temperature for r in plain}):
        rows = [[r for r in group if r.temperature == heat] for group in groups]
        right = np.full((len(rows), max(map(len, rows))), np.nan)
        ranks = np.full(right.shape, -1.0)
        for place, row in enumerate(rows):
            right[place, : len(row)] = [_right(r) for r in row]
            ranks[place, : len(row)] = [ranking_score(r, rank) for r in row]
        found.append(Samples(heat, right, ranks))
    return tuple(found)


def _right(rollout: Rollout) -> float:
    score = rollout.scores["correctness"]
    return score if np.isnan(score) else float(score == 1.0)


def health_of(rollouts: Sequence[Rollout]) -> tuple[dict[str, ModelHealth], dict[str, float]]:
    """Health and agreement of the reward models over rollouts; see ``Dynamics``."""
    table = score_table(rollouts)
    lengths = np.array([len(rollout.response.text) for rollout in rollouts], np.int64)
    health = panel_health(table, lengths) if "correctness" in table.names else {}
    return health, pairwise(table)


def _spread(rollouts: list[Rollout], rank: str) -> Spread:
    groups = list(by_problem(rollouts).values())
    pass_1, pass_k, reward_pass_2 = _passing(_known(rollouts), rank)
    return Spread(
        pass_1=pass_1,
        pass_k=pass_k,
        reward_pass_2=reward_pass_2,
        entropy=float(np.mean([r.response.entropy for r in rollouts])),
        distinct=float(np.mean([len({_answer(rollouts[i]) for i in m}) for m in groups])),
        length=float(np.mean([len(r.response.tokens) for r in rollouts])),
        majority=_majority(rollouts, groups),
        confidence=_confidence(rollouts),
    )


def _known(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Those of which the verifier can tell whether they are right."""
    return [r for r in rollouts if not np.isnan(r.scores["correctness"])]


def _passing(known: Sequence[Rollout], rank: str) -> tuple[float, float, float]:
    """Pass@1, Pass@K and Reward-Pass@2 of rollouts at one temperature."""
    if not known:
        return (float("nan"),) * 3
    groups = list(by_problem(known).values())
    right = np.array([r.scores["correctness"] == 1.0 for r in known])
    ranked = np.array([ranking_score(r, rank) for r in known])
    best_two = [
        [members[i] for i in np.argsort(-ranked[members], kind="stable")[:2]] for members in groups
    ]
    return (
        float(np.mean([right[members].mean() for members in groups])),
        float(np.mean([right[members].any() for members in groups])),
        float(np.mean([right[members].any() for members in best_two])),
    )


def _confidence(rollouts: Sequence[Rollout]) -> Calibration:
    known = _known(rollouts)
    said = [np.exp(r.response.logprob / max(1, len(r.response.tokens))) for r in known]
    right = [r.scores["correctness"] == 1.0 for r in known]
    return calibration(np.array(said), np.array(right, bool))


def _majority(rollouts: Sequence[Rollout], groups: Sequence[Sequence[int]]) -> Calibration:
    """Of equally frequent answers the first given counts; no answer is none with confidence.

    Problems where nobody can tell whether the majority is right are left out.
    """
    said, right = [], []
    for members in groups:
        group = [rollouts[i] for i in members]
        classes = answers_by_class([r.problem.attempt(r.response.text) for r in group])
        given = [answer for answer in classes if answer is not None]
        most = max(given, key=given.count, default=None)
        verdict = 0.0 if most is None else group[classes.index(most)].scores["correctness"]
        if not np.isnan(verdict):
            said.append(given.count(most) / len(group) if most is not None else 0.0)
            right.append(verdict == 1.0)
    return calibration(np.array(said), np.array(right, bool))


def _answer(rollout: Rollout) -> str:
    answer = rollout.problem.answer
    return (extract(rollout.response.text, answer) if answer else None) or rollout.response.text
