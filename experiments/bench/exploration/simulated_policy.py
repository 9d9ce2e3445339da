"""A simulated policy, given by a formula, so that the best temperature of every round is known.

A problem's right answer has a main rival and a tail of other wrong answers. With the logit a of the
right answer over the rival, a sample at temperature T is right with probability

    p(T) = e^(a / T) / (e^(a / T) + 1 + e^(tail - gap / T)),    a ~ Normal(skill, breadth),

and a right sample counts e^trust times a wrong one in the ranking (Plackett 1975; Luce 1959), so
that Reward-Pass@2 and Pass@K have closed forms. Training makes a policy sharper: all its logits
grow. The parameters below were fitted by least squares to measured curves, and a test holds them to
these: the tables of M-STaR's dynamic study as read off its plots, and the embedded model's, in
``curves.jsonl`` of ``results/exploration-bench/rows.parquet``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import comb
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mstar.agents.explore.base import COOLEST, HOTTEST
from mstar.agents.explore.samples import reward_pass_2_at
from mstar.agents.types import Metrics, Samples, SamplingMetrics

Floats = NDArray[np.float64]

# The temperatures that the oracle chooses from.
CANDIDATES = np.round(np.arange(COOLEST, HOTTEST + 0.01, 0.05), 2)
NODES = 41  # quantiles of difficulty that represent all problems
REACH = 3.0  # correlation length of the noise over log T, chosen to match measured samples
LASTING = 0.5  # share of the noise's variance that persists from round to round


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A policy on one kind of problems; see the docstring of this file.

    Attributes:
        skill: mean logit of the right answer over its main rival.
        breadth: its standard deviation over problems.
        tail: logarithm of the number of other wrong answers.
        gap: how far the logits of those lie below the rival's.
        trust: log-odds that a right sample is ranked above a wrong one.
    """

    skill: float
    breadth: float
    tail: float
    gap: float
    trust: float

    def right(self, difficulty: Floats, temperature: float | Floats) -> Floats:
        """Probability that a sample is right.

        Args:
            difficulty: of each problem, from a standard normal distribution; any shape.
            temperature: of sampling; a shape that broadcasts with `difficulty`.
        """
        odds = np.exp(np.clip((self.skill + self.breadth * difficulty) / temperature, -50, 50))
        found: Floats = odds / (odds + 1 + np.exp(self.tail - self.gap / temperature))
        return found

    def sharper(self, factor: float) -> ProblemKind:
        """The policy after training, with all logits multiplied by a factor."""
        grown = (self.skill * factor, self.breadth * factor, self.gap * factor)
        return replace(self, skill=grown[0], breadth=grown[1], gap=grown[2])

    def towards(self, other: ProblemKind, way: float) -> ProblemKind:
        """The policy at a share, 0 to 1, of the way to another one."""
        mine, its = self._numbers(), other._numbers()
        return ProblemKind(*(float(x) for x in mine + way * (its - mine)))

    def _numbers(self) -> Floats:
        return np.array([self.skill, self.breadth, self.tail, self.gap, self.trust])


SimulatedPolicy = tuple[ProblemKind, ...]  # one or more kinds of problems, equally frequent

# M-STaR's static run at updates 773, 4842 and 10066; root mean square errors 1.9, 1.2, 0.7 points.
PAPER = (
    ProblemKind(0.34, 7.02, 7.07, 7.01, -0.95),
    ProblemKind(0.32, 9.55, 3.19, 3.10, -0.25),
    ProblemKind(-0.15, 11.72, 4.28, 6.58, -0.15),
)
# The embedded model and after four rounds of the default recipe, ranked by the process reward and
# by self-certainty; errors 2.6, 3.3, 3.4 and 3.0 points.
PROCESS = (ProblemKind(-0.23, 0.74, 3.09, 2.53, 0.64), ProblemKind(0.48, 1.69, 2.86, 3.07, 0.01))
CERTAINTY = (
    ProblemKind(-0.21, 0.70, 2.48, 1.84, -0.28),
    ProblemKind(0.51, 1.66, 2.93, 3.06, -0.40),
)


def pass_k(policy: SimulatedPolicy, temperature: float, k: int) -> float:
    """Pass@K over all problems."""
    return float(
        1 - np.mean([((1 - kind.right(nodes(), temperature)) ** k).mean() for kind in policy])
    )


def reward_pass_2(policy: SimulatedPolicy, temperature: float, k: int) -> float:
    """Reward-Pass@2 out of k samples over all problems."""
    return float(reward_pass_2_curve(policy, np.array([temperature]), k)[0])


def reward_pass_2_curve(policy: SimulatedPolicy, temperatures: Floats, k: int) -> Floats:
    """Reward-Pass@2 out of k samples over all problems, at each of the temperatures.

    With n right samples of weight w = e^trust and m = k - n wrong ones, both of the two best are
    wrong with probability m / (m + n w) x (m - 1) / (m - 1 + n w).
    """
    ways = [comb(k, n) for n in range(k + 1)]
    missed = np.zeros(len(temperatures))
    for kind in policy:
        right = kind.right(nodes()[None], temperatures[:, None])  # (T, nodes)
        both_wrong = _missed(k, kind.trust)
        chance = [ways[n] * right**n * (1 - right) ** (k - n) * both_wrong[n] for n in range(k - 1)]
        missed += np.sum(chance, axis=0).mean(axis=1)
    return 1 - missed / len(policy)


def entropy(policy: SimulatedPolicy) -> float:
    """Mean entropy over the answers at temperature 1, in nats."""
    found = []
    for kind in policy:
        right = kind.right(nodes(), 1.0)
        rest = 1 - right
        many = np.exp(kind.tail - kind.gap) / (1 + np.exp(kind.tail - kind.gap))
        wrong = -(1 - many) * np.log(1 - many) - many * (np.log(many) - kind.tail)
        plain = -right * np.log(right + 1e-300) - rest * np.log(rest + 1e-300)
        found.append(float((plain + rest * wrong).mean()))
    return float(np.mean(found))


def metrics_of(policy: SimulatedPolicy, probed: Sequence[Samples]) -> Metrics:
    """What an evaluation of a simulated policy measures."""
    surprise = entropy(policy)
    spread = {}
    for part in probed:
        k = part.right.shape[1]
        spread[part.temperature] = SamplingMetrics(
            pass_1=float(part.right.mean()),
            pass_k=float(part.right.any(axis=1).mean()),
            reward_pass_2=float(reward_pass_2_at(part, k).mean()),
            entropy=surprise,
            distinct=float("nan"),
            length=float("nan"),
        )
    return Metrics(len(probed[0].right), probed[0].right.shape[1], float("nan"), spread)


def _missed(k: int, trust: float) -> Floats:
    right = np.arange(k + 1) * np.exp(trust)
    wrong = np.arange(k, -1, -1.0)
    first = wrong / np.maximum(wrong + right, 1e-9)
    second = (wrong - 1) / np.maximum(wrong - 1 + right, 1e-9)
    missed: Floats = np.where(wrong >= 2, first * second, 0.0)
    return missed


@cache
def nodes() -> Floats:
    """Difficulties that represent all problems, (NODES,)."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / NODES) for i in range(NODES)])


class SimulatedProblems:
    """Validation problems that stay the same, and random samples of them.

    A noise value decides whether sample k of a problem is right. It changes gradually with the
    temperature, as for a model that samples with the same uniform numbers, and partly from round
    to round.

    Args:
        seed: of problems and noise.
        problems: N.
        samples: K per problem and temperature.
        paired: whether all temperatures share the noise; if not, each draws its own, as in the
            paper's sweep.
    """

    def __init__(self, seed: int, problems: int, samples: int, paired: bool) -> None:
        self._rng = np.random.default_rng([seed, 77])
        self._shape, self._paired = (2, problems, samples), paired
        self._difficulty = self._rng.standard_normal(problems)
        self._lasting = dict(zip(CANDIDATES.tolist(), self._noise(CANDIDATES), strict=True))

    def sample(self, policy: SimulatedPolicy, temperatures: Sequence[float]) -> tuple[Samples, ...]:
        """Samples of all problems at ascending temperatures."""
        found = []
        fresh = self._noise(np.array(temperatures))
        for temperature, noise in zip(temperatures, fresh, strict=True):
            near = float(CANDIDATES[np.abs(CANDIDATES - temperature).argmin()])
            mixed = LASTING**0.5 * self._lasting[near] + (1 - LASTING) ** 0.5 * noise
            chance, luck = _uniform(mixed)
            kinds = [kind.right(self._difficulty, temperature) for kind in policy]
            owner = np.arange(len(self._difficulty)) % len(policy)
            share = np.choose(owner, kinds)
            right = (chance < share[:, None]).astype(np.float64)
            trust = np.choose(owner, [kind.trust for kind in policy])[:, None]
            found.append(Samples(float(temperature), right, right * trust - np.log(-np.log(luck))))
        return tuple(found)

    def _noise(self, temperatures: Floats) -> list[Floats]:
        """Standard normal noise, (2, N, K) per temperature; correlated between them if paired."""
        noise = [self._rng.standard_normal(self._shape) for _ in temperatures]
        for i in range(1, len(noise) if self._paired else 1):
            near = (temperatures[i] / temperatures[i - 1]) ** (-1 / REACH)
            noise[i] = near * noise[i - 1] + (1 - near**2) ** 0.5 * noise[i]
        return noise


def _uniform(normal: Floats) -> Floats:
    """The standard normal CDF to within 1e-4 (Bowling's cubic in a logistic function)."""
    found: Floats = 1 / (1 + np.exp(-normal * (0.07056 * normal * normal + 1.5976)))
    return np.clip(found, 1e-12, 1 - 1e-12)
