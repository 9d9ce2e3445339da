"""How often a model solves each training problem: a file of counts, and the problems chosen by it.

``mstar envs solve-rate`` writes the file, a run with ``solve_rate`` reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstar.agents.config import Recipe
from mstar.envs.families.catalog import with_version
from mstar.envs.problem import Problem, Split
from mstar.envs.source import Listed, ProblemSource, find_problem
from mstar.experiments.rows import Row, read_rows

FOLDER = Path("solve-rates")  # for problems that are no files


@dataclass(frozen=True, slots=True)
class SolveRates:
    """What a file holds: a line with its origin, and a line a problem.

    Attributes:
        path: of the file.
        origin: model, weights, problems and settings that the rates belong to; {} for a new file.
        right: right responses by id of the problem.
        samples: responses by id of the problem.
    """

    path: Path
    origin: Mapping[str, Any]
    right: Mapping[str, int]
    samples: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> SolveRates:
        """Read a file; without one there are no rates.

        Raises:
            ValueError: it is no file of solve rates.
        """
        rows = read_rows(path)
        try:
            counted = {row["id"]: row for row in rows[1:]}
            right = {id: int(row["right"]) for id, row in counted.items()}
            samples = {id: int(row["samples"]) for id, row in counted.items()}
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is no file of `mstar envs solve-rate` (it lacks {error}); give another one"
            ) from None
        return cls(path, rows[0] if rows else {}, right, samples)

    def start(self, origin: Row) -> None:
        """Write the first line of a new file, or check that of one that is gone on with.

        Raises:
            ValueError: the file belongs to another model, other problems or other settings.
        """
        origin = json.loads(json.dumps(origin))  # as it is read
        if not self.origin:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(origin) + "\n")
            return
        if differing := [name for name in origin if self.origin.get(name) != origin[name]]:
            raise ValueError(
                f"{self.path} holds solve rates of other {', '.join(differing)}: give another "
                "--out, or delete the file"
            )
        # A line that a killed process left incomplete must not be gone on with.
        whole, _, rest = self.path.read_text().rpartition("\n")
        if rest:
            self.path.write_text(f"{whole}\n")

    def add(self, rows: Sequence[Row]) -> None:
        """Append a line a problem."""
        with self.path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def between(self, low: float, high: float) -> list[str]:
        """The ids of problems with a rate from `low` to `high`, both included."""
        return [id for id, n in self.samples.items() if low <= self.right[id] / n <= high]


def solve_rates_path(recipe: Recipe) -> Path:
    """Where the rates of a recipe's problems and model are: as set, or beside the data.

    Problems that are no files have theirs in ``solve-rates`` in the present folder.
    """
    if recipe.data.solve_rates:
        return Path(recipe.data.solve_rates)
    data, model = Path(recipe.data.env), _words(recipe.model.name)
    if data.exists():
        return data.resolve().parent / f"{data.resolve().name}.solve-rates" / f"{model}.jsonl"
    return FOLDER / f"{_words(with_version(recipe.data.env))}--{model}.jsonl"


def chosen_problems(source: ProblemSource, split: Split, recipe: Recipe) -> Listed:
    """The problems of a source that the recipe's model solves as often as the recipe asks for.

    Raises:
        FileNotFoundError: no rates are stored for them; the message says how to get them.
        ValueError: no problem is left.
    """
    path, (low, high) = solve_rates_path(recipe), recipe.data.solve_rate
    rates = SolveRates.read(path)
    if not rates.samples:
        raise FileNotFoundError(
            f"there are no solve rates in {path}; get them by `mstar envs solve-rate "
            f"{recipe.data.env} --model {recipe.model.name}`, or name a file by --solve-rates"
        )
    ids = rates.between(low, high)
    problems = _found(source, split, ids)
    if not problems:
        known = "none of them is a problem of this run" if ids else "none has such a solve rate"
        raise ValueError(
            f"solve_rate {low} {high} leaves none of the {len(rates.samples)} problems of {path}: "
            f"{known}; widen the range, or get new rates by `mstar envs solve-rate`"
        )
    note = (
        f"{len(problems)} of {len(rates.samples)} training problems have a solve rate from {low} "
        f"to {high} ({path})"
    )
    return Listed(source.name, problems, note)


def _found(source: ProblemSource, split: Split, ids: Sequence[str]) -> list[Problem]:
    """The problems with some ids, those of a data set by one pass over it."""
    if source.size is None:
        return [find_problem(source, split, id) for id in ids]
    there = (source.problem(split, 0, index) for index in range(source.size))
    by_id = {problem.id: problem for problem in there}
    return [by_id[id] for id in ids if id in by_id]


def _words(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[-80:]
