"""What can be audited: the responses of a run as far as it is, or the problems of a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from PIL import Image

from mstar.agents.config import Recipe
from mstar.envs.datasets.field_map import dataset_description
from mstar.envs.problem import Problem, Split
from mstar.envs.registry import open_source
from mstar.envs.task import Task
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.verdicts import Item
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel
from mstar.rewards.verifier.verify import extract

SCORE = "score/"
IMAGE_SIZE = 448  # pixels of a generated image; stored ones keep their size


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may be shown, and what else tells how instructive it is.

    Attributes:
        item: without its part of the sample.
        agreement: share of the responses to its problem in its round that give the same answer;
            NaN where there is no answer, or no second response.
    """

    item: Item
    agreement: float = float("nan")


class Subject(Protocol):
    """A run or a data set whose items people look at."""

    name: str
    verdicts: Path
    grows: bool

    def candidates(self) -> Sequence[Candidate]:
        """All that could be shown now, each once; more as a run goes on."""
        ...

    def images(self, item: Item) -> list[Image.Image]:
        """The images of an item's problem."""
        ...


class RunSubject:
    """The responses of a run; those of a round once it is committed.

    Args:
        folder: of the run.
        verdicts: the file of verdicts.

    Attributes:
        name: of the run.
        verdicts: as given.
        grows: a run may go on, and have more of them.

    Raises:
        FileNotFoundError: this is not a run folder.
    """

    grows = True

    def __init__(self, folder: RunFolder, verdicts: Path) -> None:
        self._folder, self._recipe = folder, folder.recipe()
        self.name, self.verdicts = folder.path.name, verdicts
        self._rounds: list[list[Row]] = []
        self._found: list[Candidate] = []

    def candidates(self) -> Sequence[Candidate]:
        """Every different response of the committed rounds."""
        rounds = self._folder.rounds()
        if len(rounds) != len(self._rounds):
            self._rounds += [
                self._folder.rollouts(row["number"]) for row in rounds[len(self._rounds) :]
            ]
            self._found = candidates_of(self._rounds)
        return self._found

    def images(self, item: Item) -> list[Image.Image]:
        """The images of the problem, drawn larger than the policy saw them."""
        return [image.render(IMAGE_SIZE) for image in self._task.find(item.problem).images]

    @property
    def _task(self) -> Task:
        return _opened(self._recipe)


class DatasetSubject:
    """The problems of an environment or a data set, one split of it.

    Args:
        name: environment, path or ``hub:NAME``.
        fields: how it is read; see ``FieldMap``.
        split: of the problems.
        verdicts: the file of verdicts.
        count: how many problems there are to choose from, if they are generated without end.

    Attributes:
        name: as given.
        verdicts: as given.
        grows: its problems stay the same.

    Raises:
        ValueError: there is no such environment, or no problem in the split.
    """

    grows = False

    def __init__(
        self, name: str, fields: Sequence[str], split: Split, verdicts: Path, count: int
    ) -> None:
        self.name, self.verdicts = name, verdicts
        source = open_source(dataset_description(name, tuple(fields)))
        problems = (source.problem(split, 0, index) for index in range(source.size or count))
        self._problems: dict[str, Problem] = {problem.id: problem for problem in problems}
        self._found = [Candidate(_item_of(problem)) for problem in self._problems.values()]

    def candidates(self) -> Sequence[Candidate]:
        """Every problem."""
        return self._found

    def images(self, item: Item) -> list[Image.Image]:
        """The images of the problem."""
        return [image.render(IMAGE_SIZE) for image in self._problems[item.problem].images]


def open_subject(
    name: str, verdicts: Path, fields: Sequence[str], split: Split, count: int
) -> Subject:
    """The run whose folder `name` is, else the data set; see ``DatasetSubject``."""
    folder = RunFolder(Path(name))
    if folder.exists():
        return RunSubject(folder, verdicts)
    return DatasetSubject(name, fields, split, verdicts, count)


@lru_cache(maxsize=1)
def _opened(recipe: Recipe) -> Task:
    """The training problems of a run; nothing but the problems is used."""
    return open_task(recipe.replace(audit=""), "train", panel=RewardPanel([Correctness()]))


def candidates_of(rounds: Sequence[Sequence[Row]]) -> list[Candidate]:
    """Every different response of stored rounds; of equal ones the first, with their number.

    Args:
        rounds: the rows of each round, as ``read_rollouts`` gives them.
    """
    first: dict[str, tuple[int, Row, float]] = {}
    copies: dict[str, int] = {}
    kept: dict[str, bool] = {}
    for number, rows in enumerate(rounds):
        for row, agreement in zip(rows, _agreement(rows), strict=True):
            id = _digest(row["problem"], row["question"], row["answer"], row["response"])
            first.setdefault(id, (number, row, agreement))
            copies[id] = copies.get(id, 0) + 1
            kept[id] = kept.get(id, False) or row["kept"]
    return [
        Candidate(
            Item(
                id=id,
                problem=row["problem"],
                phrasing=row.get("phrasing", ""),
                question=row["question"],
                reference=row["answer"],
                response=row["response"],
                round=number,
                scores={
                    name.removeprefix(SCORE): _known(value)
                    for name, value in row.items()
                    if name.startswith(SCORE)
                },
                reward=_known(row["reward"]),
                kept=kept[id],
                finished=row["finished"],
                copies=copies[id],
            ),
            agreement,
        )
        for id, (number, row, agreement) in first.items()
    ]


def _agreement(rows: Sequence[Row]) -> list[float]:
    """Of each row, the share of the responses to its problem that give its answer."""
    answers = [extract(row["response"]) if row["finished"] else None for row in rows]
    groups: dict[str, list[str | None]] = {}
    for row, answer in zip(rows, answers, strict=True):
        groups.setdefault(row["problem"], []).append(answer)
    found = []
    for row, answer in zip(rows, answers, strict=True):
        group = groups[row["problem"]]
        told = answer is not None and len(group) > 1
        found.append(group.count(answer) / len(group) if told else float("nan"))
    return found


def _item_of(problem: Problem) -> Item:
    reference = problem.answer.value if problem.answer else None
    id = _digest(problem.id, problem.question, reference, None)
    return Item(id, problem.id, "", problem.question, reference, None)


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)


def _digest(*parts: str | None) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
