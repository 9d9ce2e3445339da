"""Stored responses under other panels, weights and rules: and what would be selected."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from failing_runs import MAJORITY
from rich.console import Console
from tiny_runs import TINY

from mstar.experiments.cli.main import main
from mstar.experiments.evaluation.rescore import rescore_run
from mstar.experiments.evaluation.rescore_options import RescoreOptions
from mstar.experiments.run import train as training
from mstar.experiments.run.run_folder import RunFolder, read_rollouts
from mstar.rewards import RULES
from mstar.rewards.base import ScoreTable

PANEL = ("correctness", "random", "brevity")


@pytest.fixture(scope="module")
def runs(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One with labels, and one that learned from votes."""
    folder = tmp_path_factory.mktemp("runs")
    labelled = TINY.replace(panel=PANEL, selection="top-k", keep=1, samples=4, rounds=2)
    votes = TINY.replace(**{**MAJORITY, "rounds": 1, "guards": "watch"})
    made = {"labelled": labelled, "votes": votes}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "test_run", lambda *_: None)
        patch.setattr(training, "write_report", lambda *_: None)
        for name, recipe in made.items():
            training.train(recipe.replace(model=model), folder / name, Console(quiet=True))
    return {name: folder / name for name in made}


def stored(run: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((run / "rollouts").iterdir()) for row in read_rollouts(path)]


@pytest.mark.parametrize("name", ["labelled", "votes"])
def test_the_runs_own_panel_changes_nothing(runs: dict[str, Path], name: str) -> None:
    recipe = RunFolder(runs[name]).recipe()
    options = RescoreOptions(
        runs[name], panel=tuple(recipe.rewards.panel), rank=recipe.selection.rank
    )
    summary = rescore_run(options)
    assert sum(r.selected for r in summary.rounds) > 0
    assert [(r.dropped, r.added) for r in summary.rounds] == [(0, 0)] * len(summary.rounds)
    table = pq.read_table(runs[name] / "rescored.parquet").to_pylist()
    np.testing.assert_allclose([r["reward"] for r in table], [r["reward_before"] for r in table])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_applied_to_the_stored_scores(
    runs: dict[str, Path], tmp_path: Path, rule: str
) -> None:
    out = tmp_path / "table.parquet"
    weights = (1.0, 0.5, 2.0)
    options = RescoreOptions(runs["labelled"], PANEL, weights, rule, out=out)
    summary = rescore_run(options)
    rows = stored(runs["labelled"])
    found = pq.read_table(out).to_pylist()
    expected: list[float] = []
    for number in (1, 2):
        own = [row for row, new in zip(rows, found, strict=True) if new["round"] == number]
        scores = np.array([[row[f"score/{name}"] for name in PANEL] for row in own], np.float32)
        table = ScoreTable(PANEL, scores, tuple(row["problem"] for row in own))
        told = {"gate": "random"} if rule == "gated" else {}
        told = {"outcome": "random"} if rule == "outcome_anchor" else told
        made: Any = RULES[rule]
        expected += made(table, dict(zip(PANEL, weights, strict=True)), **told).tolist()
    np.testing.assert_allclose([row["reward"] for row in found], expected)
    (told_again,) = [json.loads(out.with_suffix(".json").read_text())]
    assert told_again == summary.as_json()


def test_another_rank_selects_other_responses_and_counts_them(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["rescore", str(runs["labelled"]), "--panel", "random", "self_certainty"]
    words += ["--rank", "self_certainty"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    rows = pq.read_table(runs["labelled"] / "rescored.parquet").to_pylist()
    dropped = sum(row["kept_before"] and not row["kept"] for row in rows)
    added = sum(row["kept"] and not row["kept_before"] for row in rows)
    assert dropped > 0
    before = sum(row["kept_before"] for row in rows)
    assert f"{dropped} of {before} selections would go and {added} would come" in said[-2]
    for number, problem in {(row["round"], row["problem"]) for row in rows}:
        group = [row for row in rows if (row["round"], row["problem"]) == (number, problem)]
        passed = [row["score/self_certainty"] for row in group if row["score/random"] == 1.0]
        kept = [row["score/self_certainty"] for row in group if row["kept"]]
        assert kept == ([max(passed)] if passed else [])


def test_the_parameters_of_rules_can_be_set(runs: dict[str, Path]) -> None:
    options = RescoreOptions(runs["labelled"], PANEL, rule="mean_minus_std", penalty=0.0)
    none = [r.reward for r in rescore_run(options).rounds]
    plain = [
        r.reward for r in rescore_run(replace(options, rule="weighted_sum", penalty=None)).rounds
    ]
    assert none == pytest.approx(plain)
    more = [r.reward for r in rescore_run(replace(options, penalty=1.0)).rounds]
    assert all(one < other for one, other in zip(more, none, strict=True) if one and other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "gated", "penalty": 1.0}, "'gated' takes no penalty; that is for mean_minus_std"),
        ({"dead_band": 0.1}, "that is for normalise_then_sum and outcome_anchor"),
        ({"weights": (1.0,)}, "1 weights are given"),
        ({"again": ("process",)}, "score again"),
        ({"gate": "correctnes"}, "unknown score 'correctnes'; did you mean 'correctness'"),
        ({"rank": "certainty"}, "unknown score 'certainty'"),
        (
            {"rank": "formt"},
            "unknown score 'formt'.*--panel can name others; did you mean 'format'",
        ),
        ({"panel": ("brevity",), "rule": "gated"}, "needs the score 'random', and the panel is"),
    ],
)
def test_options_that_do_not_fit_are_named(
    runs: dict[str, Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        rescore_run(replace(RescoreOptions(runs["labelled"], PANEL), **changes))


def test_a_stored_recipe_without_the_verifier_is_refused_with_a_remedy(tmp_path: Path) -> None:
    recipe = {"panel": ["format", "random"], "gate": "format", "rank": "random"}
    (tmp_path / "recipe.json").write_text(json.dumps({"recipe": recipe}))
    for words in (["rescore"], ["report"], ["evaluate"]):
        assert main([*words, str(tmp_path)]) == 1
