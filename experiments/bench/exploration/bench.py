"""Regret of every exploration controller against an oracle, on simulated policies.

mstar bench exploration --seeds 200 --out FOLDER
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstar.agents.config import Recipe
from mstar.agents.explore.base import ExplorationController
from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.explore.sweep import RewardPass2
from mstar.agents.registry import resolve
from mstar.agents.types import RoundSamples, SamplingPlan
from mstar.experiments.bench.base import Bench
from mstar.experiments.bench.exploration.figures import write_figures
from mstar.experiments.bench.exploration.learner import bench_learning
from mstar.experiments.bench.exploration.scenarios import REPORTED, ROUNDS, TUNING, varied
from mstar.experiments.bench.exploration.simulated_policy import (
    CANDIDATES,
    SimulatedPolicy,
    SimulatedProblems,
    metrics_of,
    reward_pass_2,
    reward_pass_2_curve,
)
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.stats import estimate

PROBLEMS, SAMPLES = 120, 8  # validation problems; samples of each, in training and in every probe
START = 1.0
# For choosing the parameters of `paired`; never used for reported numbers.
TUNING_SEEDS = range(1000, 1050)
PUBLISHED = "reward-pass@2, as published"
STRONGEST = "reward-pass@2, paired, first sweep at once"
SWEEPING = (
    PUBLISHED,
    "reward-pass@2, paired",
    STRONGEST,
    "paired",
)  # the controllers shown when tuning


@dataclass(frozen=True, slots=True)
class Contender:
    """A controller and how its probes are sampled.

    Attributes:
        make: makes the controller from the first plan.
        paired: whether all temperatures use the same random numbers, as this package's probes do.
    """

    make: Callable[[SamplingPlan], ExplorationController]
    paired: bool = True


def contenders() -> dict[str, Contender]:
    """Every controller without a ladder as a run would use it, and three variants of the sweep."""
    recipe = Recipe().replace(rounds=ROUNDS)

    def named(name: str) -> Contender:
        made = resolve("controller", CONTROLLERS, name)
        return Contender(lambda plan: made(plan, recipe))

    return {
        "fixed": named("fixed"),
        "schedule": named("schedule"),
        "pass@k": named("pass@k"),
        "balance": named("balance"),
        "entropy": named("entropy"),
        PUBLISHED: Contender(lambda plan: RewardPass2(plan, recipe), paired=False),
        "reward-pass@2, paired": named("reward-pass@2"),
        STRONGEST: Contender(lambda plan: RewardPass2(plan, recipe, at_start=True)),
        "paired": named("paired"),
    }


@dataclass(frozen=True, slots=True)
class Course:
    """The result of one run of a controller.

    Attributes:
        regret: of each round: Reward-Pass@2 at the best candidate temperature minus that at the
            chosen one, in shares of problems; 0 if the chosen one is better than all candidates.
        temperatures: the chosen ones, by round.
        samples: number of samples drawn for probes, without those at the chosen temperature, which
            every run draws.
    """

    regret: tuple[float, ...]
    temperatures: tuple[float, ...]
    samples: int


def run_course(
    contender: Contender,
    policies: Sequence[SimulatedPolicy],
    best: Sequence[float],
    seed: int,
    samples: int = SAMPLES,
) -> Course:
    """Run a controller through a scenario.

    Args:
        contender: the controller.
        policies: the base and the policy after each round, rounds + 1.
        best: the highest Reward-Pass@2 of each policy.
        seed: of problems and sampling.
        samples: number per validation problem.
    """
    held_out = SimulatedProblems(seed, PROBLEMS, samples, contender.paired)
    controller = contender.make(SamplingPlan(START, SAMPLES, 2, 0.0))
    regret, temperatures, extra = [], [], 0
    for number, policy in enumerate(policies):
        if number:  # train with the policy of the previous round, then evaluate the result
            temperature = controller.plan().temperature
            temperatures.append(temperature)
            reached = reward_pass_2(policies[number - 1], temperature, SAMPLES)
            regret.append(max(0.0, best[number - 1] - reached))
        probes = controller.probes(number)
        extra += PROBLEMS * samples * (len(probes) - 1)
        probed = held_out.sample(policy, probes)
        controller.observe(number, metrics_of(policy, probed), RoundSamples(probed))
    return Course(tuple(regret), tuple(temperatures), extra)


def bench_exploration(
    seeds: Sequence[int],
    scenarios: dict[str, tuple[SimulatedPolicy, ...]],
    names: Sequence[str] = (),
    samples: int = SAMPLES,
) -> list[Row]:
    """Run every contender through every scenario; one row each.

    Returns:
        ``regret``: summed over the rounds, in points, one number per seed; ``samples``: drawn for
        probes, mean over seeds; ``temperature`` and ``best``: the chosen and the best
        temperature of each round, mean over seeds.
    """
    rows: list[Row] = []
    chosen = {name: c for name, c in contenders().items() if not names or name in names}
    for scenario, policies in scenarios.items():
        courses: dict[str, list[Course]] = {name: [] for name in chosen}
        optima = []
        for seed in seeds:
            own = varied(policies, seed)
            curves = np.array([reward_pass_2_curve(p, CANDIDATES, SAMPLES) for p in own[:-1]])
            optima.append(CANDIDATES[curves.argmax(axis=1)])
            highest = curves.max(axis=1).tolist()
            for name, contender in chosen.items():
                courses[name].append(run_course(contender, own, highest, seed, samples))
        best = [round(float(t), 3) for t in np.mean(optima, axis=0)]
        rows += [_row(scenario, name, runs, best) for name, runs in courses.items()]
    return rows


def _row(scenario: str, name: str, runs: Sequence[Course], best: list[float]) -> Row:
    chosen = np.mean([run.temperatures for run in runs], axis=0)
    return {
        "scenario": scenario,
        "controller": name,
        "regret": [round(100 * sum(run.regret), 2) for run in runs],
        "samples": round(float(np.mean([run.samples for run in runs]))),
        "temperature": [round(float(t), 3) for t in chosen],
        "best": best,
    }


def regret_table(rows: Sequence[Row]) -> str:
    """Mean regret of a run in points by controller, with 95 % intervals over seeds, as markdown.

    The last column but one is the mean over scenarios, each with the same weight.
    """
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    lines = []
    for name in dict.fromkeys(row["controller"] for row in rows):
        mine = [row for row in rows if row["controller"] == name]
        runs = [np.array(row["regret"]) for row in mine]
        cells = [estimate([run]) for run in runs] + [estimate(runs)]
        shown = " | ".join(f"{c.mean:.1f} [{c.low:.1f}, {c.high:.1f}]" for c in cells)
        drawn = np.mean([row["samples"] for row in mine])
        lines.append(f"| {name} | {shown} | {drawn:,.0f} |")
    return table(f"| controller | {' | '.join(scenarios)} | all | samples |", lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorationBench(Bench):
    """Measure the regret of every exploration controller on simulated policies.

    Attributes:
        seeds: how many seeds of every scenario.
        out: a folder for the rows of every seed and the figures.
    """

    seeds: int = 20
    out: Path | None = None

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for each scenario and controller."""
        return run_exploration(self.seeds, self.out)


def run_exploration(seeds: int, out: Path | None) -> list[Row]:
    """One summary row per scenario and controller.

    Args:
        seeds: how many seeds of the reported scenarios: 0, 1, 2, ...
        out: folder for the figures, ``regret.jsonl``, ``learning.jsonl`` for the policies that
            learn, and ``tuning.jsonl`` for the scenarios that `paired` was tuned on; None makes the
            summary only.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    rows, learning = bench_exploration(range(seeds), REPORTED), bench_learning(range(seeds))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_rows(out / "regret.jsonl", rows)
        write_rows(out / "learning.jsonl", learning)
        write_rows(out / "tuning.jsonl", bench_exploration(TUNING_SEEDS, TUNING, SWEEPING))
        write_figures(out, rows)
    found = []
    for row in (*rows, *learning):
        regret = estimate([np.array(row["regret"])])
        found.append(
            {
                "scenario": row["scenario"],
                "controller": row["controller"],
                "regret": round(regret.mean, 2),
                "low": round(regret.low, 2),
                "high": round(regret.high, 2),
                "seeds": regret.n,
                "samples": row["samples"],
            }
        )
    return found
