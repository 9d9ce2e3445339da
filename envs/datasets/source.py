"""A data set as a source of problems, audited before anything is trained on it."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mstar.envs.datasets.audit import Entry, Reading, Source, read
from mstar.envs.datasets.field_map import fields_example
from mstar.envs.datasets.readers import stamp
from mstar.envs.datasets.splits import divide, repeated
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Problem, Split

DECODED = 2_000  # pictures that are decoded at load; of the others the header is read
LISTED = 5  # faults in a message

FROM_0 = (
    "golds that may count options from 0 or from 1; taken as from 0. Say which: for 0 "
    f"{fields_example(answer_form='index')}; for 1 'number' in its place"
)

OnError = Literal["raise", "skip"]


class DatasetSource:
    """The problems of a data set, in an order that a seed shuffles anew every epoch.

    A problem's id is ``NAME@REVISION/SPLIT/ROW``: the revision is a hash of the problems, so it
    changes when they do.

    Args:
        reading: the rows.
        on_error: ``raise`` where any row holds no problem; ``skip`` leaves such rows out.

    Raises:
        ValueError: rows without a problem, and `on_error` is ``raise``; or no problem at all.
    """

    def __init__(self, reading: Reading, on_error: OnError = "raise") -> None:
        if reading.faults and (on_error == "raise" or not reading.entries):
            raise ValueError(_message(reading))
        self.name = reading.name
        if reading.doubt:
            warnings.warn(f"{self.name}: {FROM_0}", stacklevel=2)
        self.fields = reading.fields
        self.skipped = reading.faults
        contents = [entry.content for entry in reading.entries]
        splits = divide(contents, [entry.draft.split for entry in reading.entries])
        again = repeated(contents, splits)
        if any(again):
            warnings.warn(
                f"{self.name}: {sum(again)} problems are asked again in a later split and are left "
                "out of the earlier one",
                stacklevel=2,
            )
        kept = [
            (e, s) for e, s, more in zip(reading.entries, splits, again, strict=True) if not more
        ]
        self.revision = _revision([entry for entry, _ in kept])
        self.problems: dict[Split, tuple[Problem, ...]] = {
            split: self._problems(split, kept) for split in SPLITS
        }

    @classmethod
    def load(
        cls,
        source: Source,
        fields: str | Mapping[str, Any] | None = None,
        image_folder: str | None = None,
        on_error: OnError = "raise",
        pictures: str | None = None,
    ) -> DatasetSource:
        """Read and audit a data set; a file that has not changed is read once in a process.

        Args:
            source: a file, a folder, ``hub:NAME[:CONFIG][@REVISION]``, a ``datasets.Dataset`` or
                rows as mappings.
            fields: name of a schema, or a map by the names of ``FieldMap``; None tells by the
                names of the columns.
            image_folder: the folder that paths of images start from, where it is not that of the
                problems.
            on_error: ``raise`` where any row holds no problem; ``skip`` leaves such rows out.
            pictures: the former name of `image_folder`, accepted until version 0.2.

        Raises:
            ValueError: what can't be read; says where, and what to do.
        """
        if on_error not in ("raise", "skip"):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        pictures = image_folder or pictures
        if isinstance(source, str):
            return _loaded(source, json.dumps(fields), pictures, on_error, stamp(source))
        return cls(read(source, fields, pictures, DECODED), on_error)

    @property
    def size(self) -> int:
        """Of the largest split: the indices below it show every problem of any split."""
        return max(map(len, self.problems.values()))

    def problem(self, split: Split, seed: int, index: int) -> Problem:
        """Problem number `index` of a seed: every problem of the split once, then all again.

        Raises:
            ValueError: there is no such split, or nothing in it.
        """
        problems = self.problems.get(split)
        if not problems:
            counts = {name: len(found) for name, found in self.problems.items()}
            raise ValueError(
                f"{self.name} has no problem in split {split!r}, only {counts}. A benchmark is for "
                "testing; to divide it nonetheless, leave its split out: "
                + fields_example(split="=all")
            )
        epoch, place = divmod(index, len(problems))
        return problems[int(_order(len(problems), seed, epoch)[place])]

    def _problems(self, split: Split, kept: Sequence[tuple[Entry, Split]]) -> tuple[Problem, ...]:
        entries = [entry for entry, of in kept if of == split]
        uses = Counter(entry.draft.id for entry in entries)
        return tuple(
            Problem(
                id=f"{self.name}@{self.revision}/{split}/"
                + (entry.draft.id if uses[entry.draft.id] == 1 else f"{entry.draft.id}#{number}"),
                pictures=entry.draft.pictures,
                question=entry.content.question,
                answer=entry.answer,
                template=entry.draft.topic,
                tags={"family": self.name},
            )
            for number, entry in enumerate(entries)
        )


@lru_cache(maxsize=4)
def _loaded(
    source: str, fields: str, pictures: str | None, on_error: OnError, stamped: object
) -> DatasetSource:
    return DatasetSource(read(source, json.loads(fields), pictures, DECODED), on_error)


@lru_cache(maxsize=8)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    sequence = np.random.SeedSequence([seed, epoch])
    return np.random.Generator(np.random.PCG64(sequence)).permutation(count)


def _revision(entries: Sequence[Entry]) -> str:
    """A hash of the problems in their order, 8 hexadecimal digits."""
    total = hashlib.sha256()
    for entry in entries:
        total.update(f"{entry.draft.id}\0{entry.content.key}\0{entry.answer}\n".encode())
    return total.hexdigest()[:8]


def _message(reading: Reading) -> str:
    listed = "".join(f"\n  {fault}" for fault in reading.faults[:LISTED])
    more = len(reading.faults) - LISTED
    return (
        f"{reading.name}: {len(reading.faults)} of {len(reading.faults) + len(reading.entries)} "
        f"rows hold no problem that can be asked and checked:{listed}"
        f"{f'{chr(10)}  and {more} more' if more > 0 else ''}\n"
        "Mend them, or leave them out with on_error='skip', on the command line --fields "
        "on_error=skip; `mstar envs validate` lists them all"
    )
