"""What a study comes to: accuracy and paired differences, each with its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mstar.experiments.rows import Row
from mstar.experiments.run.evaluate import METRICS, values
from mstar.experiments.stats import (
    Estimate,
    chance_of_zero,
    estimate,
    estimate_over_runs,
    hierarchical_means,
    holm,
    stratified_means,
)
from mstar.experiments.studies.cost import spendings
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
        over_problems: the interval if these seeds were all; problems are resampled within each.
        over_seeds: the interval for other seeds as well; None with fewer than three.
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
    """An arm less the baseline, paired by seed and problem.

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
        corrected: the same after Holm, over all arms that are compared in this group and metric.
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
    def verdict(self) -> Literal["better", "worse", "not told apart"]:
        """What holds after the correction, at 5 %."""
        if self.corrected >= LEVEL:
            return "not told apart"
        return "better" if self.over_problems.mean > 0 else "worse"


def accuracies(rows: StudyRows) -> list[Accuracy]:
    """Of the base and every arm, by group and metric."""
    found = []
    for group in rows.groups:
        for metric in METRICS:
            sides: dict[str, dict[int, Sequence[Row]]] = {
                BASE: {seed: groups[group] for seed, groups in rows.base.items() if group in groups}
            }
            for arm in rows.arms:
                sides[arm] = {seed: run.tested[group] for seed, run in rows.of(arm).items()}
            for arm, seeds in sides.items():
                means = {seed: values(tested, metric) for seed, tested in seeds.items()}
                if means:
                    found.append(Accuracy(arm, group, metric, *both(means)))
    return found


def differences(rows: StudyRows) -> list[Difference]:
    """Every arm less the baseline, by group and metric; [] where the baseline has no run.

    Only seeds that both have are used.

    Raises:
        ValueError: two runs of a seed answered different problems.
    """
    baseline = rows.of(rows.plan.study.baseline)
    others = [arm for arm in rows.arms if arm != rows.plan.study.baseline]
    found = []
    for group in rows.groups:
        for metric in METRICS:
            several = []
            for arm in others:
                pairs = {s: (run, baseline[s]) for s, run in rows.of(arm).items() if s in baseline}
                if pairs:
                    several.append(difference(arm, group, metric, pairs))
            corrected = holm([each.chance for each in several])
            found += [
                Difference(**{**vars(each), "corrected": chance})
                for each, chance in zip(several, corrected, strict=True)
            ]
    return found


def difference(
    arm: str, group: str, metric: str, pairs: Mapping[int, tuple[RunRows, RunRows]]
) -> Difference:
    """One arm less the baseline, by seed; not yet corrected."""
    apart, wins = {}, []
    for seed, (run, other) in pairs.items():
        ours, theirs = run.tested[group], other.tested[group]
        if [row["id"] for row in ours] != [row["id"] for row in theirs]:
            raise ValueError(
                f"{run.arm} and {other.arm} answered different problems with seed {seed}: they "
                "cannot be paired; run both with the same exams"
            )
        apart[seed] = values(ours, metric) - values(theirs, metric)
        families = np.array([row["family"] for row in ours])
        for family in dict.fromkeys(families):
            wins.append(0.5 + 0.5 * float(np.sign(apart[seed][families == family].mean())))
    over_problems, over_seeds, means = both(apart)
    resampled = stratified_means if over_seeds is None else hierarchical_means
    chance = chance_of_zero(resampled(list(apart.values())))
    return Difference(
        arm,
        group,
        metric,
        over_problems,
        over_seeds,
        means,
        float(np.mean(wins)),
        chance,
        chance,
    )


def both(runs: Mapping[int, Values]) -> tuple[Estimate, Estimate | None, dict[int, float]]:
    """The two intervals, and the mean of each seed."""
    arrays = list(runs.values())
    means = {seed: float(np.mean(run)) for seed, run in runs.items()}
    over_seeds = estimate_over_runs(arrays) if len(arrays) >= ENOUGH else None
    return estimate(arrays), over_seeds, means


def verdicts(found: Sequence[Difference], baseline: str) -> list[str]:
    """A sentence for each group and metric: which arms are better or worse than the baseline."""
    lines = []
    for group, metric in dict.fromkeys((each.group, each.metric) for each in found):
        arms: dict[str, list[str]] = {"better": [], "worse": [], "not told apart": []}
        for each in found:
            if (each.group, each.metric) == (group, metric):
                arms[each.verdict].append(each.arm)
        said = "; ".join(
            f"{name}: {', '.join(several)}" for name, several in arms.items() if several
        )
        lines.append(f"{group}, {metric}, beside {baseline}: {said}")
    return lines


def as_json(rows: StudyRows) -> Row:
    """All tables as JSON values."""
    return {
        "study": rows.plan.name,
        "baseline": rows.plan.study.baseline,
        "accuracy": [asdict(each) for each in accuracies(rows)],
        "difference": [asdict(each) for each in differences(rows)],
        "spending": [asdict(each) for each in spendings(rows)],
        "tuning": list(rows.grid),
    }
