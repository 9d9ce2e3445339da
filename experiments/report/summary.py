"""Base against evolved policy, by group of test problems and metric."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mstar.experiments.evaluation.evaluate import METRICS, gain, values
from mstar.experiments.markdown import interval
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import Estimate, estimate


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of base and evolved on the same problems."""

    group: str
    metric: str
    base: Estimate
    evolved: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run."""

    comparisons: tuple[Comparison, ...]

    def text(self) -> str:
        """One line per metric, for the terminal."""
        return "\n".join(
            f"{c.group:12} {c.metric:7} {100 * c.base.mean:5.1f} % -> {100 * c.evolved.mean:5.1f} %"
            f"   {100 * c.gain.mean:+.1f} points {interval(c.gain, '+')}   n = {c.gain.n}"
            for c in self.comparisons
        )

    def as_json(self) -> list[Row]:
        """The same as JSON values."""
        return [asdict(comparison) for comparison in self.comparisons]


def summarise(folder: RunFolder) -> Summary:
    """Base against evolved for each group of test problems and each metric.

    Raises:
        ValueError: the run has not been tested yet.
    """
    rows = read_rows(folder.path / "evaluation.jsonl")
    if not rows:
        raise ValueError(
            f"{folder.path} has no evaluation yet; run `mstar train --out {folder.path}` to its end"
        )
    groups = dict.fromkeys(row["group"] for row in rows)
    return Summary(tuple(compare(rows, group, metric) for group in groups for metric in METRICS))


def compare(rows: list[Row], group: str, metric: str, family: str | None = None) -> Comparison:
    """One metric on the test problems of a group, or of one family in it."""
    chosen = [r for r in rows if r["group"] == group and family in (None, r["family"])]
    base = [r for r in chosen if r["policy"] == "base"]
    evolved = [r for r in chosen if r["policy"] == "evolved"]
    return Comparison(
        group if family is None else family,
        metric,
        estimate([values(base, metric)]),
        estimate([values(evolved, metric)]),
        gain([base], [evolved], metric),
    )
