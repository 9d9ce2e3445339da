"""What was found in a data set: as data, and as lines to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning"]
Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with some rows.

    Attributes:
        level: an ``error`` must be mended before training; a ``warning`` should be looked at.
        kind: what it is about: rows, pictures, golds, choices, duplicates, leakage, ids, labels.
        count: of rows.
        message: what is wrong.
        examples: up to five of them.
    """

    level: Level
    kind: str
    count: int
    message: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a data set holds.

    Attributes:
        name: of the set.
        fields: which column was taken for what.
        answer_form: what the golds of problems with options are.
        rows: as many as there are.
        problems: rows that can be asked and checked.
        splits: problems by split.
        own_splits: whether the set says itself what is for testing; else that goes by hash.
        types: problems by type of answer; "" without label.
        gold_rate: share of the labelled rows whose gold verifies against itself; None where there
            are no labels.
        pictures: how many pictures, each counted once.
        sides: pictures by their longer side in pixels.
        blind: accuracy of always giving the commonest answer, and the commonest letter.
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
        """The findings that must be mended before training."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return not self.errors

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {**asdict(self), "ok": self.ok}

    def text(self) -> str:
        """Everything as lines to read."""
        used = ", ".join(f"{key}={value!r}" for key, value in self.fields.items())
        whose = "its own" if self.own_splits else "by hash of what is shown"
        form = (
            f"; the gold among options is its {self.answer_form}" if "choice" in self.types else ""
        )
        rate = self.gold_rate
        golds = "none" if rate is None else f"{rate:.1%} verify against themselves"
        blind = ", ".join(f"{guess} {share:.1%}" for guess, share in self.blind.items())
        lines = [
            f"{self.name}: {self.problems} problems in {self.rows} rows",
            f"  columns   {used}",
            f"  splits    {_counted(self.splits)} ({whose})",
            f"  answers   {_counted(self.types)}{form}",
            f"  golds     {golds}",
            f"  pictures  {self.pictures}; longer side in pixels: {_counted(self.sides)}",
            f"  blind     {blind or 'no labels'}",
        ]
        for finding in self.findings:
            lines.append(f"{finding.level}: {finding.message}: {finding.count}")
            lines += [f"    {example}" for example in finding.examples]
            if finding.count > len(finding.examples):
                lines.append(f"    and {finding.count - len(finding.examples)} more")
        left_out = "leave the rows out with on_error='skip' (--fields on_error=skip)"
        lines.append("ok" if self.ok else f"not ok: mend the errors, or {left_out}")
        return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'no label'} {count}" for name, count in counts.items()) or "none"
