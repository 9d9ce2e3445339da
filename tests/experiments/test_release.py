"""A run is held against limits, and says where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mstar.experiments.audit.errors import AuditSummary, JudgeError, Share
from mstar.experiments.release.limits import (
    LIMITS,
    Facts,
    Measured,
    outcome_of,
    read_limits,
    together,
)
from mstar.experiments.release.provenance import without_paths
from mstar.experiments.report.summary import Comparison, Summary
from mstar.experiments.run.launches import times
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.stats import Estimate


def estimated(mean: float, half: float) -> Estimate:
    return Estimate(mean, mean - half, mean + half, 200, 1)


def facts(audit: AuditSummary | None = None) -> Facts:
    compared = [
        Comparison(group, metric, estimated(0.4, 0.05), estimated(0.8, 0.05), estimated(gain, 0.05))
        for group, gain in (("trained", 0.4), ("harder", 0.1), ("not trained", -0.1))
        for metric in ("greedy", "pass@1", "pass@k")
    ]
    last = {
        "plan": {"temperature": 1.0},
        "cost": {"seconds": 100.0, "tokens": 5000, "flops": 1e12},
        "dynamics": {"spread": {"1.0": {"confidence": {"ece": 0.1}}}, "drift": 0.2},
        "alarms": [{"name": "drift"}],
        "cut": 0.01,
    }
    return Facts(Summary(tuple(compared)), [last], audit)


def audited(wrong: float, n: int) -> AuditSummary:
    judge = JudgeError("correctness", Share(wrong, wrong / 2, wrong * 2, n), None, None, 0.9, None)
    return AuditSummary({"ann": n}, {}, n, 0, None, Share(0.0, 0.0, 0.05, n), (judge,), ())


@pytest.mark.parametrize(
    ("measured", "bound", "least", "expected"),
    [
        (Measured(0.8, 0.75, 0.85, 9), 0.7, True, "kept"),
        (Measured(0.8, 0.75, 0.85, 9), 0.8, True, "cannot tell"),
        (Measured(0.8, 0.75, 0.85, 9), 0.9, True, "broken"),
        (Measured(0.1, 0.05, 0.15, 9), 0.2, False, "kept"),
        (Measured(0.1, 0.05, 0.15, 9), 0.1, False, "cannot tell"),
        (Measured(0.1, 0.05, 0.15, 9), 0.04, False, "broken"),
        (Measured(3, 3, 3), 3, False, "kept"),
        (None, 0.0, True, "cannot tell"),
        (Measured(float("nan"), float("nan"), float("nan")), 0.0, True, "cannot tell"),
    ],
)
def test_a_limit_is_kept_or_broken_by_the_whole_interval(
    measured: Measured | None, bound: float, least: bool, expected: str
) -> None:
    assert outcome_of(measured, bound, least) == expected


def test_the_worst_limit_decides() -> None:
    assert together(["kept", "cannot tell", "broken"]) == "broken"
    assert together(["kept", "cannot tell"]) == "cannot tell"
    assert together(["kept"]) == "kept"


def test_every_limit_measures_what_it_says() -> None:
    found = {name: limit.measure(facts(audited(0.04, 90))) for name, limit in LIMITS.items()}
    values = {name: each and each.value for name, each in found.items()}
    assert values == {
        "greedy_at_least": 0.8,
        "pass_1_at_least": 0.8,
        "gain_at_least": 0.4,
        "gain_elsewhere_at_least": -0.1,  # the worst of the others
        "calibration_error_at_most": 0.1,
        "cut_at_most": 0.01,
        "verifier_error_at_most": 0.04,
        "verifier_fooled_at_most": None,  # nobody looked at one that it calls right
        "bad_reference_at_most": 0.0,
        "audited_at_least": 90,
        "drift_at_most": 0.2,
        "alarms_at_most": 1,
        "seconds_at_most": 100.0,
        "tokens_at_most": 5000,
        "flops_at_most": 1e12,
    }


def test_without_an_audit_the_verifier_cannot_be_told() -> None:
    assert LIMITS["verifier_error_at_most"].measure(facts()) is None
    assert LIMITS["audited_at_least"].measure(facts()) == Measured(0, 0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("greedy_atleast: 0.8", "did you mean 'greedy_at_least'"),
        ("greedy_at_least: high", "must be a number, got 'high'"),
        ("greedy_at_least: true", "must be a number, got True"),
        ("", "sets no limit"),
        ("- 3", "sets no limit"),
        ("a: [", "is not a YAML file"),
    ],
)
def test_a_file_of_limits_that_says_nothing_usable_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"limits\.yaml") as raised:
        read_limits(path)
    assert message in str(raised.value)


def test_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(json.dumps({"greedy_at_least": 0.8, "alarms_at_most": 0}))  # JSON is YAML
    assert read_limits(path) == {"greedy_at_least": 0.8, "alarms_at_most": 0.0}


def test_a_run_of_an_older_version_tells_no_times(tmp_path: Path) -> None:
    assert times(RunFolder(tmp_path)) == {"started": None, "ended": None, "resumed": []}


def test_paths_of_this_machine_are_cut_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    file = tmp_path / "charts" / "problems.jsonl"
    file.write_text("")
    settings = {"env": str(file), "fields": [f"image_folder={tmp_path}/charts", "answer=a/b"]}
    assert without_paths(settings) == {
        "env": "charts/problems.jsonl",
        "fields": ["image_folder=charts", "answer=a/b"],
    }
