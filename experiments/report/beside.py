"""Two runs side by side: which policy is better, at what cost, and in what the recipes differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mstar.experiments import plots
from mstar.experiments.evaluation.evaluate import METRICS, gain, values
from mstar.experiments.markdown import interval
from mstar.experiments.page import page
from mstar.experiments.report.summary import summarise
from mstar.experiments.report.verdict import Sentence, duration, most_memory, verdict_of
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import Estimate, estimate


@dataclass(frozen=True, slots=True)
class Beside:
    """One metric of two evolved policies.

    Attributes:
        group: of test problems.
        metric: one of ``METRICS``.
        one: of the first run.
        other: of the second.
        difference: the first minus the second, paired by problem; None where they were not tested
            on the same problems.
    """

    group: str
    metric: str
    one: Estimate
    other: Estimate
    difference: Estimate | None


def write_beside(one: RunFolder, other: RunFolder) -> Path:
    """Write ``beside-OTHER.html`` into the folder of the first run; returns its path.

    Raises:
        ValueError: a run has not been tested yet, or the two have no group of test problems in
            common.
    """
    folders = (one, other)
    summaries = [summarise(folder) for folder in folders]
    names = distinct_names(one.path, other.path)
    compared = compare_policies(*(read_rows(each.path / "evaluation.jsonl") for each in folders))
    if not compared:
        raise ValueError(
            f"{one.path} and {other.path} have no group of test problems in common, so that they "
            "cannot be compared; evaluate both with `mstar evaluate RUN RUN --env ENV`"
        )
    rounds = [folder.rounds() for folder in folders]
    settings = [folder.recipe().settings() for folder in folders]
    written = page(
        "report/beside.html.jinja",
        names=names,
        verdict=_verdict(names, compared[0]),
        single=[
            verdict_of(summary, own, None, name)[0]
            for summary, own, name in zip(summaries, rounds, names, strict=True)
        ],
        compared=compared,
        figures={
            metric: Markup(plots.beside(dict(zip(names, rounds, strict=True)), metric))
            for metric in ("greedy", "pass_1")
        },
        costs=[_cost(own) for own in rounds],
        differing={
            name: (_shown(settings[0][name]), _shown(settings[1][name]))
            for name in settings[0]
            if settings[0][name] != settings[1][name]
        },
    )
    path = one.path / f"beside-{other.path.resolve().name}.html"
    path.write_text(written)
    return path


def distinct_names(one: Path, other: Path) -> tuple[str, str]:
    """The names of two folders, with as much of their paths as tells them apart."""
    first, second = one.resolve().parts, other.resolve().parts
    for length in range(1, max(len(first), len(second)) + 1):
        names = "/".join(first[-length:]), "/".join(second[-length:])
        if names[0] != names[1]:
            return names
    raise ValueError(f"{one} and {other} are the same run; give two")


def compare_policies(one: Sequence[Row], other: Sequence[Row]) -> list[Beside]:
    """The evolved policies of two runs, by group and metric; groups that only one has are left out.

    Args:
        one: the test rows of the first run.
        other: those of the second.
    """
    found = []
    for group in dict.fromkeys(row["group"] for row in one):
        own, its = (
            [row for row in rows if row["group"] == group and row["policy"] == "evolved"]
            for rows in (one, other)
        )
        if not its:
            continue
        same = [row["id"] for row in own] == [row["id"] for row in its]
        found += [
            Beside(
                group,
                metric,
                estimate([values(own, metric)]),
                estimate([values(its, metric)]),
                gain([its], [own], metric) if same else None,
            )
            for metric in METRICS
        ]
    return found


def _verdict(names: Sequence[str], first: Beside) -> Sentence:
    accuracy = (
        f"{100 * first.one.mean:.1f} % against {100 * first.other.mean:.1f} % {first.metric} on "
        f"“{first.group}”"
    )
    apart = first.difference
    if apart is None:
        return Sentence(
            f"{accuracy}, on different test problems (n = {first.one.n} and {first.other.n}), so "
            "that a difference cannot be told from chance. Give both the same --seed and --test."
        )
    told = f"{accuracy}: {100 * apart.mean:+.1f} points {interval(apart, '+')}, n = {apart.n}"
    if apart.low > 0:
        return Sentence(f"{names[0]} is better: {told}.", "good")
    if apart.high < 0:
        return Sentence(f"{names[1]} is better: {told}.", "good")
    return Sentence(f"Neither is surely better: {told}.")


def _shown(setting: object) -> str:
    """A setting as on the command line."""
    if isinstance(setting, tuple):
        setting = " ".join(map(str, setting))
    return "none" if setting in ("", None) else str(setting)


def _cost(rounds: Sequence[Row]) -> dict[str, Any]:
    cost = rounds[-1]["cost"]
    return {
        "rounds": rounds[-1]["number"],
        "responses": f"{cost['responses']:,}",
        "tokens": f"{cost['tokens']:,}",
        "FLOP": f"{cost['flops']:.1e}",
        "time": duration(cost["seconds"]),
        "memory": most_memory(rounds),
        "alarms": sum(len(row.get("alarms", ())) for row in rounds),
        "cut off in the last round": f"{100 * (rounds[-1].get('cut') or 0):.1f} %",
    }
