"""What a benchmark is, and its problems as they are asked and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mstar.agents.config import Recipe
from mstar.envs.datasets.audit import audit_dataset
from mstar.envs.datasets.field_map import parse_field_options
from mstar.envs.datasets.readers import read_rows
from mstar.envs.problem import Problem
from mstar.envs.source import Listed
from mstar.envs.task import Task
from mstar.experiments.run.problems import EvaluationSet
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel

Cells = Mapping[str, Any]  # a row of the published file, by column


class Benchmark(Protocol):
    """A published test with its own prompt and its own scoring.

    Attributes:
        schema: the form of its files, a key of ``mstar.envs.datasets.schemas.SCHEMAS``; None where
            the names of its columns tell.
    """

    schema: str | None

    def prompt(self, cells: Cells) -> str:
        """What is asked about the images of a row."""
        ...

    def right(self, response: str, cells: Cells) -> bool:
        """Whether a response to a row counts as right."""
        ...


class PublishedScoring:
    """1 where a benchmark counts a response as right, else 0; it never abstains.

    Args:
        benchmark: whose scoring it is.
        rows: the published row of each problem, by its id.
    """

    name = "correctness"

    def __init__(self, benchmark: Benchmark, rows: Mapping[str, Cells]) -> None:
        self._benchmark, self._rows = benchmark, rows

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32, 0 or 1."""
        right = [self._benchmark.right(a.response, self._rows[a.group]) for a in attempts]
        return np.array(right, np.float32)


def benchmark_set(
    name: str, benchmark: Benchmark, data: str, recipe: Recipe, count: int = 0
) -> EvaluationSet:
    """The problems of a benchmark, asked and scored as published.

    A response that was cut off is scored like any other, as the published code does. Rows without a
    reference answer, or with images that cannot be read, are left out.

    Args:
        name: of the benchmark.
        benchmark: its prompt and scoring.
        data: a file, a folder or ``hub:NAME`` with its published files.
        recipe: gives the seed, and with `count` which problems are drawn; its ``fields`` may say
            where the images are.
        count: of problems; 0 for all.

    Raises:
        ValueError: there are no such files, or no row in them can be scored.
    """
    given = parse_field_options(recipe.data.fields)
    folder = given.pop("image_folder", None)
    if given:
        raise ValueError(
            f"the columns of {name} are known; of --fields it takes image_folder=FOLDER alone, not "
            f"{', '.join(given)}"
        )
    stored = {row.where: row.cells for row in read_rows(data)}
    audit = audit_dataset(data, benchmark.schema, folder)
    problems, rows = [], {}
    for number, row in enumerate(audit.rows):
        if row.answer is None:
            continue
        cells, id = stored[row.parsed.where], f"{name}/{row.parsed.id or number}"
        rows[id] = cells
        problems.append(
            Problem(
                id,
                row.parsed.images,
                benchmark.prompt(cells),
                row.answer,
                instruction="",
                tags={"family": name},
            )
        )
    if not problems:
        found = f": {audit.errors[0]}" if audit.errors else ", as none has a reference answer"
        raise ValueError(f"no row of {data} can be asked and scored as {name}{found}")
    panel = RewardPanel([PublishedScoring(benchmark, rows)], unfinished="everything")
    task = Task(
        source=Listed(name, problems),
        panel=panel,
        split="test",
        size=recipe.data.image_size,
        seed=recipe.run.seed,
    )
    return EvaluationSet(name, task, task.draw(min(count or len(problems), len(problems))))
