"""What is said of runs without a label comes from rows that are stored."""

import pytest
from stored_results import RESULTS, packed

from mstar.experiments.evaluation.compare import gain_table
from mstar.experiments.evaluation.evaluate import METRICS, gain
from mstar.experiments.rows import Row

UNLABELLED = RESULTS / "no-labels"
NAMES = ("vote-watch", "vote-act", "guarded-watch", "guarded-act")
RUNS = {arm: [f"{arm}-seed-{seed}" for seed in range(3)] for arm in NAMES}


@pytest.mark.parametrize("arm", NAMES)
def test_the_tables_of_runs_without_labels_are_what_the_stored_rows_give(arm: str) -> None:
    card = (UNLABELLED / "README.md").read_text()
    tested = [packed("no-labels")[f"{run}/evaluation.jsonl"] for run in RUNS[arm]]
    assert all(line in card for line in gain_table(tested).splitlines())


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("arm", "other"),
    [
        ("vote-act", "vote-watch"),
        ("guarded-act", "guarded-watch"),
        ("guarded-watch", "vote-watch"),
        ("guarded-act", "vote-act"),
    ],
)
def test_what_guards_are_worth_without_labels_is_what_the_stored_rows_give(
    arm: str, other: str, metric: str
) -> None:
    change = gain(ends(other), ends(arm), metric)
    line = (
        f"| {arm} - {other} | {metric} | {100 * change.mean:+.1f} [{100 * change.low:+.1f}, "
        f"{100 * change.high:+.1f}] | {change.n} | {change.runs} |"
    )
    assert line in (UNLABELLED / "README.md").read_text(), line


def test_the_findings_say_what_acting_is_worth_without_labels() -> None:
    change = gain(ends("guarded-watch"), ends("guarded-act"), "greedy")
    worth = f"{100 * change.mean:+.1f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}] points"
    assert worth in " ".join((RESULTS / "README.md").read_text().split())


def ends(arm: str) -> list[list[Row]]:
    """The rows of the evolved policies on problems of the trained families, by run."""
    return [
        [
            row
            for row in packed("no-labels")[f"{run}/evaluation.jsonl"]
            if (row["group"], row["policy"]) == ("trained", "evolved")
        ]
        for run in RUNS[arm]
    ]


@pytest.mark.parametrize("run", [run for arm in NAMES for run in RUNS[arm]])
def test_a_failing_run_without_labels_raises_an_alarm(run: str) -> None:
    """Where the majority is believed beyond what is right, an alarm stands in the rows."""
    rows = packed("no-labels")[f"{run}/rounds.jsonl"]
    (stored,) = packed("no-labels")[f"{run}/recipe.json"]
    assert stored["recipe"]["unlabelled"] == 1.0
    start = over(rows[0])
    far = [row for row in rows if over(row) - start > max(0.15, 2 * (0.5 / 120) ** 0.5)]
    raised = [row for row in rows if "over-confidence" in {a["name"] for a in row["alarms"]}]
    assert raised == far
    assert raised
    acting = "-act-" in run
    for row in raised:
        (alarm,) = (a for a in row["alarms"] if a["name"] == "over-confidence")
        assert alarm["acted"] == (row["back_to"] is not None)
        assert alarm["acted"] or not acting or alarm["why_not"]
        assert not alarm["acted"] or acting


def over(row: Row) -> float:
    majority: Row = row["dynamics"]["spread"]["1.0"]["majority"]
    return float(majority["said"] - majority["right"])
