"""The speed of a judge whose responses share problems, relative to two other ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.sampling.local import LocalSampler
from mstar.experiments.bench.base import Bench
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch

PROBLEMS, SAMPLES, REPEATS = 8, 16, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeBench(Bench):
    """Time the step judge on responses that share problems, relative to two other ways."""

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """One row of ratios."""
        return bench_judge()


def bench_judge() -> list[Row]:
    """Processor time of judging 16 responses to each of 8 problems, as ratios.

    ``shared`` reads each problem once for its 16 responses. ``apart`` reads it once for each
    response, like a judge whose input is rows of prompt and response. ``sampling`` is the time to
    generate the responses with the embedded model. Each time is the lowest of three repeats.
    """
    prepare_torch(1)
    recipe, judge = Recipe(), StepJudge.load()
    task = open_task(recipe, "test")
    problems = task.draw(PROBLEMS)
    sampler = LocalSampler(load_policy(recipe), recipe.max_new_tokens, recipe.sampling.batch_rows)
    prompts = [task.prompt(problem) for problem in problems]
    written = sampler.sample(prompts, SAMPLES, 1.0, 0)
    together = [
        problem.attempt(response.text)
        for problem, group in zip(problems, written, strict=True)
        for response in group
    ]
    apart = [  # responses to one problem are not next to each other
        problem.attempt(group[place].text)
        for place in range(SAMPLES)
        for problem, group in zip(problems, written, strict=True)
    ]
    seconds: dict[str, list[float]] = {"shared": [], "apart": [], "sampling": []}
    for _ in range(REPEATS):
        seconds["shared"].append(_spent(lambda: judge.scores(together)))
        seconds["apart"].append(
            _spent(lambda: [judge.scores(apart[i : i + PROBLEMS]) for i in starts()])
        )
        seconds["sampling"].append(_spent(lambda: sampler.sample(prompts, SAMPLES, 1.0, 0)))
    least = {name: min(values) for name, values in seconds.items()}
    return [
        {
            "responses": PROBLEMS * SAMPLES,
            "apart / shared": round(least["apart"] / least["shared"], 2),
            "sampling / shared": round(least["sampling"] / least["shared"], 2),
        }
    ]


def starts() -> range:
    """The indices at which each pass over all problems begins, one response per problem."""
    return range(0, PROBLEMS * SAMPLES, PROBLEMS)


def _spent(work: Any) -> float:
    started = process_time()
    work()
    return process_time() - started
