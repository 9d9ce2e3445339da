"""What people say of problems and responses: a file of verdicts that only grows.

Every line is one verdict, or takes an earlier one back. A line is on the disk when ``append``
returns, so that nothing said is lost when the machine stops. Runs read the file to leave out
problems that people called bad.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from mstar.experiments.rows import Row, read_rows

FILE = "audit.jsonl"  # in the folder of a run

VerdictKind = Literal["right", "wrong", "bad question", "bad reference", "right for wrong reasons"]
KINDS: tuple[VerdictKind, ...] = get_args(VerdictKind)
BAD: tuple[VerdictKind, ...] = ("bad question", "bad reference")  # nothing to learn from


@dataclass(frozen=True, slots=True)
class Item:
    """A response to a problem, or a problem of a data set, and why people are asked about it.

    Attributes:
        id: hash of problem, question, reference answer and response.
        problem: id of the problem.
        phrasing: how it was asked; see ``Phrasing``.
        question: as it was asked.
        reference: the reference answer; None if there is none.
        response: what the policy wrote; None for a problem of a data set.
        round: in which it was first sampled; 0 for a problem of a data set.
        scores: every reward model's score by name; None where one abstained.
        reward: the combined reward; None where all abstained.
        kept: whether a round learned from it.
        finished: whether the policy ended it, and not the limit on its length.
        copies: how many responses are this one, word for word.
        stratum: the part of the sample that it belongs to.
        probability: with which that part took it, in (0, 1].
    """

    id: str
    problem: str
    phrasing: str
    question: str
    reference: str | None
    response: str | None
    round: int = 0
    scores: Mapping[str, float | None] = field(default_factory=dict)
    reward: float | None = None
    kept: bool = False
    finished: bool = True
    copies: int = 1
    stratum: str = "random"
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one person said of one item.

    Attributes:
        id: of the verdict.
        user: who said it.
        time: when, in UTC, ISO 8601.
        kind: what it is.
        note: anything else, in words.
        item: what was seen.
        images: digest of each image that was shown.
        scores_shown: whether the reward models' scores were shown as well.
    """

    id: str
    user: str
    time: str
    kind: VerdictKind
    note: str
    item: Item
    images: tuple[str, ...] = ()
    scores_shown: bool = True

    @property
    def answer_is_right(self) -> bool | None:
        """Whether the answer is right, whatever led to it; None where nobody can say."""
        if self.kind in BAD:
            return None
        return self.kind in ("right", "right for wrong reasons")

    @property
    def response_is_right(self) -> bool | None:
        """Whether answer and reasons are right; None where nobody can say."""
        return None if self.kind in BAD else self.kind == "right"


def append(path: Path, entry: Verdict | Mapping[str, Any]) -> None:
    """Add a line to a file of verdicts; it is on the disk when this returns.

    Several processes may do so at once. What a killed process left of a line is removed first.

    Args:
        path: the file, made if it does not exist.
        entry: a verdict, or ``taken_back`` of one.
    """
    line = json.dumps(asdict(entry) if isinstance(entry, Verdict) else entry) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        written = file.read()
        file.truncate(written.rfind(b"\n") + 1)
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def taken_back(verdict: Verdict, time: str) -> Row:
    """The line that takes a verdict back."""
    return {"takes_back": verdict.id, "user": verdict.user, "time": time}


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts that stand, in their order: of each person the last one on each item.

    Raises:
        ValueError: a line is not a verdict; the message says which.
    """
    standing: dict[tuple[str, str], Verdict] = {}
    for number, row in enumerate(read_rows(path), start=1):
        try:
            if "takes_back" in row:
                standing = {k: v for k, v in standing.items() if v.id != row["takes_back"]}
                continue
            verdict = verdict_of(row)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"line {number} of {path} is no verdict ({error}); give a file that `mstar audit` "
                "wrote"
            ) from None
        standing.pop((verdict.user, verdict.item.id), None)  # the new one comes last
        standing[verdict.user, verdict.item.id] = verdict
    return list(standing.values())


def verdict_of(row: Row) -> Verdict:
    """The verdict of a line; raises KeyError or TypeError where there is none."""
    return Verdict(**{**row, "item": Item(**row["item"]), "images": tuple(row["images"])})


def last_taken_back(path: Path, user: str) -> str | None:
    """Id of the item whose verdict was the last that a person took back, if nothing came after."""
    items: dict[str, str] = {}
    found = None
    for row in read_rows(path):
        if "takes_back" not in row:
            items[row["id"]] = row["item"]["id"]
        if row["user"] == user:
            found = items.get(row["takes_back"]) if "takes_back" in row else None
    return found


def verdict_file(place: Path) -> Path:
    """The file of verdicts that a path means: the file itself, or that of a run's folder."""
    return place / FILE if place.is_dir() else place


def called_bad(path: Path) -> Collection[str]:
    """Ids of the problems that people call bad: at least half of those who judged them."""
    said: dict[str, dict[str, bool]] = {}
    for verdict in read_verdicts(path):
        people = said.setdefault(verdict.item.problem, {})
        people[verdict.user] = people.get(verdict.user, False) or verdict.kind in BAD
    return frozenset(
        problem for problem, people in said.items() if 2 * sum(people.values()) >= len(people)
    )


def by_item(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts of all people on each item, by its id."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.item.id, []).append(verdict)
    return found
