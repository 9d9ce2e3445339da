"""A simulated policy that learns from what its rounds find: where does each objective lead?

On the other scenarios the policy changes in the same way whatever the controller does, so that only
the distance from the best temperature for a given objective can be measured. Here each template of
problems is learned from the right responses to it alone, so that a controller that never finds any
never learns it. A template is a ``ProblemKind``; after a round with n examples of it (right
responses, at most ``TOP_K`` of a problem),

    skill += RATE n / (n + HALF) (1 - p),    gap += RATE n / (n + HALF) r,

with p and r the probabilities of the right answer and of the tail at temperature 1: the directions
of the gradient of log p, and fewer examples teach less. What is measured is the accuracy at
temperature 1 once a budget of samples is spent, probes included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.explore.base import ExplorationController, Fixed
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.registry import resolve
from mstar.agents.types import RoundSamples, Samples, SamplingPlan
from mstar.experiments.bench.exploration.scenarios import varied
from mstar.experiments.bench.exploration.simulated_policy import (
    CANDIDATES,
    PROCESS,
    ProblemKind,
    metrics_of,
    nodes,
    reward_pass_2_curve,
)
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row
from mstar.experiments.stats import estimate

Floats = NDArray[np.float64]

PROBLEMS, SAMPLES = 128, 8  # of a round
VALIDATION_PROBLEMS, VALIDATION_SAMPLES = 120, 4  # of each evaluation
START, TOP_K = 1.0, 2
RATE, HALF = 0.6, 8.0
STYLE = 1.5  # standard deviation of a response's energy apart from its answer; see `sampled`
FIXED = (0.3, 0.6, 0.8, 1.0, 1.25, 1.6)

# A base that seldom succeeds: about 7 % of its samples are right at temperature 0.7 and 2.5 % at
# 1.0, in the manner of a language model of 135 M weights. In three templates the right answer
# drowns in many unlikely ones, and in six it stands behind one that is likelier, more or less far.
SELDOM = (
    *(ProblemKind(0.3, 1.0, 8.0, 4.0, 0.3),) * 3,
    *(ProblemKind(-3.2, 1.0, 1.0, 1.0, 0.3),) * 3,
    *(ProblemKind(-4.6, 1.0, 1.0, 1.0, 0.3),) * 3,
)
# The policy, and the samples of a run: so many rounds without probes.
SCENARIOS = {
    "seldom right": (SELDOM, 20 * PROBLEMS * SAMPLES),
    "embedded": ((PROCESS[0],) * 9, 6 * PROBLEMS * SAMPLES),
}


def sampled(
    kinds: Sequence[ProblemKind],
    difficulty: Floats,
    temperature: float,
    samples: int,
    rng: np.random.Generator,
    ladder: Sequence[float] = (),
) -> Samples:
    """Samples of N problems, with their log-probabilities at the temperatures of a ladder.

    An answer is the right one, its rival or one of the tail, with logits a, 0 and -gap. What else a
    response says has an energy E with density proportional to e^(-E / T) N(E; 0, STYLE^2).
    """
    owner = np.arange(len(difficulty)) % len(kinds)
    skill, breadth, tail, gap, trust = (
        np.array([getattr(kind, name) for kind in kinds])[owner][:, None]
        for name in ("skill", "breadth", "tail", "gap", "trust")
    )
    logits = skill + breadth * difficulty[:, None]

    def weights(t: float) -> list[Floats]:
        return [np.exp(logits / t), np.ones(logits.shape), np.exp(tail - gap / t)]

    own = weights(temperature)
    drawn = rng.random((len(difficulty), samples)) * sum(own)
    right, behind = drawn < own[0], drawn >= own[0] + own[1]
    energy = rng.normal(-(STYLE**2) / temperature, STYLE, right.shape)
    logit = np.where(right, logits, np.where(behind, -gap, 0.0))
    tempered = {
        t: (logit - energy) / t - np.log(sum(weights(t))) - STYLE**2 / (2 * t**2)
        for t in ({*ladder, temperature} if ladder else ())
    }
    rank = right * trust + rng.gumbel(size=right.shape)
    return Samples(temperature, right.astype(float), rank, np.ones(right.shape), tempered)


def learned(kinds: Sequence[ProblemKind], seen: Samples) -> tuple[ProblemKind, ...]:
    """The policy after it has learned from a round."""
    found = np.minimum(seen.right.sum(axis=1), TOP_K)
    after = []
    for place, kind in enumerate(kinds):
        examples = float(found[place :: len(kinds)].sum())
        step = RATE * examples / (examples + HALF)
        right = float(kind.right(nodes(), 1.0).mean())
        tail = (1 - right) / (1 + np.exp(kind.gap - kind.tail))
        after.append(
            replace(kind, skill=kind.skill + step * (1 - right), gap=kind.gap + step * tail)
        )
    return tuple(after)


def accuracy(kinds: Sequence[ProblemKind]) -> float:
    """Share of right samples at temperature 1."""
    return float(np.mean([kind.right(nodes(), 1.0).mean() for kind in kinds]))


def solved(kinds: Sequence[ProblemKind]) -> float:
    """Share of the templates that are right in at least half of the samples at temperature 1."""
    return float(np.mean([kind.right(nodes(), 1.0).mean() >= 0.5 for kind in kinds]))


# What a round at each of the temperatures is worth, (T,): exact, with no estimate in the way.
Objective = Callable[[Sequence[ProblemKind], Floats], Floats]


def mean_over_problems(value: Callable[[Floats, Floats], Floats]) -> Objective:
    """The mean of a value of the probabilities right at a temperature, and right at 1."""

    def objective(kinds: Sequence[ProblemKind], temperatures: Floats) -> Floats:
        found: Floats = np.mean(
            [
                value(
                    kind.right(nodes()[None], temperatures[:, None]), kind.right(nodes()[None], 1.0)
                ).mean(axis=1)
                for kind in kinds
            ],
            axis=0,
        )
        return found

    return objective


OBJECTIVES: dict[str, Objective] = {
    "Reward-Pass@2": lambda kinds, t: reward_pass_2_curve(tuple(kinds), t, SAMPLES),
    "pass@1": mean_over_problems(lambda p, known: p),
    "pass@8": mean_over_problems(lambda p, known: 1 - (1 - p) ** SAMPLES),
    "learnable groups": mean_over_problems(lambda p, known: 1 - (1 - p) ** SAMPLES - p**SAMPLES),
    "discovery": mean_over_problems(lambda p, known: (1 - known) * (1 - (1 - p) ** SAMPLES)),
    "discovery, k = 3": mean_over_problems(lambda p, known: (1 - known) * (1 - (1 - p) ** 3)),
}
CHOOSERS = ("reward-pass@2", "paired", "entropy", "tampo", "free")


class Oracle(ExplorationController):
    """Knows the policy, and takes the temperature of the highest value of an objective."""

    def __init__(self, plan: SamplingPlan, recipe: Recipe, objective: Objective) -> None:
        super().__init__(plan, recipe)
        self._objective = objective

    def show(self, kinds: Sequence[ProblemKind]) -> None:
        """Choose for this policy."""
        best = CANDIDATES[int(np.argmax(self._objective(kinds, CANDIDATES)))]
        self._plan = replace(self._plan, temperature=float(best))


@dataclass(frozen=True, slots=True)
class Learning:
    """The result of one run.

    Attributes:
        accuracy: share of right samples at temperature 1 at its end.
        templates: share of the templates that are right in half of the samples or more.
        temperatures: of its rounds.
        probes: samples drawn for probes.
    """

    accuracy: float
    templates: float
    temperatures: tuple[float, ...]
    probes: int


def learn(
    controller: ExplorationController, kinds: Sequence[ProblemKind], budget: int, seed: int
) -> Learning:
    """Run a controller until a budget is spent.

    Args:
        controller: that chooses the temperatures.
        kinds: the base, one kind for each template.
        budget: samples for training and probes.
        seed: of problems and sampling.
    """
    ladder = controller.ladder
    rng = np.random.default_rng([seed, 91])
    validation = np.random.default_rng([seed, 92]).standard_normal(VALIDATION_PROBLEMS)
    trained: tuple[Samples, ...] = ()
    temperatures: list[float] = []
    left, number, spent = budget, 0, 0
    while True:
        if isinstance(controller, Oracle):
            controller.show(kinds)
        probes = controller.probes(number)
        probed = tuple(
            sampled(kinds, validation, t, VALIDATION_SAMPLES, rng, ladder) for t in probes
        )
        controller.observe(number, metrics_of(tuple(kinds), probed), RoundSamples(probed, trained))
        spent += (len(probes) - 1) * VALIDATION_PROBLEMS * VALIDATION_SAMPLES
        if left - spent < PROBLEMS * SAMPLES:
            return Learning(accuracy(kinds), solved(kinds), tuple(temperatures), spent)
        left, number = left - PROBLEMS * SAMPLES, number + 1
        temperature = controller.plan().temperature
        temperatures.append(temperature)
        problems = rng.standard_normal(PROBLEMS)
        seen = sampled(kinds, problems, temperature, SAMPLES, rng, ladder)
        kinds, trained = learned(kinds, seen), (seen,)


def contenders(seed: int) -> dict[str, ExplorationController]:
    """Fixed temperatures, oracles of every objective, and controllers as a run would use them."""
    plan, recipe = SamplingPlan(START, SAMPLES, TOP_K, 0.0), Recipe.of(seed=seed)
    return {
        **{f"fixed {t}": Fixed(replace(plan, temperature=t), recipe) for t in FIXED},
        **{f"oracle of {n}": Oracle(plan, recipe, value) for n, value in OBJECTIVES.items()},
        **{n: resolve("controller", CONTROLLERS, n)(plan, recipe) for n in CHOOSERS},
    }


def bench_learning(seeds: Sequence[int], names: Sequence[str] = ()) -> list[Row]:
    """Run every contender through both scenarios; one row each.

    Returns:
        ``accuracy`` and ``templates`` at the end, in %, one number per seed; ``regret``: accuracy
        of the best fixed temperature of that seed, found in hindsight, minus it, in points;
        ``samples`` drawn for probes and ``temperature`` by round, means over seeds.
    """
    rows: list[Row] = []
    for scenario, (base, budget) in SCENARIOS.items():
        runs: dict[str, list[Learning]] = {}
        for seed in seeds:
            (kinds,) = varied([base], seed)
            for name, controller in contenders(seed).items():
                if not names or name in names or name.startswith("fixed"):
                    runs.setdefault(name, []).append(learn(controller, kinds, budget, seed))
        fixed = [[run.accuracy for run in runs[f"fixed {t}"]] for t in FIXED]
        rows += [_row(scenario, n, found, np.max(fixed, axis=0)) for n, found in runs.items()]
    return rows


def _row(scenario: str, name: str, runs: Sequence[Learning], best: Floats) -> Row:
    rounds = max(len(run.temperatures) for run in runs)
    chosen = [
        run.temperatures + run.temperatures[-1:] * (rounds - len(run.temperatures)) for run in runs
    ]
    reached = np.array([run.accuracy for run in runs])
    return {
        "scenario": scenario,
        "controller": name,
        "accuracy": [round(float(100 * x), 2) for x in reached],
        "templates": [round(100 * run.templates, 2) for run in runs],
        "regret": [round(float(100 * x), 2) for x in best - reached],
        "samples": round(float(np.mean([run.probes for run in runs]))),
        "temperature": [round(float(t), 3) for t in np.mean(chosen, axis=0)],
    }


def learning_table(rows: Sequence[Row]) -> str:
    """End of the runs by controller, with 95 % intervals over seeds, as markdown."""
    lines = []
    for row in rows:
        cells = [estimate([np.array(row[key])]) for key in ("accuracy", "templates", "regret")]
        shown = " | ".join(f"{c.mean:.1f} [{c.low:.1f}, {c.high:.1f}]" for c in cells)
        first, last = row["temperature"][0], row["temperature"][-1]
        lines.append(
            f"| {row['scenario']} | {row['controller']} | {shown} | {row['samples']:,} | "
            f"{first:.2f} to {last:.2f} |"
        )
    head = "| policy | controller | accuracy, % | templates, % | regret | probes | temperature |"
    return table(head, lines)
