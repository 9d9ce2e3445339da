"""The numbers of a study: accuracy and paired differences with their intervals, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mstar.experiments.evaluation.evaluate import METRICS, values
from mstar.experiments.rows import Row
from mstar.experiments.stats import (
    Estimate,
    chance_of_zero,
    hierarchical_means,
    holm,
    stratified_means,
)
from mstar.experiments.studies.rows import RunRows, StudyRows
from mstar.experiments.studies.study import BASE

Values = NDArray[np.float64]
ENOUGH = 3  # seeds for an interval over seeds
LEVEL = 0.05  # of a corrected p


@dataclass(frozen=True)
class Accuracy:
    """One metric of an arm on a group of test problems.

    Attributes:
        arm: or ``base``.
        group: of test problems.
        metric: see ``METRICS``.
        over_problems: the interval for these seeds only; problems are resampled within each seed.
        over_seeds: the interval over seeds and problems; None with fewer than three seeds.
        seeds: the mean of each seed.
    """

    arm: str
    group: str
    metric: str
    over_problems: Estimate
    over_seeds: Estimate | None
    seeds: Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """An arm minus the baseline, paired by seed and problem.

    Attributes:
        arm: of the study.
        group: of test problems.
        metric: see ``METRICS``.
        over_problems: as for ``Accuracy``.
        over_seeds: as for ``Accuracy``.
        seeds: the mean difference of each seed.
        improves: probability of improvement (Agarwal et al. 2021, arXiv 2108.13264): the share of
            families and seeds in which the arm is better, ties counted half. Here it is paired by
            seed, since runs of one seed answer the same problems.
        chance: p value of no difference, over seeds if there are three, else over problems.
        corrected: `chance` after Holm's correction over all arms of this group and metric.
    """

    arm: str
    group: str
    metric: str
    over_problems: Estimate
    over_seeds: Estimate | None
    seeds: Mapping[int, float]
    improves: float
    chance: float
    corrected: float

    @property
    def verdict(self) -> Literal["better", "worse", "no significant difference"]:
        """Whether the difference is significant at a corrected p below 5 %, and its direction."""
        if self.corrected >= LEVEL:
            return "no significant difference"
        return "better" if self.over_problems.mean > 0 else "worse"


def accuracies(rows: StudyRows) -> list[Accuracy]:
    """The accuracy of the base and of every arm, by group and metric."""
    found = []
    for group in rows.groups:
        for metric in METRICS:
            sides: dict[str, dict[int, Sequence[Row]]] = {
                BASE: {seed: groups[group] for seed, groups in rows.base.items() if group in groups}
            }
            for arm in rows.arms:
                sides[arm] = {seed: run.tested[group] for seed, run in rows.of(arm).items()}
            arms = {
                arm: {seed: values(tested, metric) for seed, tested in seeds.items()}
                for arm, seeds in sides.items()
                if seeds
            }
            for arm, means in zip(arms, resampled(list(arms.values())), strict=True):
                found.append(
                    Accuracy(arm, group, metric, means.over_problems, means.over_seeds, means.seeds)
                )
    return found


def differences(rows: StudyRows) -> list[Difference]:
    """Every arm minus the baseline, by group and metric; [] where the baseline has no run.

    Only seeds that both arms have are used.

    Raises:
        ValueError: two runs of a seed answered different problems.
    """
    baseline = rows.of(rows.plan.study.baseline)
    pairs = {
        arm: {seed: (run, baseline[seed]) for seed, run in rows.of(arm).items() if seed in baseline}
        for arm in rows.arms
        if arm != rows.plan.study.baseline
    }
    found = []
    for group in rows.groups:
        for metric in METRICS:
            several = compared(group, metric, {arm: both for arm, both in pairs.items() if both})
            corrected = holm([each.chance for each in several])
            found += [
                Difference(**{**vars(each), "corrected": chance})
                for each, chance in zip(several, corrected, strict=True)
            ]
    return found


def compared(
    group: str, metric: str, pairs: Mapping[str, Mapping[int, tuple[RunRows, RunRows]]]
) -> list[Difference]:
    """Each arm minus another, paired by seed and problem; p is not corrected yet.

    Args:
        group: of test problems.
        metric: see ``METRICS``.
        pairs: for each arm and seed its run, and the other's.

    Raises:
        ValueError: two runs of a seed answered different problems.
    """
    apart: dict[str, dict[int, Values]] = {}
    wins: dict[str, list[float]] = {}
    for arm, seeds in pairs.items():
        for seed, (run, other) in seeds.items():
            ours, theirs = run.tested[group], other.tested[group]
            if [row["id"] for row in ours] != [row["id"] for row in theirs]:
                raise ValueError(
                    f"{run.arm} and {other.arm} answered different problems with seed {seed}: they "
                    "cannot be paired; run both with the same test problems"
                )
            minus = values(ours, metric) - values(theirs, metric)
            apart.setdefault(arm, {})[seed] = minus
            families = np.array([row["family"] for row in ours])
            for family in dict.fromkeys(families):
                won = 0.5 + 0.5 * float(np.sign(minus[families == family].mean()))
                wins.setdefault(arm, []).append(won)
    return [
        Difference(
            arm,
            group,
            metric,
            means.over_problems,
            means.over_seeds,
            means.seeds,
            float(np.mean(wins[arm])),
            means.chance,
            means.chance,
        )
        for arm, means in zip(apart, resampled(list(apart.values())), strict=True)
    ]


@dataclass(frozen=True)
class Means:
    """What ``Accuracy`` and ``Difference`` have in common: their fields of these names."""

    over_problems: Estimate
    over_seeds: Estimate | None
    seeds: Mapping[int, float]
    chance: float


def resampled(several: Sequence[Mapping[int, Values]]) -> list[Means]:
    """The intervals of several means, each of runs by seed.

    Those of as many runs and problems are resampled together, which is many times as fast.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, runs in enumerate(several):
        alike.setdefault(tuple(map(len, runs.values())), []).append(place)
    found: dict[int, Means] = {}
    for lengths, places in alike.items():
        by_run = zip(*(several[place].values() for place in places), strict=True)
        columns = [np.stack(each, axis=1) for each in by_run]
        within = stratified_means(columns)
        over = hierarchical_means(columns) if len(lengths) >= ENOUGH else None
        for column, place in enumerate(places):
            arrays = list(several[place].values())
            means = [float(np.mean(run)) for run in arrays]
            mean, mean_of_runs = float(np.mean(np.concatenate(arrays))), float(np.mean(means))
            found[place] = Means(
                Estimate.of(mean, within[:, column], arrays),
                None if over is None else Estimate.of(mean_of_runs, over[:, column], arrays),
                dict(zip(several[place], means, strict=True)),
                chance_of_zero((within if over is None else over)[:, column]),
            )
    return [found[place] for place in range(len(several))]


def verdicts(found: Sequence[Difference], baseline: str) -> list[str]:
    """A line for each group and metric: the arms that are better or worse than the baseline.

    Arms with fewer than three seeds are marked: theirs is a verdict over problems alone.
    """
    lines = []
    for group, metric in dict.fromkeys((each.group, each.metric) for each in found):
        arms: dict[str, list[str]] = {"better": [], "worse": [], "no significant difference": []}
        for each in found:
            if (each.group, each.metric) == (group, metric):
                seeds = len(each.seeds)
                few = f" ({seeds} seed{'s' if seeds > 1 else ''})" if seeds < ENOUGH else ""
                arms[each.verdict].append(each.arm + few)
        said = "; ".join(
            f"{name}: {', '.join(several)}" for name, several in arms.items() if several
        )
        lines.append(f"{group}, {metric}, compared with {baseline}: {said}")
    return lines


@dataclass(frozen=True)
class MeanCost:
    """The cost of one run of an arm, as the mean over its seeds.

    Attributes:
        arm: of the study.
        seeds: number of runs.
        rounds: number of training rounds.
        updates: optimizer updates.
        responses: sampled for training.
        tokens: generated for training.
        probed: the part of `tokens` that was generated for a controller's temperature probes.
        overshoot: tokens beyond the budget, since the last round is always finished; 0 without a
            budget.
        flops: of training, estimated.
        seconds: wall time of training, while other processes may have used the machine.
        measured_tokens: generated for the evaluation that all arms have in common.
        measured_seconds: wall time of that evaluation.
    """

    arm: str
    seeds: int
    rounds: float
    updates: float
    responses: float
    tokens: float
    probed: float
    overshoot: float
    flops: float
    seconds: float
    measured_tokens: float
    measured_seconds: float


def costs(rows: StudyRows) -> list[MeanCost]:
    """The mean cost of a run, for every arm."""
    return [mean_cost(arm, list(rows.of(arm).values())) for arm in rows.arms]


def mean_cost(arm: str, runs: Sequence[RunRows]) -> MeanCost:
    """The mean cost of several runs."""
    spent = [practice_cost(run.rounds[-1]) for run in runs]

    def mean(numbers: Sequence[float]) -> float:
        return float(np.mean(numbers))

    return MeanCost(
        arm,
        len(runs),
        mean([run.rounds[-1]["number"] for run in runs]),
        mean([updates(run.rounds) for run in runs]),
        mean([total["responses"] for total in spent]),
        mean([total["tokens"] for total in spent]),
        mean(
            [
                sum(probe_tokens(r, run.recipe.sampling.temperature) for r in run.rounds)
                for run in runs
            ]
        ),
        mean(
            [
                max(0, total["tokens"] - run.recipe.run.token_budget)
                if run.recipe.run.token_budget
                else 0
                for run, total in zip(runs, spent, strict=True)
            ]
        ),
        mean([total["flops"] for total in spent]),
        mean([total["seconds"] for total in spent]),
        mean([run.rounds[-1]["cost"]["measured_tokens"] for run in runs]),
        mean([run.rounds[-1]["cost"]["measured_seconds"] for run in runs]),
    )


def updates(rounds: Sequence[Row]) -> int:
    """All optimizer updates of a run.

    The stored count restarts with every new optimizer, and goes on from that of the round whose
    policy an alarm brings back.
    """
    total = count = 0
    counts: dict[int, int] = {}
    for row in rounds:
        if row["tuned"]:
            now = row["tuned"]["updates"]
            total += now - count if now > count else now
            count = now
        counts[row["number"]] = count
        if row.get("back_to") is not None:
            count = counts[row["back_to"]]
    return total


def run_probe_tokens(run: RunRows) -> float:
    """Tokens of all temperature probes of a run."""
    return sum(probe_tokens(row, run.recipe.sampling.temperature) for row in run.rounds)


def probe_tokens(row: Row, first: float) -> float:
    """Tokens of a round's evaluation at temperatures other than the plan's.

    Args:
        row: of the round.
        first: the temperature that the run starts with, as the row of round 0 has no plan.
    """
    measured, plan = row["dynamics"], row["plan"]
    present = plan["temperature"] if plan else first
    asked = [
        spread
        for temperature, spread in measured["spread"].items()
        if float(temperature) != present
    ]
    responses = measured["problems"] * measured["samples"]
    return sum((float(spread["length"] * responses) for spread in asked), 0.0)


def practice_cost(row: Row) -> dict[str, float]:
    """The cost of training up to the end of a round: everything except evaluation."""
    cost = row["cost"]
    return {
        name: cost[name] - cost[f"measured_{name}"]
        for name in ("responses", "tokens", "flops", "seconds")
    }


def as_json(rows: StudyRows) -> Row:
    """All tables as JSON values."""
    return {
        "study": rows.plan.name,
        "baseline": rows.plan.study.baseline,
        "accuracy": [asdict(each) for each in accuracies(rows)],
        "difference": [asdict(each) for each in differences(rows)],
        "spending": [asdict(each) for each in costs(rows)],
        "tuning": list(rows.grid),
    }
