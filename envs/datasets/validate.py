"""A report on a data set before anything is trained on it: what it holds and what is wrong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mstar.envs.datasets.audit import Audit, AuditedRow, audit_dataset
from mstar.envs.datasets.field_map import AnswerForm, fields_example
from mstar.envs.datasets.options import LETTERS, letters_are_ambiguous, resolve_option
from mstar.envs.datasets.readers import RowsOrPath
from mstar.envs.datasets.source import INDEX_BASE_UNCLEAR, OnError
from mstar.envs.datasets.splits import assign_splits, repeated_in_later_split
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Split

SIDES = (112, 224, 448, 896, 1792)  # pixels: upper ends of the histogram of longer sides
EXAMPLES = 5  # rows that a finding lists
ROW_KINDS = ("rows", "pictures", "golds")  # of findings about rows that hold no problem
LONGEST_PHRASE = 6  # words; a longer gold is a sentence
FEW_CHOICES = 20  # problems with options; fewer say nothing about letters
MOST_DIFFERENCE = 4  # in any pixel of the thumbnails of the same image, of 255
FLAT = 2  # standard deviation of the pixels of a thumbnail that shows nothing
MOST_ALIKE = 64  # thumbnails of about the same shades that a later one is compared with
YEAR = re.compile(r"(?:19|20)\d\d")
ABOUT_ROUNDING = re.compile(r"\b(?:decimals?|round|nearest|significant|precision|float)", re.I)

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
        text_only: number of problems without an image.
        sides: number of images by their longer side in pixels.
        image_sizes: width and height of the smallest, the middle and the largest image; () if there
            are none.
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
    text_only: int
    sides: Counts
    image_sizes: tuple[tuple[int, int], ...]
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
            f"  images    {self.pictures}; longer side in pixels: {_format_counts(self.sides)}"
            f"{f'; {self.text_only} problems without one' if self.text_only else ''}",
            f"  blind     {blind or 'no labels'}",
        ]
        for finding in self.findings:
            lines.append(f"{finding.level}: {finding.message}: {finding.count}")
            lines += [f"    {example}" for example in finding.examples]
            if finding.count > len(finding.examples):
                lines.append(f"    and {finding.count - len(finding.examples)} more")
        skip = "leave the rows out with on_error='skip' (--fields on_error=skip)"
        in_rows = any(error.kind in ROW_KINDS for error in self.errors)
        advice = f"correct the errors{f', or {skip}' if in_rows else ''}"
        lines.append("ok" if self.ok else f"not ok: {advice}")
        return "\n".join(lines)


def validate_dataset(
    source: RowsOrPath,
    fields: str | Mapping[str, Any] | None = None,
    image_folder: str | None = None,
    on_error: OnError = "raise",
) -> ValidationReport:
    """Read a whole data set, decode every image and check every reference answer.

    Args:
        source: see ``DatasetSource.load``.
        fields: see ``DatasetSource.load``.
        image_folder: see ``DatasetSource.load``.
        on_error: with ``skip``, a row that holds no problem is a warning instead of an error, and
            so is a problem that appears again in a later split: ``DatasetSource`` leaves both out.

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
    sizes = sorted(((image.width, image.height) for image in images.values()), key=prod)
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
        text_only=sum(not row.images for row in rows),
        sides=_histogram(map(max, sizes)),
        image_sizes=tuple(sizes[place] for place in (0, len(sizes) // 2, -1)) if sizes else (),
        blind=_blind_accuracy(labelled),
        findings=tuple(
            sorted(_findings(audit, splits, on_error), key=lambda finding: finding.level)
        ),
    )


def _findings(audit: Audit, splits: Sequence[Split], on_error: OnError) -> Iterable[Finding]:
    rows = audit.rows
    level: Level = "error" if on_error == "raise" or not rows else "warning"
    left_out = " and are left out" if level == "warning" else ""
    for kind in ROW_KINDS:
        errors = [str(error) for error in audit.errors if f"{error.kind}s" == kind]
        yield from _finding(
            level, kind, errors, f"rows without a problem that can be posed and checked{left_out}"
        )
    repeated = repeated_in_later_split([row.content for row in rows], splits)
    yield from _finding(
        level,
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
    yield from _hard_to_match(rows)
    yield from _given_away(rows)
    yield from _duplicates(rows)
    yield from _shared_images(rows, splits)
    uses = Counter(row.parsed.id for row in rows if row.parsed.id)
    repeated_ids = [f"id {name!r} {count} times" for name, count in uses.items() if count > 1]
    yield from _finding("warning", "ids", repeated_ids, "ids used more than once")
    unlabelled = [row for row in rows if row.answer is None]
    yield from _finding("warning", "labels", _describe(unlabelled), "problems without an answer")


def _hard_to_match(rows: Sequence[AuditedRow]) -> Iterable[Finding]:
    """Golds that right responses may miss, or wrong ones may meet."""
    yield from _finding(
        "warning",
        "golds",
        _describe([row for row in rows if _is_sentence(row)]),
        "golds that are sentences, which only a response in the same words matches; map the column "
        "with the final answer",
    )
    yield from _finding(
        "warning",
        "golds",
        _describe([row for row in rows if _has_unasked_decimals(row)]),
        "golds with three decimals or more that the question does not ask for; allow for rounding, "
        "such as " + fields_example(tolerance="0.01"),
    )
    yield from _finding(
        "warning",
        "golds",
        _describe([row for row in rows if _is_year_with_tolerance(row)]),
        "golds that look like years and have a tolerance, which neighbouring years meet; "
        + fields_example(tolerance="0"),
    )


def _is_sentence(row: AuditedRow) -> bool:
    gold = row.answer.value if row.answer and row.answer.type == "text" else ""
    words = len(gold.split()) if gold.isascii() else len(gold) // 2  # no blanks in Chinese
    return words > LONGEST_PHRASE or (words > 3 and gold.endswith((".", "。", "!")))


def _has_unasked_decimals(row: AuditedRow) -> bool:
    if row.answer is None or row.answer.type != "number" or row.answer.tolerance:
        return False
    decimals = row.answer.value.partition(".")[2]
    asked = ABOUT_ROUNDING.search(row.parsed.question)
    return len(decimals) > 2 and decimals.isdigit() and not asked


def _is_year_with_tolerance(row: AuditedRow) -> bool:
    gold = row.answer
    return bool(gold and gold.tolerance and YEAR.fullmatch(gold.value) and not gold.unit)


def _given_away(rows: Sequence[AuditedRow]) -> Iterable[Finding]:
    """A letter that is right far more often than it would be by chance."""
    with_options = [row for row in rows if row.parsed.choices and row.answer]
    letters = Counter(filter(None, map(_letter, with_options)))
    if letters.total() < FEW_CHOICES:
        return
    letter, count = letters.most_common(1)[0]
    by_chance = sum(1 / len(row.parsed.choices) for row in with_options) / len(with_options)
    if count / letters.total() > min(0.9, by_chance + 0.3):
        given = [row for row in with_options if _letter(row) == letter]
        yield from _finding(
            "warning",
            "choices",
            _describe(given),
            f"golds given away by one letter: always answering {letter} is right for "
            f"{count / letters.total():.0%} of the problems with options; shuffle the options",
        )


def _letter(row: AuditedRow) -> str | None:
    choices, gold = row.parsed.choices, row.answer
    return LETTERS[choices.index(gold.value)] if gold and gold.value in choices else None


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
    again = _images_in_another_encoding(rows, splits)
    yield from _finding(
        "warning",
        "leakage",
        _describe(again),
        "problems about an image that an earlier split seems to show in another encoding",
    )


def _images_in_another_encoding(
    rows: Sequence[AuditedRow], splits: Sequence[Split]
) -> list[AuditedRow]:
    """Problems of a later split with a thumbnail almost equal to that of another image."""
    earlier: dict[tuple[int, ...], list[tuple[int, str, NDArray[np.int16]]]] = defaultdict(list)
    found: list[AuditedRow] = []
    order = sorted(zip(rows, splits, strict=True), key=lambda pair: SPLITS.index(pair[1]))
    for row, split in order:
        is_again = False
        for image in row.images:
            shades = np.frombuffer(bytes.fromhex(image.thumbnail), np.uint8).astype(np.int16)
            if shades.std() < FLAT:
                continue
            halves = (shades[: shades.size // 2], shades.reshape(-1, 2)[:, 0], shades)
            key = [int(part.mean()) // 4 for part in halves]
            shape = round(50 * image.width / image.height)
            near = (
                pair
                for steps in product((-1, 0, 1), repeat=len(key))
                for pair in earlier.get((shape, *map(sum, zip(key, steps, strict=True))), ())
            )
            is_again |= any(
                SPLITS.index(split) > place
                and digest != image.digest
                and np.abs(shades - other).max() <= MOST_DIFFERENCE
                for place, digest, other in near
            )
            alike = earlier[shape, *key]
            if len(alike) < MOST_ALIKE:
                alike.append((SPLITS.index(split), image.digest, shades))
        found += [row] if is_again else []
    return found


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
    letters = Counter(filter(None, map(_letter, labelled)))
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
