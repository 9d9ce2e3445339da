"""Measure how often a policy solves each training problem, in a cheap first pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mstar.agents.rollout import by_problem, collect, unique_problems
from mstar.agents.sampling.engine import sampler_of
from mstar.agents.seeds import mix
from mstar.envs.problem import Problem
from mstar.experiments.evaluation.evaluate_subjects import weight_files
from mstar.experiments.evaluation.subject import Subject
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.solve_rates import SolveRates, solve_rates_path
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

# Settings of a recipe that decide how often its model solves a problem.
DECIDING = (
    "samples",
    "temperature",
    "max_new_tokens",
    "unfinished",
    "form",
    "answer_form",
    "instruction",
    "system",
    "image_size",
    "min_pixels",
    "max_pixels",
    "dtype",
    "seed",
)
AT_ONCE = 32  # problems between two writes
STEPS = 10  # of the table, at most


@dataclass(frozen=True, slots=True)
class Measured:
    """What a pass found.

    Attributes:
        rates: with the file that they are in.
        left_out: problems without a reference answer.
    """

    rates: SolveRates
    left_out: int

    def text(self) -> str:
        """How many problems are solved how often, a line each, and the file."""
        right, samples = self.rates.right, self.rates.samples
        steps = min(STEPS, *samples.values())
        counts = Counter(round(steps * right[id] / samples[id]) for id in samples)
        lines = [
            f"solve rate {step / steps:.2f}  {100 * counts[step] / len(samples):5.1f} %  "
            f"{counts[step]} problems"
            for step in range(steps + 1)
            if counts[step]
        ]
        if self.left_out:
            lines.append(f"{self.left_out} problems without a reference answer are left out")
        return "\n".join([*lines, f"solve rates: {self.rates.path}"])


def measure_solve_rates(
    subject: Subject, count: int, out: Path | None, say: Callable[[str], None]
) -> Measured:
    """Sample each training problem some times, and keep how often it was solved.

    What the file has already is not asked again, so that a killed pass goes on.

    Args:
        subject: the model, or a run's policy, with the settings to sample under.
        count: problems to draw; 0 for all of a data set.
        out: the file; None for where a run of this model on these problems looks for it.
        say: is told how far it is.

    Raises:
        ValueError: problems that are not usable, generated ones without a count, or a file of
            other rates.
    """
    recipe = subject.recipe.replace(solve_rate=(), training_problems=0, unlabelled=0.0)
    task = open_task(
        recipe, "train", panel=RewardPanel([Correctness()], unfinished=recipe.rewards.unfinished)
    )
    if not count and task.source.size is None:
        raise ValueError(
            f"{recipe.data.env} has problems without end; say how many to ask with --count"
        )
    drawn = unique_problems(task.draw(count or task.source.size or 0))
    problems = [problem for problem in drawn if problem.answer is not None]
    if not problems:
        raise ValueError(f"no training problem of {recipe.data.env} has a reference answer")
    path = out or solve_rates_path(recipe)
    rates = SolveRates.read(path)
    rates.start(
        {
            "model": subject.name,
            "weights": weight_files(subject),
            "problems": _content(problems),
            **{name: recipe.settings()[name] for name in DECIDING},
            "max_new_tokens": recipe.max_new_tokens,
        }
    )
    missing = [problem for problem in problems if problem.id not in rates.samples]
    sampler = sampler_of(subject.policy(), recipe) if missing else None
    temperatures = [recipe.sampling.temperature] * recipe.sampling.samples
    for start in range(0, len(missing), AT_ONCE):
        say(f"{len(problems) - len(missing) + start} of {len(problems)} problems")
        assert sampler is not None
        asked, seed = missing[start : start + AT_ONCE], mix(recipe.run.seed, 0, 6)
        rollouts = collect(sampler, task, asked, temperatures, seed, version=0)
        rows: list[Row] = []
        for id, members in by_problem(rollouts).items():
            right = sum(rollouts[i].scores["correctness"] == 1.0 for i in members)
            rows.append({"id": id, "right": right, "samples": len(members)})
        rates.add(rows)
    return Measured(SolveRates.read(path), len(drawn) - len(problems))


def _content(problems: list[Problem]) -> str:
    """A hash of the problems; their ids change with their contents."""
    return hashlib.sha256("\n".join(problem.id for problem in problems).encode()).hexdigest()[:16]
