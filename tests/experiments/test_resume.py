"""A run that is killed anywhere and started again is the run that was never killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from failing_runs import MAJORITY
from killed_runs import (
    Arm,
    Killed,
    Result,
    after_fine_tuning,
    after_sampling,
    after_the_commit,
    before_the_rename,
    came_to,
    in_the_middle_of_the_commit,
    raise_at,
    run,
)
from rich.console import Console
from tiny_runs import TINY

from mstar.agents import self_evolving
from mstar.agents.config import Recipe
from mstar.experiments.cli.main import main
from mstar.experiments.run.run_folder import RunFolder


@pytest.fixture(scope="module")
def unbroken(model: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Recipe], Result]:
    """What a run of a recipe comes to when nobody kills it."""
    known: dict[Recipe, Result] = {}

    def result(recipe: Recipe) -> Result:
        if recipe not in known:
            folder = tmp_path_factory.mktemp("unbroken")
            known[recipe] = came_to(run(recipe.replace(model=model), folder / "run"))
        return known[recipe]

    return result


FOLLOWING = {
    "judge_refresh": 1,
    "panel": ("correctness", "random", "process"),
    "rank": "process",
    "selection": "top-k",
}

KILLS: list[tuple[Arm, int, int, dict[str, Any]]] = [
    # where, in which round, how many rows are committed by then, changes to the recipe
    (after_sampling, 1, 1, {}),
    (after_sampling, 2, 2, {}),
    (after_fine_tuning, 2, 2, {}),
    (after_fine_tuning, 3, 3, {"agent": "iterative-rft"}),
    (in_the_middle_of_the_commit, 2, 2, {}),
    (before_the_rename, 1, 1, {}),
    (before_the_rename, 2, 2, {"agent": "rest-em", "controller": "reward-pass@2"}),
    (before_the_rename, 3, 3, {"lora_rank": 2}),
    (after_sampling, 3, 3, FOLLOWING),
    (after_the_commit, 2, 3, {"controller": "reward-pass@2"}),
    (after_the_commit, 2, 3, {"agent": "rest-em", "lora_rank": 2}),
    # From round 2 on the guards take this run back to round 1 each time.
    (after_the_commit, 3, 4, MAJORITY),
    (before_the_rename, 4, 4, MAJORITY),
]


@pytest.mark.parametrize(("arm", "number", "committed", "changes"), KILLS)
def test_a_killed_run_goes_on_to_the_same_end(
    model: str,
    unbroken: Callable[[Recipe], Result],
    tmp_path: Path,
    arm: Arm,
    number: int,
    committed: int,
    changes: dict[str, Any],
) -> None:
    recipe = TINY.replace(**changes)
    with pytest.MonkeyPatch.context() as patch:
        arm(patch, number)
        with pytest.raises(Killed):
            run(recipe.replace(model=model), tmp_path / "run")
    assert len(RunFolder(tmp_path / "run").rounds()) == committed
    resumed = came_to(run(recipe.replace(model=model), tmp_path / "run"))
    expected = unbroken(recipe)
    assert resumed["rows"] == expected["rows"]
    assert resumed["rollouts"] == expected["rollouts"]
    assert resumed["weights"] == expected["weights"]
    assert resumed["folder"] == expected["folder"]


def test_a_run_of_an_older_version_goes_on_with_the_defaults_and_says_so(
    model: str, unbroken: Callable[[Recipe], Result], tmp_path: Path
) -> None:
    recipe = TINY.replace(model=model)
    with pytest.MonkeyPatch.context() as patch:
        after_sampling(patch, 2)
        with pytest.raises(Killed):
            run(recipe, tmp_path)
    stored = json.loads((tmp_path / "recipe.json").read_text())
    del stored["recipe"]["data"]["training_problems"]
    del stored["recipe"]["online"]["kl_coefficient"]
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"another recipe \(different: training_problems\)"):
        run(recipe.replace(pool=9), tmp_path)
    said = io.StringIO()
    resumed = came_to(run(recipe, tmp_path, Console(file=said, width=200)))
    assert (
        "without training_problems, kl_coefficient: going on with the defaults" in said.getvalue()
    )
    expected = unbroken(TINY)
    assert resumed["rows"] == expected["rows"]
    assert resumed["weights"] == expected["weights"]
    stored["recipe"]["from_later"] = 1
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    with pytest.raises(
        ValueError, match=r"another version of mstar \(unknown setting 'from_later'"
    ):
        run(recipe, tmp_path)


def test_a_finished_run_is_not_run_again(model: str, tmp_path: Path) -> None:
    recipe = TINY.replace(model=model, rounds=1)
    before = came_to(run(recipe, tmp_path / "run"))
    with pytest.MonkeyPatch.context() as patch:
        raise_at(patch, self_evolving, "collect", 1)
        assert came_to(run(recipe, tmp_path / "run")) == before


def test_only_the_newest_checkpoint_keeps_adams_moments(model: str, tmp_path: Path) -> None:
    folder = run(TINY.replace(model=model, rounds=2), tmp_path / "run")
    kept = [path.parent.name for path in folder.path.rglob("optimizer.pt")]
    assert kept == ["round-0002"]
    assert (folder.checkpoint(1) / "model.safetensors").exists()
    assert list((folder.path / "trainer").rglob("*.safetensors")) == []


def test_a_killed_process_goes_on_to_the_same_end(
    model: str, unbroken: Callable[[Recipe], Result], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    recipe = TINY.replace(model=model)
    command = ["train", "--out", str(out)]
    for name, value in recipe.settings().items():
        words = value if isinstance(value, tuple) else (value,)
        if not isinstance(value, bool):
            command += [f"--{name.replace('_', '-')}", *map(str, words)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mstar.experiments.cli", *command],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    rows = out / "rounds.jsonl"
    while process.poll() is None and not (rows.exists() and rows.read_text().count("\n") > 1):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()
    assert 2 <= len(RunFolder(out).rounds()) < 4
    assert main(command) == 0
    assert json.loads((out / "recipe.json").read_text())["recipe"]["model"]["name"] == model
    resumed = came_to(RunFolder(out))
    assert resumed == unbroken(TINY)
