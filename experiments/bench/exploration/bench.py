"""Regret of every exploration controller against an oracle, on policies that are formulas.

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
from mstar.agents.explore.samples import reward_pass_2_at
from mstar.agents.explore.sweep import RewardPass2
from mstar.agents.registry import resolve
from mstar.agents.types import Metrics, RoundSamples, Samples, SamplingMetrics, SamplingPlan
from mstar.experiments.bench.exploration.figures import write_figures
from mstar.experiments.bench.exploration.scenarios import REPORTED, ROUNDS, TUNING, varied
from mstar.experiments.bench.exploration.simulated_policy import (
    CANDIDATES,
    SimulatedPolicy,
    SimulatedProblems,
    entropy,
    reward_pass_2,
    reward_pass_2_curve,
)
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.stats import estimate

PROBLEMS, SAMPLES = 120, 8  # held out; of a problem, in practice and in every probe
START = 1.0
TUNING_SEEDS = range(1000, 1050)  # of the parameters of `paired`, and never of a reported figure
PUBLISHED = "reward-pass@2, as published"
STRONGEST = "reward-pass@2, paired, first sweep at once"
SWEEPING = (PUBLISHED, "reward-pass@2, paired", STRONGEST, "paired")  # what tuning looks at


@dataclass(frozen=True, slots=True)
class Contender:
    """A controller and how it samples.

    Attributes:
        make: the controller for a first plan.
        paired: whether all temperatures draw by the same numbers, as this package's probes do.
    """

    make: Callable[[SamplingPlan], ExplorationController]
    paired: bool = True


def contenders() -> dict[str, Contender]:
    """Every controller as a run would have it, and the paper's sweep in three strengths."""
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
    """One run of a controller.

    Attributes:
        regret: of each round, in shares of problems: how much higher Reward-Pass@2 is at the best
            temperature of the candidates than at the chosen one; 0 where it chose better than any.
        temperatures: that were chosen.
        samples: drawn beyond those that every run draws to report at its own temperature.
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
    """Let a controller steer through a scenario.

    Args:
        contender: the controller.
        policies: the base and what each round makes of it, rounds + 1.
        best: the highest Reward-Pass@2 of each policy.
        seed: of problems and chance.
        samples: of each held-out problem.
    """
    held_out = SimulatedProblems(seed, PROBLEMS, samples, contender.paired)
    controller = contender.make(SamplingPlan(START, SAMPLES, 2, 0.0))
    regret, temperatures, extra = [], [], 0
    for number, policy in enumerate(policies):
        if number:  # practise with the policy of the round before, then measure what became of it
            temperature = controller.plan().temperature
            temperatures.append(temperature)
            reached = reward_pass_2(policies[number - 1], temperature, SAMPLES)
            regret.append(max(0.0, best[number - 1] - reached))
        probes = controller.probes(number)
        extra += PROBLEMS * samples * (len(probes) - 1)
        probed = held_out.sample(policy, probes)
        controller.observe(number, _dynamics(policy, probed), RoundSamples(probed))
    return Course(tuple(regret), tuple(temperatures), extra)


def _dynamics(policy: SimulatedPolicy, probed: Sequence[Samples]) -> Metrics:
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
    return Metrics(PROBLEMS, probed[0].right.shape[1], float("nan"), spread)


def bench_exploration(
    seeds: Sequence[int],
    scenarios: dict[str, tuple[SimulatedPolicy, ...]],
    names: Sequence[str] = (),
    samples: int = SAMPLES,
) -> list[Row]:
    """Every contender through every scenario, a row each.

    Returns:
        ``regret``: summed over the rounds, in points, a figure a seed; ``samples``: drawn for
        probing, mean over seeds; ``temperature`` and ``best``: chosen and optimal, a figure a
        round, mean over seeds.
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


def run_exploration(seeds: int, out: Path | None) -> list[Row]:
    """``mstar bench exploration``: a summary a scenario and controller.

    Args:
        seeds: of the reported scenarios: 0, 1, 2, ...
        out: gets ``regret.jsonl``, ``tuning.jsonl`` on the scenarios that `paired` was tuned on,
            and the figures; without, only the summary is made.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    rows = bench_exploration(range(seeds), REPORTED)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_rows(out / "regret.jsonl", rows)
        write_rows(out / "tuning.jsonl", bench_exploration(TUNING_SEEDS, TUNING, SWEEPING))
        write_figures(out, rows)
    found = []
    for row in rows:
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
