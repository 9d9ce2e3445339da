"""Every row of a data set, parsed and audited: the problems, and the errors of the other rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mstar.envs.datasets.cell_texts import question_text, single_turns, unnumbered_places
from mstar.envs.datasets.checked import Checked
from mstar.envs.datasets.field_map import AnswerForm, FieldMap, look_up
from mstar.envs.datasets.images import ImageInfo, option_images, row_images
from mstar.envs.datasets.options import index_base_is_unclear, infer_answer_form
from mstar.envs.datasets.parse_row import ParsedRow, parse_row
from mstar.envs.datasets.readers import RawRow, RowsOrPath, file_stamps, read_rows
from mstar.envs.datasets.schemas import choose_fields
from mstar.envs.datasets.splits import Content
from mstar.rewards.base import Answer

# File names that say nothing about the set, which is then named after its folder.
GENERIC_NAMES = ("problems", "data", "train", "test", "validation", "val", "dev", "metadata")
HEAD_ROWS = 64  # whose columns determine the field map
HEAD_CHARACTERS = 2**25  # in these rows, approximately


class RowError(NamedTuple):
    """Why a row holds no problem.

    Attributes:
        where: file and line.
        kind: the part of the row that is wrong, in the words of ``mstar envs validate --json``:
            its image, its reference answer (gold), or anything else.
        message: what is wrong, and what to do.
    """

    where: str
    kind: Literal["row", "picture", "gold"]
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class AuditedRow(NamedTuple):
    """A row that holds a problem.

    Attributes:
        parsed: its texts and images.
        answer: the reference answer; None if the row is unlabelled.
        content: what the problem shows, for finding duplicates.
        images: digest and size of each image.
    """

    parsed: ParsedRow
    answer: Answer | None
    content: Content
    images: tuple[ImageInfo, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """All rows of a data set.

    Attributes:
        name: of the set.
        fields: which column holds what.
        answer_form: how the answers to problems with options name an option.
        index_base_unclear: whether such answers are indices that may count from 0, as is assumed,
            or from 1.
        rows: those that hold a problem, in the order of the set.
        errors: of the other rows.
    """

    name: str
    fields: FieldMap
    answer_form: AnswerForm
    index_base_unclear: bool
    rows: tuple[AuditedRow, ...]
    errors: tuple[RowError, ...]


def audit_dataset(
    source: RowsOrPath,
    fields: str | Mapping[str, Any] | None = None,
    image_folder: str | None = None,
) -> Audit:
    """Parse every row and check it: images open, the reference answer verifies against itself.

    What has been checked before and has not changed since is not checked again; see ``Checked``.

    Args:
        source: a file, a folder, ``hub:NAME``, or rows.
        fields: which column holds what; see ``choose_fields``.
        image_folder: the folder of the images, if it is not that of the problems.

    Raises:
        ValueError: nothing to read, a broken line, or columns whose meaning can't be told.
    """
    name = dataset_name(source)
    stream = iter(read_rows(source, image_folder))
    head = _head(stream)
    if not head:
        raise ValueError(f"{source if isinstance(source, str) else name} is empty: it has no rows")
    columns = list(dict.fromkeys(chain.from_iterable(row.cells for row in head)))
    where = _origin(source, str(head[0].cells.get("_file"))) if isinstance(source, str) else name
    chosen = choose_fields(fields, [c for c in columns if c != "_file"], where)
    parsed, errors = _parse(chain(head, stream), chosen)
    form, base_unclear = chosen.answer_form, False
    if form == "auto":
        answers = [(row.answer, row.choices) for row in parsed if row.choices and row.answer]
        form, base_unclear = infer_answer_form(answers), index_base_is_unclear(answers)
        if base_unclear and isinstance(chosen.choices, tuple) and chosen.choices[0].endswith("1"):
            form, base_unclear = "number", False  # the option columns count from 1
    rows: list[AuditedRow] = []
    on_disk = isinstance(source, str) and not source.startswith("hub:")
    checked = Checked(Path(str(source)) if on_disk else None)
    for row in parsed:
        audited = _audit_row(row, form, checked)
        if isinstance(audited, RowError):
            errors.append(audited)
        else:
            rows.append(audited)
    checked.save()
    return Audit(name, chosen, form, base_unclear, tuple(rows), tuple(errors))


def dataset_name(source: RowsOrPath) -> str:
    """The name of a source in reports, such as ``charts`` for ``charts/problems.jsonl``.

    >>> dataset_name("charts/problems.jsonl"), dataset_name("hub:me/Charts@main")
    ('charts', 'Charts')
    """
    if not isinstance(source, str):
        return "rows"
    if source.startswith("hub:"):
        return source.partition("@")[0].partition(":")[2].partition(":")[0].rpartition("/")[2]
    path = Path(source)
    stem = path.stem if path.suffix else path.resolve().name
    return path.resolve().parent.name or stem if stem.lower() in GENERIC_NAMES else stem


def _origin(source: str, first: str) -> str:
    """A source for messages; if it is a folder of several files, with the first and another one."""
    files = [Path(path) for path, _, _ in file_stamps(source)]
    if len(files) < 2:
        return source
    other = next((path for path in files if path.stem != first), files[-1])
    return (
        f"{source} ({len(files)} files, {first!r} first; to read another alone, name it: {other})"
    )


def _head(stream: Iterator[RawRow]) -> list[RawRow]:
    """The first rows; fewer if they are large."""
    rows: list[RawRow] = []
    characters = 0
    while (
        len(rows) < HEAD_ROWS
        and characters < HEAD_CHARACTERS
        and (row := next(stream, None)) is not None
    ):
        rows.append(row)
        characters += _length(row.cells)
    return rows


def _length(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    items = value.values() if isinstance(value, Mapping) else value
    return sum(map(_length, items)) if isinstance(items, Iterable) else 0


def _parse(rows: Iterable[RawRow], fields: FieldMap) -> tuple[list[ParsedRow], list[RowError]]:
    parsed: list[ParsedRow] = []
    errors: list[RowError] = []
    turns = chain.from_iterable(_single_turns(row, fields) for row in rows)
    for row, is_one_of_several in turns:
        try:
            question = question_text(look_up(row.cells, fields.question))
            images = row_images(row, fields.image, question)
            if is_one_of_several:  # the images of later turns are not there yet
                images = images[: unnumbered_places(question) or None]
            of_options = option_images(row, fields.choices)
        except ValueError as error:
            errors.append(RowError(row.where, "picture", str(error)))
            continue
        try:
            parsed.append(parse_row(row, fields, images, of_options))
        except ValueError as error:
            errors.append(RowError(row.where, "row", str(error)))
    return parsed, errors


def _single_turns(row: RawRow, fields: FieldMap) -> list[tuple[RawRow, bool]]:
    """A row for each question of a conversation that holds its answers too, and if it has more."""
    turns = single_turns(row.cells.get(fields.question)) if fields.answer == fields.question else []
    if len(turns) < 2:
        return [(row, False)]
    return [
        (
            row._replace(where=f"{row.where} turn {n}", cells={**row.cells, fields.question: turn}),
            True,
        )
        for n, turn in enumerate(turns, 1)
    ]


def _audit_row(row: ParsedRow, form: AnswerForm, checked: Checked) -> AuditedRow | RowError:
    try:
        images = tuple(checked.image(image) for image in row.images)
    except ValueError as error:
        return RowError(row.where, "picture", str(error))
    try:
        answer = row.typed_answer(form)
    except ValueError as error:
        return RowError(row.where, "gold", str(error))
    wrong = checked.answer_fault(answer) if answer is not None else None
    if wrong is not None:
        return RowError(row.where, "gold", wrong)
    content = Content(row.full_question, tuple(image.digest for image in images))
    return AuditedRow(row, answer, content, images)
