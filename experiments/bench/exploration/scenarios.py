"""How a simulated policy changes over a run: the scenarios of the exploration bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, pi, sin

import numpy as np

from mstar.experiments.bench.exploration.simulated_policy import (
    CERTAINTY,
    PAPER,
    PROCESS,
    ProblemKind,
    SimulatedPolicy,
)

ROUNDS = 20


def drift(start: ProblemKind, end: ProblemKind, rounds: int = ROUNDS) -> list[ProblemKind]:
    """Policies that change from one to another in `rounds` even steps, both ends included."""
    return [start.towards(end, i / rounds) for i in range(rounds + 1)]


def plain(kinds: Sequence[ProblemKind]) -> tuple[SimulatedPolicy, ...]:
    """Simulated policies whose problems are all of one kind."""
    return tuple((kind,) for kind in kinds)


# The parameters of `paired` were chosen on these.
TUNING: dict[str, tuple[SimulatedPolicy, ...]] = {
    "paper": plain(drift(PAPER[0], PAPER[1], 10) + drift(PAPER[1], PAPER[2], 10)[1:]),
    "embedded": plain(drift(*PROCESS, 5) + drift(PROCESS[1], PROCESS[1].sharper(1.6), 15)[1:]),
    "flat": plain([PAPER[2]] * (ROUNDS + 1)),
    "abrupt": plain([PROCESS[0]] * 10 + [PROCESS[0].sharper(2.5)] * 11),
    "falling": plain(drift(PROCESS[0].sharper(2.5), PROCESS[0])),
}

# No parameter was chosen on these, nor on their seeds.
REPORTED: dict[str, tuple[SimulatedPolicy, ...]] = {
    # The embedded model, ranked by its own certainty: the measured change over four rounds, then a
    # further sharpening over 16 more.
    "drifting": plain(drift(*CERTAINTY, 4) + drift(CERTAINTY[1], CERTAINTY[1].sharper(2), 16)[1:]),
    # M-STaR's policy in the middle of its run: within a factor of two of the best temperature,
    # Reward-Pass@2 differs by only 1 or 2 points.
    "flat": plain([PAPER[1]] * (ROUNDS + 1)),
    # A sharp policy that is suddenly reset, as by a rollback to the base.
    "abrupt": plain([CERTAINTY[1].sharper(2)] * 12 + [CERTAINTY[0]] * 9),
    # The policy sharpens, gradually becomes less sharp, and sharpens again.
    "there and back": plain(
        [PROCESS[0].sharper(1.6 + 0.6 * sin(2 * pi * i / ROUNDS)) for i in range(ROUNDS + 1)]
    ),
    # Easy problems that are best sampled at high temperatures, hard ones at low temperatures.
    "two kinds": tuple(
        (kind, replace(PAPER[0], trust=kind.trust))
        for kind in drift(PROCESS[0], PROCESS[1].sharper(1.5))
    ),
}


def varied(policies: Sequence[SimulatedPolicy], seed: int) -> list[SimulatedPolicy]:
    """The scenario as a seed varies it: other problems, policy and reward model."""
    draws = np.random.default_rng([seed, 5]).standard_normal(5)
    moved, widened, tail, _, trust = (float(x) for x in draws)

    def change(kind: ProblemKind) -> ProblemKind:
        return ProblemKind(
            skill=kind.skill + 0.1 * moved * kind.breadth,
            breadth=kind.breadth * exp(0.08 * widened),
            tail=kind.tail * (1 + 0.05 * tail),
            gap=kind.gap * (1 + 0.05 * tail),
            trust=kind.trust + 0.15 * trust,
        )

    return [tuple(change(kind) for kind in policy) for policy in policies]
