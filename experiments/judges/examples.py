"""Labelled responses to train a judge on, made reproducibly by worker processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from mstar.agents.config import Recipe
from mstar.agents.judges.monte_carlo import Share, consensus, monte_carlo
from mstar.agents.judges.step_labels import (
    LabelledResponse,
    answer_only,
    correct_solution,
    corrupted_solution,
    label_response,
    outcome_label,
)
from mstar.agents.judges.training import JudgeBatch, judge_batch, pack, unpack
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import Task
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.train import load_policy, prepare_torch

Target = Literal["process", "outcome"]
Labels = Literal["exact", "hard", "soft", "consensus"]


@dataclass(frozen=True)
class JudgeExamples:
    """Which responses are labelled, and how.

    Attributes:
        model: the policy whose samples are judged.
        env: environment id or path to problems, as of a recipe; `families` if left out.
        families: names of the families.
        levels: of the problems, 1 to 3; batches and test problems cycle through them.
        target: ``process`` labels every step, ``outcome`` only the end of a response.
        problems: number per batch; each comes with an exact solution, corruptions and samples.
        corruptions: number of corrupted copies of the exact solution per problem; ``--slips`` until
            version 0.3.
        samples: number of the policy's samples at temperature 1 per problem.
        labels: ``exact`` ones from the problems' own solutions; ``hard`` or ``soft`` ones from the
            policy's completions; ``consensus`` keeps exact labels with which the hard ones agree.
        completions: number per prefix of a response, for labels that are not exact.
        seed: of problems, corruptions and sampling.
    """

    model: str = "embedded"
    env: str = Recipe().data.env
    families: tuple[str, ...] = Recipe().families
    levels: tuple[int, ...] = (1,)
    target: Target = "process"
    problems: int = 32
    corruptions: Annotated[int, tyro.conf.arg(aliases=("--slips",))] = 1
    samples: int = 2
    labels: Labels = "exact"
    completions: int = 8
    seed: int = 7_000  # far from the seeds of runs, so that their problems are new to a judge

    def __post_init__(self) -> None:
        if not self.levels or not {*self.levels} <= {1, 2, 3}:
            raise ValueError(f"levels must be one or more of 1, 2 and 3, got {self.levels}")

    def recipe(self, number: int = 0) -> Recipe:
        """The recipe that batch `number` takes its policy and problems from."""
        return Recipe.of(
            env=self.env,
            families=self.families,
            level=self.levels[number % len(self.levels)],
            model=self.model,
            seed=self.seed,
            panel=("correctness",),
            rank="correctness",
        )


@lru_cache(maxsize=1)  # once in every process
def _opened(settings: JudgeExamples) -> tuple[LocalSampler, list[Task]]:
    recipe = settings.recipe()
    sampler = LocalSampler(load_policy(recipe, device="cpu"), recipe.max_new_tokens, 256)
    levels = range(len(settings.levels))
    return sampler, [open_task(settings.recipe(number), "train") for number in levels]


def batches(settings: JudgeExamples, workers: int) -> Generator[JudgeBatch, None, None]:
    """Endless batches of fresh problems, in an order that does not depend on `workers`.

    Args:
        settings: of the examples.
        workers: number of processes that make them; 0 makes them in this process.
    """
    if workers == 0:
        prepare_torch(1)
    number = 0
    while workers == 0:
        yield unpack(one_batch(settings, number))
        number += 1
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=prepare_torch, initargs=(1,)) as pool:
        waiting: deque[Future[dict[str, Any]]] = deque()
        try:
            while True:
                while len(waiting) < 2 * workers:
                    waiting.append(pool.submit(one_batch, settings, number))
                    number += 1
                yield unpack(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()


def one_batch(settings: JudgeExamples, number: int) -> dict[str, Any]:
    """Batch `number`, packed."""
    sampler, tasks = _opened(settings)
    task = tasks[number % len(tasks)]
    first = number * settings.problems
    problems = [task.problem(settings.seed, first + i) for i in range(settings.problems)]
    prompts = [task.prompt(problem) for problem in problems]
    rng = np.random.default_rng([settings.seed, number])
    own = samples_of(sampler, problems, prompts, settings.samples, settings.seed)
    rows: list[tuple[int, LabelledResponse]] = []
    for place, problem in enumerate(problems):
        found = written(settings, problem, own[place], rng)
        rows += [(place, example) for example in found if example is not None]
    if settings.target == "process" and settings.labels != "exact":
        rows = relabelled(settings, sampler, prompts, rows)
    rows += [
        (place, answer_only(problem)) for place, problem in enumerate(problems) if problem.answer
    ]
    return pack(judge_batch(sampler.policy, prompts, rows))


def written(
    settings: JudgeExamples,
    problem: Problem,
    own: Sequence[LabelledResponse | None],
    rng: np.random.Generator,
) -> list[LabelledResponse | None]:
    """The responses to a problem that the target is trained on; None for one without a label.

    Raises:
        ValueError: exact labels are asked for, and the problem has no worked solution.
    """
    if settings.target == "outcome":
        return [outcome_label(example) for example in own if example is not None]
    if problem.steps:
        wrong = [corrupted_solution(problem, rng) for _ in range(settings.corruptions)]
        return [correct_solution(problem), *wrong, *own]
    if settings.labels in ("exact", "consensus"):
        raise ValueError(
            f"problem {problem.id} has no worked solution, so its steps have no exact labels; "
            "take those of completions, with `--labels hard` or `--labels soft`"
        )
    return list(own)


def relabelled(
    settings: JudgeExamples,
    sampler: LocalSampler,
    prompts: Sequence[Prompt],
    rows: Sequence[tuple[int, LabelledResponse]],
) -> list[tuple[int, LabelledResponse]]:
    """The same responses, with the kind of labels that the settings ask for."""
    share: Share = "soft" if settings.labels == "soft" else "hard"
    counted = (settings.completions, share, settings.seed)
    found = monte_carlo(sampler, prompts, rows, *counted)
    if settings.labels == "consensus":
        found = [consensus(row[1], other) for row, other in zip(rows, found, strict=True)]
    return [(row[0], example) for row, example in zip(rows, found, strict=True)]


def samples_of(
    sampler: LocalSampler,
    problems: Sequence[Problem],
    prompts: Sequence[Prompt],
    samples: int,
    seed: int,
) -> list[list[LabelledResponse | None]]:
    """The policy's own samples at temperature 1, with exact labels, problem by problem."""
    groups = sampler.sample(prompts, samples, 1.0, seed)
    return [
        [label_response(problem, response.text) for response in group]
        for problem, group in zip(problems, groups, strict=True)
    ]
