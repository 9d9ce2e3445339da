"""Every row of a data set, read and audited: the problems, and what is wrong with the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mstar.envs.datasets.field_map import AnswerForm, FieldMap
from mstar.envs.datasets.options import form_of, from_0_or_1
from mstar.envs.datasets.parse_row import Draft, answer_of, asked, draft
from mstar.envs.datasets.readers import rows
from mstar.envs.datasets.row_images import option_pictures, pictures_of
from mstar.envs.datasets.rows import Row
from mstar.envs.datasets.schemas import choose_fields
from mstar.envs.datasets.splits import Content
from mstar.envs.datasets.stored_image import Seen
from mstar.rewards.base import Answer
from mstar.rewards.verifier.audit import audit

PLAIN_NAMES = ("problems", "data", "train", "test", "validation", "val", "dev", "metadata")
HEAD = 64  # rows whose columns are looked at to tell the form
HEAD_HELD = 2**25  # characters of them, about

Source = str | Iterable[Mapping[str, Any]]


class Fault(NamedTuple):
    """What is wrong with a row.

    Attributes:
        where: the file and the line.
        kind: what of the row it is.
        message: what is wrong, and what to do.
    """

    where: str
    kind: Literal["row", "picture", "gold"]
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class Entry(NamedTuple):
    """A row that holds a problem.

    Attributes:
        draft: its texts.
        answer: its gold, None where it has no label.
        content: what it shows.
        seen: each of its pictures.
    """

    draft: Draft
    answer: Answer | None
    content: Content
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """All rows of a set, those that hold a problem and those that do not.

    Attributes:
        name: of the set.
        fields: which column was taken for what.
        form: what the golds of problems with options are.
        doubt: whether it can't be told if options are counted from 0, as is taken, or from 1.
        entries: in the order of the rows.
        faults: of the other rows.
    """

    name: str
    fields: FieldMap
    form: AnswerForm
    doubt: bool
    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]


def read(
    source: Source,
    fields: str | Mapping[str, Any] | None = None,
    pictures: str | None = None,
    decoded: int | None = None,
) -> Reading:
    """Read every row and audit it: its pictures open, its gold verifies against itself.

    Args:
        source: a file, a folder, ``hub:NAME``, or rows.
        fields: which column holds what; see ``choose_fields``.
        pictures: the folder of the pictures, where it is not that of the problems.
        decoded: of how many pictures every pixel is decoded, None for all; of the others the
            header is read.

    Raises:
        ValueError: nothing to read, broken lines, or columns that can't be told.
    """
    name = name_of(source)
    where = source if isinstance(source, str) else name
    stream = iter(rows(source, pictures))
    head = _head(stream)
    if not head:
        raise ValueError(f"{where} is empty: it has no rows")
    columns = list(dict.fromkeys(chain.from_iterable(row.cells for row in head)))
    chosen = choose_fields(fields, [c for c in columns if c != "_file"], where)
    drafts, faults = _drafts(chain(head, stream), chosen)
    form, doubt = chosen.answer_form, False
    if form == "auto":
        golds = [(d.gold, d.choices) for d in drafts if d.choices and d.gold]
        form, doubt = form_of(golds), from_0_or_1(golds)
        if doubt and isinstance(chosen.choices, tuple) and chosen.choices[0].endswith("1"):
            form, doubt = "number", False  # as the columns are counted
    entries: list[Entry] = []
    left = decoded
    for one in drafts:
        found = _entry(one, form, left is None or left > 0)
        left = None if left is None else left - len(one.pictures)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            entries.append(found)
    return Reading(name, chosen, form, doubt, tuple(entries), tuple(faults))


def _head(stream: Iterator[Row]) -> list[Row]:
    """The first rows, fewer where they are large."""
    rows: list[Row] = []
    held = 0
    while len(rows) < HEAD and held < HEAD_HELD and (row := next(stream, None)) is not None:
        rows.append(row)
        held += _length(row.cells)
    return rows


def _length(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    items = value.values() if isinstance(value, Mapping) else value
    return sum(map(_length, items)) if isinstance(items, Iterable) else 0


def name_of(source: Source) -> str:
    """What a source is called in reports: of ``charts/problems.jsonl`` it is ``charts``.

    >>> name_of("charts/problems.jsonl"), name_of("hub:me/Charts@main")
    ('charts', 'Charts')
    """
    if not isinstance(source, str):
        return "rows"
    if source.startswith("hub:"):
        return source.partition("@")[0].partition(":")[2].partition(":")[0].rpartition("/")[2]
    path = Path(source)
    stem = path.stem if path.suffix else path.resolve().name
    return path.resolve().parent.name or stem if stem.lower() in PLAIN_NAMES else stem


def _drafts(stream: Iterable[Row], fields: FieldMap) -> tuple[list[Draft], list[Fault]]:
    drafts: list[Draft] = []
    faults: list[Fault] = []
    for row in stream:
        try:
            pictures = pictures_of(row, fields.image)
            drawn = option_pictures(row, fields.choices)
        except ValueError as error:
            faults.append(Fault(row.where, "picture", str(error)))
            continue
        try:
            drafts.append(draft(row, fields, pictures, drawn))
        except ValueError as error:
            faults.append(Fault(row.where, "row", str(error)))
    return drafts, faults


def _entry(one: Draft, form: AnswerForm, decode: bool) -> Entry | Fault:
    try:
        seen = tuple(picture.check(decode) for picture in one.pictures)
    except ValueError as error:
        return Fault(one.where, "picture", str(error))
    try:
        answer = answer_of(one, form)
    except ValueError as error:
        return Fault(one.where, "gold", str(error))
    wrong = audit(answer) if answer is not None else None
    if wrong is not None:
        return Fault(one.where, "gold", wrong)
    content = Content(asked(one), tuple(s.digest for s in seen))
    return Entry(one, answer, content, seen)
