"""A data set as a source of problems, audited before anything is trained on it."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mstar.envs.datasets.audit import Audit, AuditedRow, audit_dataset
from mstar.envs.datasets.field_map import fields_example
from mstar.envs.datasets.images import StoredImage
from mstar.envs.datasets.readers import RowsOrPath, file_stamps
from mstar.envs.datasets.splits import assign_splits, repeated_in_later_split
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Problem, Split
from mstar.envs.source import epoch_order

LISTED_ERRORS = 5  # in a message

INDEX_BASE_UNCLEAR = (
    "answers that may count options from 0 or from 1; taken as from 0. State which: for 0 "
    f"{fields_example(answer_form='index')}; for 1 'number' in its place"
)

OnError = Literal["raise", "skip"]


class DatasetSource:
    """The problems of a data set, in a new order, determined by the seed, in every epoch.

    A problem's id is ``NAME@REVISION/SPLIT/ROW``. The revision is a hash of the problems, so it
    changes when they do.

    Args:
        audit: the audited rows.
        on_error: ``raise`` if any row holds no problem, or ``skip`` such rows.

    Raises:
        ValueError: a row holds no problem and `on_error` is ``raise``, or no row holds one.
    """

    def __init__(self, audit: Audit, on_error: OnError = "raise") -> None:
        if audit.errors and (on_error == "raise" or not audit.rows):
            raise ValueError(_errors_message(audit))
        self.name = audit.name
        if audit.index_base_unclear:
            warnings.warn(f"{self.name}: {INDEX_BASE_UNCLEAR}", stacklevel=2)
        if audit.errors:
            warnings.warn(f"left out: {_listed(audit)}", stacklevel=2)
        self.fields = audit.fields
        self.skipped = audit.errors
        self._on_error = on_error
        self._lost: set[str] = set()  # ids of problems whose images broke since the audit
        self._stamps: dict[Path, str] = {}  # of the image files that were read since
        contents = [row.content for row in audit.rows]
        splits = assign_splits(contents, [row.parsed.split for row in audit.rows])
        repeated = repeated_in_later_split(contents, splits)
        if any(repeated):
            warnings.warn(
                f"{self.name}: {sum(repeated)} problems appear again in a later split and are left "
                "out of the earlier one",
                stacklevel=2,
            )
        kept = [
            (row, split)
            for row, split, again in zip(audit.rows, splits, repeated, strict=True)
            if not again
        ]
        self.revision = _revision([row for row, _ in kept])
        self.problems: dict[Split, tuple[Problem, ...]] = {
            split: self._problems(split, kept) for split in SPLITS
        }

    @classmethod
    def load(
        cls,
        source: RowsOrPath,
        fields: str | Mapping[str, Any] | None = None,
        image_folder: str | None = None,
        on_error: OnError = "raise",
        pictures: str | None = None,
    ) -> DatasetSource:
        """Read and audit a data set; within a process, an unchanged file is read once.

        Args:
            source: a file, a folder, ``hub:NAME[:CONFIG][@REVISION]``, a ``datasets.Dataset`` or
                rows as mappings.
            fields: the name of a schema, or a map by the names of ``FieldMap``; None infers it
                from the names of the columns.
            image_folder: the folder that image paths start from, if it is not that of the
                problems.
            on_error: ``raise`` if any row holds no problem, or ``skip`` such rows.
            pictures: the former name of `image_folder`, accepted until version 0.3.

        Raises:
            ValueError: something can't be read; says where, and what to do.
        """
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        folder = image_folder or pictures
        if isinstance(source, str):
            return _load_cached(source, json.dumps(fields), folder, on_error, file_stamps(source))
        return cls(audit_dataset(source, fields, folder), on_error)

    @property
    def size(self) -> int:
        """The number of problems of the largest split."""
        return max(map(len, self.problems.values()))

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """The problem at `index` of a seed; each epoch holds every problem of the split once.

        With `on_error` of ``skip``, a problem of which an image was changed or deleted since the
        audit, and can't be read any more, is named in a warning and the next one takes its place.

        Raises:
            ValueError: the split is unknown or empty, or no image of it can be read any more.
        """
        problems = self.problems.get(split)
        if not problems:
            counts = {name: len(of_split) for name, of_split in self.problems.items()}
            raise ValueError(
                f"{self.name} has no problem in split {split!r}, only {counts}. A benchmark is for "
                "testing only; to divide it nonetheless, ignore its split: "
                + fields_example(split="=all")
            )
        for later in range(len(problems)):
            epoch, place = divmod(index + later, len(problems))
            problem = problems[int(epoch_order(len(problems), seed, epoch)[place])]
            if self._on_error == "raise" or self._is_whole(problem):
                return problem
        raise ValueError(f"no image of split {split!r} of {self.name} can be read any more")

    def _is_whole(self, problem: Problem) -> bool:
        """Whether the images of a problem are as they were audited, or can still be read."""
        if problem.id in self._lost:
            return False
        try:
            for image in problem.images:
                if isinstance(image, StoredImage) and isinstance(image.source, Path):
                    self._look_again(image, image.source)
        except ValueError as error:
            self._lost.add(problem.id)
            warnings.warn(f"left out: {problem.id}: {error}", stacklevel=3)
            return False
        return True

    def _look_again(self, image: StoredImage, file: Path) -> None:
        """Read an image file unless it is as it was when it was read here; ValueError if broken."""
        stamp = image.identity()
        if self._stamps.get(file) != stamp:
            image.check()
            self._stamps[file] = stamp

    def _problems(
        self, split: Split, kept: Sequence[tuple[AuditedRow, Split]]
    ) -> tuple[Problem, ...]:
        rows = [row for row, of in kept if of == split]
        uses = Counter(row.parsed.id for row in rows)
        return tuple(
            Problem(
                id=f"{self.name}@{self.revision}/{split}/"
                + (row.parsed.id if uses[row.parsed.id] == 1 else f"{row.parsed.id}#{number}"),
                images=row.parsed.images,
                image_places=row.parsed.image_places,
                question=row.content.question,
                system=row.parsed.system,
                answer=row.answer,
                template=row.parsed.topic,
                caption=row.parsed.caption,
                tags={"family": self.name},
            )
            for number, row in enumerate(rows)
        )


@lru_cache(maxsize=4)
def _load_cached(
    source: str, fields: str, image_folder: str | None, on_error: OnError, stamps: object
) -> DatasetSource:
    audit = audit_dataset(source, json.loads(fields), image_folder)
    return DatasetSource(audit, on_error)


def _revision(rows: Sequence[AuditedRow]) -> str:
    """A hash of the problems in their order, 8 hexadecimal digits."""
    total = hashlib.sha256()
    for row in rows:
        total.update(f"{row.parsed.id}\0{row.content.key}\0{row.answer}\n".encode())
    return total.hexdigest()[:8]


def _listed(audit: Audit) -> str:
    """How many rows hold no problem, and the first of them."""
    listed = "".join(f"\n  {error}" for error in audit.errors[:LISTED_ERRORS])
    more = len(audit.errors) - LISTED_ERRORS
    return (
        f"{audit.name}: {len(audit.errors)} of {len(audit.errors) + len(audit.rows)} "
        f"rows hold no problem that can be posed and checked:{listed}"
        f"{f'{chr(10)}  and {more} more' if more > 0 else ''}"
    )


def _errors_message(audit: Audit) -> str:
    return (
        f"{_listed(audit)}\n"
        "Correct them, or skip them with on_error='skip', on the command line --fields "
        "on_error=skip; `mstar envs validate` lists them all"
    )
