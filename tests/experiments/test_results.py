"""The numbers that README and cards give come from rows that are stored."""

from pathlib import Path

import pytest

from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge
from mstar.experiments.judges.best_of import advantage, advantages, best_of_table
from mstar.experiments.judges.errors import error_table, family_table
from mstar.experiments.judges.label_agreement import agreement_table
from mstar.experiments.rows import read_rows
from mstar.experiments.run.compare import compare_runs, policy_table
from mstar.experiments.run.evaluate import gain

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments" / "results"
RUNS = sorted((RESULTS / "demo").glob("demo-seed-*"))


def test_three_seeds_of_the_demo_are_stored() -> None:
    assert [run.name for run in RUNS] == ["demo-seed-0", "demo-seed-1", "demo-seed-2"]


@pytest.mark.parametrize("line", compare_runs(RUNS).splitlines() if RUNS else [])
def test_the_table_of_the_readme_is_what_the_stored_rows_give(line: str) -> None:
    assert line in (ROOT / "README.md").read_text()


def test_the_table_of_the_embedded_model_is_what_the_stored_rows_give() -> None:
    card = (ROOT / "agents" / "embedded_model" / "README.md").read_text()
    assert policy_table(RUNS, "base") in card


def test_what_the_readme_says_of_guesses_and_reasoning_is_in_the_stored_rows() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    shares = []
    for policy in ("base", "evolved"):
        rows = [r for run in RUNS for r in read_rows(run / "evaluation.jsonl")]
        rows = [row for row in rows if row["policy"] == policy]
        reasoned = [row for row in rows if not row["response"].startswith("Answer")]
        right = sum(row["greedy"] for row in reasoned) / len(reasoned)
        shares.append((len(rows), 1 - len(reasoned) / len(rows), right))
    (n, guessed, right), (_, still, better) = shares
    assert f"{guessed:.0%} of the base's".replace("%", " %") in text
    assert f"{still:.0%} of the evolved".replace("%", " %") in text
    found = f"right in {right:.0%} and the evolved model in {better:.0%}".replace("%", " %")
    assert f"{found} (n = {n:,})" in text


@pytest.mark.parametrize("metric", ["greedy", "pass@1"])
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_every_seed_gains_ten_points_on_unseen_problems(run: Path, metric: str) -> None:
    rows = [row for row in read_rows(run / "evaluation.jsonl") if row["group"] == "trained"]
    base = [row for row in rows if row["policy"] == "base"]
    evolved = [row for row in rows if row["policy"] == "evolved"]
    assert len(base) >= 500
    change = gain([base], [evolved], metric)
    assert change.mean >= 0.1
    assert change.low > 0


def test_the_tables_of_the_step_judge_are_what_the_stored_rows_give() -> None:
    card = (ROOT / "agents" / "step_judge_model" / "README.md").read_text()
    rows = RESULTS / "step_judge"
    errors, best = read_rows(rows / "errors.jsonl"), read_rows(rows / "best_of.jsonl")
    assert {row["seed"] for row in errors} == {row["seed"] for row in best} == {0, 1, 2}
    assert error_table(errors) in card
    assert family_table(errors) in card
    assert family_table(read_rows(rows / "errors_other.jsonl")) in card
    assert best_of_table(best) in card
    assert advantages(best) in card
    assert agreement_table(read_rows(rows / "label_agreement.jsonl")) in card


def test_the_card_names_the_threshold_that_ships() -> None:
    card = (STEP_JUDGE / "README.md").read_text()
    assert f"a line below {StepJudge.load().threshold} counts as an error" in card


def test_the_step_judge_picks_better_than_votes_that_do_not_look() -> None:
    rows = read_rows(RESULTS / "step_judge" / "best_of.jsonl")
    for vote in ("majority", "vote by number of lines"):
        assert advantage(rows, "best by least step", vote).low > 0
