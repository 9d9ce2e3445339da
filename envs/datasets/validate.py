"""A report on a data set before anything is trained on it: what it holds and what is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mstar.envs.datasets.audit import Audit, AuditedRow, audit_dataset
from mstar.envs.datasets.field_map import AnswerForm
from mstar.envs.datasets.options import LETTERS, letters_are_ambiguous, resolve_option
from mstar.envs.datasets.readers import RowsOrPath
from mstar.envs.datasets.source import INDEX_BASE_UNCLEAR
from mstar.envs.datasets.splits import assign_splits, repeated_in_later_split
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Split

SIDES = (112, 224, 448, 896, 1792)  # pixels: upper ends of the histogram of longer sides
EXAMPLES = 5  # rows that a finding lists

Level = Literal["error", "warning"]
Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with some rows.

    Attributes:
        level: an ``error`` must be corrected before training; a ``warning`` should be inspected.
        kind: what it concerns: rows, pictures, golds (reference answers), choices, duplicates,
            leakage, ids or labels.
        count: number of rows.
        message: what is wrong.
        examples: up to five of the rows.
    """

    level: Level
    kind: str
    count: int
    message: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What a data set holds; the names of the attributes are those of the JSON output.

    Attributes:
        name: of the set.
        fields: which column holds what.
        answer_form: how the answers to problems with options name an option.
        rows: number of rows.
        problems: number of rows that can be posed and checked.
        splits: number of problems by split.
        own_splits: whether the set has its own test split, or one is assigned by hash.
        types: number of problems by answer type; "" for unlabelled ones.
        gold_rate: share of the labelled rows whose reference answer verifies against itself; None
            if there are no labels.
        pictures: number of distinct images.
        sides: number of images by their longer side in pixels.
        blind: accuracy of always giving the most frequent answer, and the most frequent letter.
        findings: errors first.
    """

    name: str
    fields: Mapping[str, Any]
    answer_form: str
    rows: int
    problems: int
    splits: Counts
    own_splits: bool
    types: Counts
    gold_rate: float | None
    pictures: int
    sides: Counts
    blind: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that must be corrected before training."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not self.errors

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {**asdict(self), "ok": self.ok}

    def text(self) -> str:
        """The report as lines of text."""
        used = ", ".join(f"{key}={value!r}" for key, value in self.fields.items())
        origin = "its own" if self.own_splits else "by hash of the content"
        form = f"; among options given as {self.answer_form}" if "choice" in self.types else ""
        rate = self.gold_rate
        verified = "none" if rate is None else f"{rate:.1%} verify against themselves"
        blind = ", ".join(f"{strategy} {share:.1%}" for strategy, share in self.blind.items())
        lines = [
            f"{self.name}: {self.problems} problems in {self.rows} rows",
            f"  columns   {used}",
            f"  splits    {_format_counts(self.splits)} ({origin})",
            f"  answers   {_format_counts(self.types)}{form}",
            f"  labels    {verified}",
            f"  images    {self.pictures}; longer side in pixels: {_format_counts(self.sides)}",
            f"  blind     {blind or 'no labels'}",
        ]
        for finding in self.findings:
            lines.append(f"{finding.level}: {finding.message}: {finding.count}")
            lines += [f"    {example}" for example in finding.examples]
            if finding.count > len(finding.examples):
                lines.append(f"    and {finding.count - len(finding.examples)} more")
        skip = "skip the rows with on_error='skip' (--fields on_error=skip)"
        lines.append("ok" if self.ok else f"not ok: correct the errors, or {skip}")
        return "\n".join(lines)


def validate_dataset(
    source: RowsOrPath,
    fields: str | Mapping[str, Any] | None = None,
    image_folder: str | None = None,
) -> ValidationReport:
    """Read a whole data set, decode every image and check every reference answer.

    Args:
        source: see ``DatasetSource.load``.
        fields: see ``DatasetSource.load``.
        image_folder: see ``DatasetSource.load``.

    Raises:
        ValueError: it can't be read at all: a broken line, or columns whose meaning can't be told.
    """
    audit = audit_dataset(source, fields, image_folder)
    rows = audit.rows
    own = [row.parsed.split for row in rows]
    splits = assign_splits([row.content for row in rows], own)
    labelled = [row for row in rows if row.answer is not None]
    unverified = sum(error.kind == "gold" for error in audit.errors)
    images = {image.digest: image for row in rows for image in row.images}
    mapped = {key: value for key, value in asdict(audit.fields).items() if value}
    return ValidationReport(
        name=audit.name,
        fields={key: value for key, value in mapped.items() if key != "answer_form"},
        answer_form=audit.answer_form,
        rows=len(rows) + len(audit.errors),
        problems=len(rows),
        splits=dict(Counter(splits)),
        own_splits=all(o == "test" for o, s in zip(own, splits, strict=True) if s == "test"),
        types=dict(Counter(row.answer.type if row.answer else "" for row in rows)),
        gold_rate=len(labelled) / checked if (checked := len(labelled) + unverified) else None,
        pictures=len(images),
        sides=_histogram(max(image.width, image.height) for image in images.values()),
        blind=_blind_accuracy(labelled),
        findings=tuple(sorted(_findings(audit, splits), key=lambda finding: finding.level)),
    )


def _findings(audit: Audit, splits: Sequence[Split]) -> Iterable[Finding]:
    rows = audit.rows
    for kind in ("row", "picture", "gold"):
        errors = [str(error) for error in audit.errors if error.kind == kind]
        yield from _finding(
            "error", f"{kind}s", errors, "rows without a problem that can be posed and checked"
        )
    repeated = repeated_in_later_split([row.content for row in rows], splits)
    yield from _finding(
        "error",
        "leakage",
        _describe([row for row, again in zip(rows, repeated, strict=True) if again]),
        "problems that appear again in a later split, and are left out of the earlier one",
    )
    yield from _finding(
        "error",
        "choices",
        _describe(_ambiguous_answers(rows, audit.answer_form)),
        "answers that name one option as a text and another as a letter",
    )
    yield from _finding(
        "error",
        "choices",
        _describe([row for row in rows if _has_two_letters_per_option(row)]),
        "options that are letters themselves and appear in the question with other letters",
    )
    if audit.index_base_unclear:
        with_options = [row for row in rows if row.parsed.choices and row.answer]
        yield from _finding("error", "choices", _describe(with_options), INDEX_BASE_UNCLEAR)
    yield from _finding(
        "warning",
        "choices",
        _describe([row for row in rows if _is_letter_without_options(row)]),
        "answers that are a letter, without any options",
    )
    yield from _duplicates(rows)
    yield from _shared_images(rows, splits)
    uses = Counter(row.parsed.id for row in rows if row.parsed.id)
    repeated_ids = [f"id {name!r} {count} times" for name, count in uses.items() if count > 1]
    yield from _finding("warning", "ids", repeated_ids, "ids used more than once")
    unlabelled = [row for row in rows if row.answer is None]
    yield from _finding("warning", "labels", _describe(unlabelled), "problems without an answer")


def _duplicates(rows: Sequence[AuditedRow]) -> Iterable[Finding]:
    groups: dict[str, list[AuditedRow]] = defaultdict(list)
    for row in rows:
        groups[row.content.key].append(row)
    duplicates = [group for group in groups.values() if len(group) > 1]
    conflicting = [group for group in duplicates if len({str(row.answer) for row in group}) > 1]
    yield from _finding("warning", "duplicates", _locations(duplicates), "duplicate problems")
    yield from _finding(
        "warning",
        "duplicates",
        _locations(conflicting),
        "duplicate problems with different answers",
    )


def _shared_images(rows: Sequence[AuditedRow], splits: Sequence[Split]) -> Iterable[Finding]:
    splits_of: dict[str, set[Split]] = defaultdict(set)
    for row, split in zip(rows, splits, strict=True):
        for image in row.content.images:
            splits_of[image].add(split)
    shared = [
        row
        for row, split in zip(rows, splits, strict=True)
        if any(
            SPLITS.index(other) < SPLITS.index(split)
            for image in row.content.images
            for other in splits_of[image]
        )
    ]
    yield from _finding(
        "warning", "leakage", _describe(shared), "problems about an image of an earlier split"
    )


def _ambiguous_answers(rows: Sequence[AuditedRow], form: AnswerForm) -> list[AuditedRow]:
    """Answers that name two options; none if all other answers agree with the form of the set."""
    with_options = [row for row in rows if row.parsed.choices and row.parsed.answer]
    ambiguous = [row for row in with_options if len(_possible_options(row)) > 1]
    clear = [row.parsed for row in with_options if len(_possible_options(row)) == 1]
    decided = clear and all(
        resolve_option(row.answer, row.choices, form) is not None for row in clear
    )
    return [] if decided else ambiguous


def _possible_options(row: AuditedRow) -> set[int]:
    """The options that the answer names as a text or as a letter."""
    parsed = row.parsed
    places = {resolve_option(parsed.answer, parsed.choices, form) for form in ("text", "letter")}
    return {place for place in places if place is not None}


def _has_two_letters_per_option(row: AuditedRow) -> bool:
    parsed = row.parsed
    return letters_are_ambiguous(parsed.choices) and row.content.question == parsed.question


def _is_letter_without_options(row: AuditedRow) -> bool:
    answer = row.parsed.answer
    return not row.parsed.choices and len(answer) == 1 and answer in LETTERS[:8]


def _blind_accuracy(labelled: Sequence[AuditedRow]) -> dict[str, float]:
    """Accuracy of always giving the most frequent answer, or the most frequent letter."""
    answers = Counter(row.answer.value.casefold() for row in labelled if row.answer)
    letters = Counter(
        LETTERS[row.parsed.choices.index(row.answer.value)]
        for row in labelled
        if row.answer and row.parsed.choices
    )
    counts = (("commonest answer", answers), ("commonest letter", letters))
    return {
        f"{name} {count.most_common(1)[0][0]!r:.40}": count.most_common(1)[0][1] / count.total()
        for name, count in counts
        if count
    }


def _histogram(sides: Iterable[int]) -> Counts:
    names = [f"to {side}" for side in SIDES] + [f"above {SIDES[-1]}"]
    counts = Counter(names[sum(side > end for end in SIDES)] for side in sides)
    return {name: counts[name] for name in names if counts[name]}


def _finding(level: Level, kind: str, rows: Sequence[str], message: str) -> Iterable[Finding]:
    if rows:
        yield Finding(level, kind, len(rows), message, tuple(rows[:EXAMPLES]))


def _describe(rows: Sequence[AuditedRow]) -> list[str]:
    return [
        f"{row.parsed.where}: {row.content.question!r:.80}, {row.parsed.answer!r:.40}"
        for row in rows
    ]


def _locations(groups: Sequence[Sequence[AuditedRow]]) -> list[str]:
    return [" and ".join(row.parsed.where for row in group[:4]) for group in groups]


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'no label'} {count}" for name, count in counts.items()) or "none"
