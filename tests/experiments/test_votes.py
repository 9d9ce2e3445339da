"""Votes on stored responses, judged by the labels that they are not shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rollout_doubles import rollout
from tiny_runs import TINY

from mstar.agents.types import Rollout
from mstar.experiments.evaluation.votes import Voted, vote_on, voted, votes_table
from mstar.experiments.run import train as training
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder, read_rollouts
from mstar.experiments.run.stored_rollouts import rollouts_of


def group(*answers: int) -> list[Rollout]:
    return [rollout(text=f"{n} is what I see.\nAnswer: {n}", certainty=1.0) for n in answers]


def test_a_vote_is_right_where_the_label_says_so() -> None:
    assert vote_on(group(3, 3, 3, 3), "guarded", "certainty") == Voted(1.0, 1.0)
    assert vote_on(group(4, 4, 4, 3), "vote", "certainty") == Voted(0.25, 0.0)
    assert vote_on(group(4, 4, 3, 3), "guarded", "certainty") == Voted(0.5, None)


def test_a_response_that_does_not_count_has_no_vote_and_is_not_right() -> None:
    cut = [replace(each, counts=False) for each in group(4, 4, 4)]
    assert vote_on([*cut, *group(3)], "vote", "certainty") == Voted(0.25, 1.0)


@pytest.fixture(scope="module")
def run(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    recipe = TINY.replace(model=model, rounds=1, samples=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "test_run", lambda *_: None)
        patch.setattr(training, "write_report", lambda *_: None)
        training.train(recipe, folder, Console(quiet=True))
    return folder


def test_every_problem_of_a_run_is_voted_on(run: Path) -> None:
    rows = voted(run)
    (stored,) = (run / "rollouts").glob("*.parquet")
    responses = read_rollouts(stored)
    problems = {row["problem"] for row in responses}
    assert len(rows) == 3 * len(problems)
    (line,) = votes_table(rows).splitlines()[2:]
    right = sum(bool(row["oracle"]) for row in responses) / len(responses)
    assert line.startswith(f"| 1 | {100 * right:.1f} [")
    assert line.endswith(f"| {len(problems)} |")


def test_a_stored_response_that_was_cut_off_does_not_count(run: Path) -> None:
    (stored,) = (run / "rollouts").glob("*.parquet")
    first, second, *_ = read_rollouts(stored)
    rows = [{**first, "finished": True}, {**second, "finished": False}]
    task = open_task(RunFolder(run).recipe().replace(unfinished="nothing"), "train")
    assert [each.counts for each in rollouts_of(rows, task)] == [True, False]
