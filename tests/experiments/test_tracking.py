"""Experiment trackers get every figure once, at its round, and never end a run."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from rich.console import Console
from tiny_runs import TINY

from mstar.experiments.evaluation.out_of_domain import OutOfDomain
from mstar.experiments.rows import read_rows
from mstar.experiments.run import tracking
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.tracking import Tracking, check_trackers, figures
from mstar.experiments.run.train import load_policy, train


class Double(GeneralTracker):  # type: ignore[misc]
    """Keeps what it is sent."""

    name = "double"
    requires_logging_directory = False
    calls: ClassVar[list[tuple[int, dict[str, Any]]]] = []
    settings: ClassVar[list[dict[str, Any]]] = []
    fails_at: ClassVar[int | None] = None
    finished: ClassVar[int] = 0

    def __init__(self, project: str) -> None:
        super().__init__()
        assert project == "mstar"

    @property
    def tracker(self) -> Double:
        return self

    def start(self) -> None:
        print("a tracker that talks")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.settings.append(values)

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        assert step is not None
        if step == self.fails_at:
            raise ConnectionError("no route to host\nand much more")
        self.calls.append((step, values))

    def finish(self) -> None:
        type(self).finished += 1


@pytest.fixture(scope="module")
def tracked(model: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The folder of a run with a tracker, and what the tracker was sent."""
    out = tmp_path_factory.mktemp("tracked") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOGGER_TYPE_TO_CLASS, "double", Double)
        patch.setattr(Double, "calls", calls := [])
        recipe = TINY.replace(model=model, rounds=2, test_env=("Dice", "Clock"))
        train(recipe, out, Console(quiet=True), track=["double"])
    return out, calls


@pytest.fixture
def folder(
    tracked: tuple[Path, list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunFolder:
    """A copy of that run, for trackers that start anew or go on."""
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "double", Double)
    monkeypatch.setattr(Double, "calls", [])
    monkeypatch.setattr(Double, "settings", [])
    shutil.copytree(tracked[0], tmp_path / "run")
    return RunFolder(tmp_path / "run")


def opened(folder: RunFolder, names: list[str], said: list[str] | None = None) -> Tracking:
    task = open_task(folder.recipe(), "train")
    return Tracking(names, folder, task, [].extend if said is None else said.extend)


def test_a_run_sends_every_number_of_its_rows_at_the_rounds_number(
    tracked: tuple[Path, list[Any]],
) -> None:
    folder, calls = tracked
    rows = read_rows(folder / "rounds.jsonl")
    assert [step for step, _ in calls] == [0, 1, 2, 2]
    for (_, values), row in zip(calls[:3], rows, strict=True):
        assert figures(row).items() <= values.items()
    sent, row = calls[1][1], rows[1]
    assert sent["tuned/loss"] == row["tuned"]["loss"]
    assert sent["cost/tokens"] == row["cost"]["tokens"]
    assert sent["dynamics/spread/pass_k"] == row["dynamics"]["spread"]["1.0"]["pass_k"]
    assert not any(name.startswith("state/") for name in sent)
    assert {"test trained/greedy base", "test trained/pass_1 gain"} <= calls[3][1].keys()


def test_further_environments_are_tested_after_every_round_and_at_the_end(
    tracked: tuple[Path, list[Any]], model: str
) -> None:
    folder, calls = tracked
    rows = read_rows(folder / "out_of_domain.jsonl")
    assert [(row["round"], row["env"]) for row in rows] == [
        (number, env) for number in range(3) for env in ("Dice", "Clock")
    ]
    assert {row["n"] for row in rows} == {TINY.evaluation.validation_problems}
    assert calls[2][1]["test Clock/greedy"] == rows[5]["greedy"]
    tested = {row["group"] for row in read_rows(folder / "evaluation.jsonl")}
    assert {"trained", "Dice", "Clock"} <= tested
    assert "--test-env" in (folder / "report.html").read_text()
    # A run that was killed before a round was tested tests it when it goes on; the base is known.
    run, recipe = RunFolder(folder), RunFolder(folder).recipe()
    (folder / "out_of_domain.jsonl").write_text("".join(map(json_line, rows[2:])))
    asked = recipe.replace(test_env=("Dice", "Clock"))  # by the same command
    again = OutOfDomain(asked, run).test(load_policy(recipe, device="cpu"), 0)
    assert again == rows[:2]
    assert OutOfDomain(asked, run).test(None, 0) == again  # type: ignore[arg-type]


def json_line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def test_a_killed_run_goes_on_in_the_tracker_where_it_was(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.path / "tracking.json").unlink()
    rows = (folder.path / "rounds.jsonl").read_text().splitlines(keepends=True)
    evaluation = folder.path / "evaluation.jsonl"
    evaluation.rename(folder.path / "later")
    (folder.path / "rounds.jsonl").write_text("".join(rows[:2]))
    monkeypatch.setitem(tracking.CONTINUED, "double", lambda *_: {})  # its runs can go on
    first = opened(folder, ["double"])
    first.update()
    (folder.path / "rounds.jsonl").write_text("".join(rows))
    (folder.path / "later").rename(evaluation)
    second = opened(folder, ["double"])
    second.update()
    second.update()
    assert second.run == first.run
    assert [step for step, _ in Double.calls] == [0, 1, 2, 2]
    assert len(Double.settings) == 1
    assert Double.settings[0]["rounds"] == 2


def test_a_tracker_whose_runs_cannot_go_on_gets_all_rounds_again(folder: RunFolder) -> None:
    opened(folder, ["double"]).update()
    assert [step for step, _ in Double.calls] == [0, 1, 2, 2]


def test_a_tracker_that_fails_is_left_out_with_one_warning(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Double, "fails_at", 1)
    monkeypatch.setitem(tracking.CONTINUED, "double", lambda *_: {})
    (folder.path / "tracking.json").unlink()
    failing = opened(folder, ["double"], said)
    said.clear()
    failing.update()
    failing.update()
    failing.close()
    (line,) = said
    assert "double failed and is left out, no route to host;" in line
    assert [step for step, _ in Double.calls] == [0]
    monkeypatch.setattr(Double, "fails_at", None)
    opened(folder, ["double"]).update()
    assert [step for step, _ in Double.calls] == [0, 1, 2, 2]


def test_a_tracker_that_does_not_start_ends_the_command(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: Double) -> None:
        raise RuntimeError("log in first")

    monkeypatch.setattr(Double, "start", start)
    with pytest.raises(ValueError, match="double does not start: log in first"):
        opened(folder, ["double"])


def test_a_tracker_prints_nothing_where_results_are_printed(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(folder, ["double"]).close()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "a tracker that talks" in printed.err


def test_unknown_and_missing_trackers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "get_available_trackers", list)
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        check_trackers(["tensorbord"])
    with pytest.raises(ValueError, match="pip install trackio"):
        check_trackers(["trackio"])
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "double", Double)
    check_trackers(["double", "my_module:MyTracker"])


@pytest.mark.parametrize("kind", ["trackio", "wandb"])
def test_a_table_shows_responses_with_their_images(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    tables: list[Any] = []
    module = SimpleNamespace(Image=np.asarray, Table=lambda data: data)
    monkeypatch.setitem(sys.modules, kind, module)
    monkeypatch.setitem(tracking.RESPONSES, "double", tracking.RESPONSES[kind])
    monkeypatch.setattr(
        Double,
        "log_table",
        lambda _, name, columns, data, step: tables.append(
            (step, [dict(zip(columns, row, strict=True)) for row in data])
        ),
        raising=False,
    )
    opened(folder, ["double"]).update()
    tables += [
        (step, values["responses"]) for step, values in Double.calls if "responses" in values
    ]
    assert [step for step, _ in tables] == [1, 2]  # nothing was sampled before round 1
    rows = tables[0][1]
    assert len({row["problem"] for row in rows}) == len(rows) == 4
    assert rows[0]["image 1"].shape == (96, 96, 3)
    assert {"question", "response", "reference", "correct", "reward", "kept"} < rows[0].keys()


def test_tensorboard_shows_figures_responses_and_images(folder: RunFolder) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = opened(folder, ["tensorboard"])
    tracker.update()
    tracker.close()
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("dynamics/greedy")] == [0, 1, 2]
    assert [event.step for event in events.Images("responses/0")] == [1, 2]
    assert "responses/3/text_summary" in events.Tags()["tensors"]
