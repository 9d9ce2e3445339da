"""A check of a data set before anything is trained on it: what it holds and what is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mstar.envs.datasets.audit import Entry, Reading, Source, read
from mstar.envs.datasets.field_map import AnswerForm
from mstar.envs.datasets.options import LETTERS, resolve, taken_for_letters
from mstar.envs.datasets.source import FROM_0
from mstar.envs.datasets.splits import divide, repeated
from mstar.envs.datasets.validation_report import Counts, Finding, Level, Report
from mstar.envs.families.base import SPLITS
from mstar.envs.problem import Split

SIDES = (112, 224, 448, 896, 1792)  # pixels: upper ends of the histogram of longer sides
EXAMPLES = 5  # rows that a finding names


def validate_source(
    source: Source, fields: str | Mapping[str, Any] | None = None, pictures: str | None = None
) -> Report:
    """Read a whole data set, decode every picture and check every gold.

    Args:
        source: as for ``DatasetSource.load``.
        fields: likewise.
        pictures: likewise.

    Raises:
        ValueError: it can't be read at all: a broken line, or columns that can't be told.
    """
    reading = read(source, fields, pictures)
    entries = reading.entries
    own = [entry.draft.split for entry in entries]
    splits = divide([entry.content for entry in entries], own)
    labelled = [entry for entry in entries if entry.answer is not None]
    bad_golds = sum(fault.kind == "gold" for fault in reading.faults)
    seen = {picture.digest: picture for entry in entries for picture in entry.seen}
    given = {key: value for key, value in asdict(reading.fields).items() if value}
    return Report(
        name=reading.name,
        fields={key: value for key, value in given.items() if key != "answer_form"},
        answer_form=reading.form,
        rows=len(entries) + len(reading.faults),
        problems=len(entries),
        splits=dict(Counter(splits)),
        own_splits=all(o == "test" for o, s in zip(own, splits, strict=True) if s == "test"),
        types=dict(Counter(e.answer.type if e.answer else "" for e in entries)),
        gold_rate=len(labelled) / checked if (checked := len(labelled) + bad_golds) else None,
        pictures=len(seen),
        sides=_histogram(max(picture.width, picture.height) for picture in seen.values()),
        blind=_blind(labelled),
        findings=tuple(sorted(_findings(reading, splits), key=lambda found: found.level)),
    )


def _findings(reading: Reading, splits: Sequence[Split]) -> Iterable[Finding]:
    entries = reading.entries
    for kind in ("row", "picture", "gold"):
        faults = [str(fault) for fault in reading.faults if fault.kind == kind]
        yield from _finding(
            "error", f"{kind}s", faults, "rows without a problem that can be checked"
        )
    contents = [entry.content for entry in entries]
    leaks = [e for e, twice in zip(entries, repeated(contents, splits), strict=True) if twice]
    yield from _finding(
        "error",
        "leakage",
        _named(leaks),
        "problems asked again in a later split, and therefore left out of the earlier one",
    )
    doubtful = _doubtful(entries, reading.form)
    yield from _finding(
        "error",
        "choices",
        _named(doubtful),
        "golds that are one option as a text and another as a letter",
    )
    lettered = [entry for entry in entries if _is_lettered_twice(entry)]
    yield from _finding(
        "error",
        "choices",
        _named(lettered),
        "options that are letters themselves and stand in the question with other letters",
    )
    if reading.doubt:
        among = [entry for entry in entries if entry.draft.choices and entry.answer]
        yield from _finding("error", "choices", _named(among), FROM_0)
    letters = [entry for entry in entries if _is_lone_letter(entry)]
    yield from _finding(
        "warning", "choices", _named(letters), "golds that are a letter, and no options are found"
    )
    yield from _repetitions(entries)
    yield from _shared_pictures(entries, splits)
    uses = Counter(entry.draft.id for entry in entries if entry.draft.id)
    same = [f"id {name!r} {count} times" for name, count in uses.items() if count > 1]
    yield from _finding("warning", "ids", same, "ids used more than once")
    bare = [entry for entry in entries if entry.answer is None]
    yield from _finding("warning", "labels", _named(bare), "problems without a gold")


def _repetitions(entries: Sequence[Entry]) -> Iterable[Finding]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.content.key].append(entry)
    again = [group for group in groups.values() if len(group) > 1]
    torn = [group for group in again if len({str(e.answer) for e in group}) > 1]
    yield from _finding(
        "warning", "duplicates", _joined(again), "problems that are there repeatedly"
    )
    yield from _finding(
        "warning", "duplicates", _joined(torn), "problems that are there with different golds"
    )


def _shared_pictures(entries: Sequence[Entry], splits: Sequence[Split]) -> Iterable[Finding]:
    where: dict[str, set[Split]] = defaultdict(set)
    for entry, split in zip(entries, splits, strict=True):
        for picture in entry.content.pictures:
            where[picture].add(split)
    shared = [
        entry
        for entry, split in zip(entries, splits, strict=True)
        if any(
            SPLITS.index(other) < SPLITS.index(split)
            for picture in entry.content.pictures
            for other in where[picture]
        )
    ]
    yield from _finding(
        "warning", "leakage", _named(shared), "problems about a picture of an earlier split"
    )


def _doubtful(entries: Sequence[Entry], form: AnswerForm) -> list[Entry]:
    """Golds that mean two options, unless the others tell whether golds are texts or letters."""
    chosen = [entry for entry in entries if entry.draft.choices and entry.draft.gold]
    unclear = [entry for entry in chosen if len(_places(entry)) > 1]
    clear = [entry.draft for entry in chosen if len(_places(entry)) == 1]
    told = clear and all(resolve(one.gold, one.choices, form) is not None for one in clear)
    return [] if told else unclear


def _places(entry: Entry) -> set[int]:
    """The options that the gold may mean."""
    one = entry.draft
    found = {resolve(one.gold, one.choices, form) for form in ("text", "letter")}
    return {place for place in found if place is not None}


def _is_lettered_twice(entry: Entry) -> bool:
    one = entry.draft
    return taken_for_letters(one.choices) and entry.content.question == one.question


def _is_lone_letter(entry: Entry) -> bool:
    gold = entry.draft.gold
    return not entry.draft.choices and len(gold) == 1 and gold in LETTERS[:8]


def _blind(labelled: Sequence[Entry]) -> dict[str, float]:
    """What is right without looking at the picture or the question."""
    golds = Counter(entry.answer.value.casefold() for entry in labelled if entry.answer)
    letters = Counter(
        LETTERS[entry.draft.choices.index(entry.answer.value)]
        for entry in labelled
        if entry.answer and entry.draft.choices
    )
    counts = (("commonest answer", golds), ("commonest letter", letters))
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


def _named(entries: Sequence[Entry]) -> list[str]:
    return [f"{e.draft.where}: {e.content.question!r:.80}, {e.draft.gold!r:.40}" for e in entries]


def _joined(groups: Sequence[Sequence[Entry]]) -> list[str]:
    return [" and ".join(entry.draft.where for entry in group[:4]) for group in groups]
