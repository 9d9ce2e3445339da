"""A run that is killed anywhere and started again is the run that was never killed."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from killed_runs import (
    Arm,
    after_fine_tuning,
    after_sampling,
    after_the_commit,
    before_the_rename,
    came_to,
    in_the_middle_of_the_commit,
    kill,
    raise_at,
    run,
    unbroken,
)
from rich.console import Console
from tiny_runs import TINY

from mstar.agents import self_evolving
from mstar.agents.config import Recipe
from mstar.agents.monitor import guards
from mstar.agents.types import Alarm
from mstar.experiments.run import disk_space
from mstar.experiments.run.launches import times
from mstar.experiments.run.run_folder import RunFolder, recipe_of
from mstar.experiments.run.train import load_policy

SHORT = TINY.replace(prompts=3, max_new_tokens=3)  # of which several runs are compared

FOLLOWING = {
    "judge_refresh": 1,
    "panel": ("correctness", "random", "process"),
    "rank": "process",
    "selection": "top-k",
}

# Where a run is killed, in which round, and how many rows are committed by then.
Kills = list[tuple[Arm, int, int]]

AROUND_ROUND_2: Kills = [(before_the_rename, 2, 2), (after_the_commit, 2, 3)]
KILLS: list[tuple[dict[str, Any], Kills]] = [
    (
        {},
        [
            (after_sampling, 1, 1),
            (before_the_rename, 1, 1),
            (after_sampling, 2, 2),
            (after_fine_tuning, 2, 2),
            (in_the_middle_of_the_commit, 3, 3),
        ],
    ),
    ({"agent": "iterative-rft", "rounds": 2}, [(after_fine_tuning, 2, 2)]),
    # The controller tries other temperatures after round 2.
    ({"controller": "reward-pass@2", "lora_rank": 2}, AROUND_ROUND_2),
    ({"controller": "reward-pass@2", "lora_rank": 2, "agent": "rest-em"}, AROUND_ROUND_2),
    ({**FOLLOWING, "rounds": 2}, [(after_sampling, 2, 2)]),
]


@pytest.mark.parametrize(("changes", "kills"), KILLS)
def test_a_killed_run_goes_on_to_the_same_end(
    model: str, tmp_path: Path, changes: dict[str, Any], kills: Kills
) -> None:
    assert_goes_on(SHORT.replace(model=model, **changes), tmp_path, kills)


def test_a_killed_run_that_the_guards_take_back_goes_on_to_the_same_end(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = guards.Guards.observe

    def observe(own: guards.Guards, number: int, *given: Any) -> tuple[Alarm, ...]:
        """As it is, with over-confidence in round 2 alone."""
        found = {"over-confidence": "as rigged."} if number == 2 else {}
        monkeypatch.setattr(guards, "signs", lambda *_: dict(found))
        return plain(own, number, *given)

    monkeypatch.setattr(guards.Guards, "observe", observe)
    recipe = SHORT.replace(model=model, guards="act", unlabelled=1.0, pseudo="vote")
    folder = assert_goes_on(recipe, tmp_path, AROUND_ROUND_2)
    assert [row["back_to"] for row in folder.rounds()] == [None, None, 1, None]
    assert folder.checkpoint_after(2) == folder.checkpoint(1)


def assert_goes_on(recipe: Recipe, out: Path, kills: Kills) -> RunFolder:
    """Kill a run where it is said, and check that it comes to what an unbroken one does."""
    for arm, number, committed in kills:
        kill(recipe, out, arm, number)
        assert len(RunFolder(out).rounds()) == committed
    resumed, expected = came_to(run(recipe, out)), unbroken(recipe)
    assert resumed["rows"] == expected["rows"]
    assert resumed["rollouts"] == expected["rollouts"]
    assert resumed["weights"] == expected["weights"]
    assert resumed["folder"] == expected["folder"]
    noted = times(RunFolder(out))
    assert [launch["after_round"] for launch in noted["resumed"]] == [n - 1 for *_, n in kills if n]
    assert [launch["ended"] for launch in noted["resumed"][:-1]] == [None] * (len(kills) - 1)
    assert noted["started"] <= noted["resumed"][-1]["started"] <= noted["ended"]
    return RunFolder(out)


def test_a_run_of_an_older_version_goes_on_with_the_defaults_and_says_so(
    model: str, tmp_path: Path
) -> None:
    recipe = SHORT.replace(model=model)
    kill(recipe, tmp_path, after_sampling, 2)
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
    expected = unbroken(recipe)
    assert resumed["rows"] == expected["rows"]
    assert resumed["weights"] == expected["weights"]
    stored["recipe"]["from_later"] = 1
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    with pytest.raises(
        ValueError, match=r"another version of mstar \(unknown setting 'from_later'"
    ):
        run(recipe, tmp_path)


def test_families_of_an_older_run_are_in_the_versions_of_its_time() -> None:
    stored = {"data": {"env": "mstar/Mixture-v1", "families": ["Dice", "Clock", "Shapes-v1"]}}
    assert recipe_of(stored, Path("run")).data.families == ("Dice-v0", "Clock", "Shapes-v1")
    older = recipe_of({"env": "Table", "test_env": ["BarChart", "problems.jsonl"]}, Path("run"))
    assert older.data.env == "Table-v1"
    assert older.evaluation.test_envs == ("BarChart-v0", "problems.jsonl")
    assert recipe_of({"env": "Tree"}, Path("run")).resolved().data.env == "Tree-v1"


def test_a_finished_run_is_not_run_again(model: str, tmp_path: Path) -> None:
    recipe = TINY.replace(model=model, rounds=1)
    before = came_to(run(recipe, tmp_path / "run"))
    with pytest.MonkeyPatch.context() as patch:
        raise_at(patch, self_evolving, "collect", 1)
        assert came_to(run(recipe, tmp_path / "run")) == before


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_a_finished_run_gets_more_rounds_and_other_settings_that_decide_no_result(
    model: str, tmp_path: Path, agent: str
) -> None:
    longer = TINY.replace(
        model=model, agent=agent, minibatches=2, schedule="constant_with_warmup", rounds=2
    )
    run(longer.replace(rounds=1), tmp_path)
    (tmp_path / "evaluation.jsonl").write_text("{}")  # of the shorter run
    resumed = came_to(run(longer.replace(save_total_limit=1, batch_rows=7), tmp_path))
    expected = unbroken(longer)
    assert resumed["rows"] == expected["rows"]
    assert resumed["weights"] == expected["weights"]
    assert not (tmp_path / "evaluation.jsonl").exists()
    (changed,) = json.loads((tmp_path / "recipe.json").read_text())["changed"]
    assert changed == {
        "after_round": 1,
        "settings": {"rounds": [1, 2], "save_total_limit": [2, 1], "batch_rows": [256, 7]},
    }


@pytest.mark.parametrize(
    ("changes", "spread"),
    [
        ({"schedule": "cosine"}, "schedule 'cosine'"),
        ({"controller": "schedule"}, "controller 'schedule'"),
        ({"unlabelled": 0.5, "unlabelled_start": 0.5}, "unlabelled_start"),
    ],
)
def test_a_run_whose_settings_span_its_rounds_gets_no_more(
    tmp_path: Path, changes: dict[str, Any], spread: str
) -> None:
    recipe = TINY.replace(**{"schedule": "constant", **changes})
    RunFolder.create(tmp_path, recipe)
    (tmp_path / "rounds.jsonl").write_text('{"number": 0, "tuned": null}\n')
    with pytest.raises(ValueError, match=f"of 3 rounds, over which .*{spread}.* extends"):
        RunFolder.create(tmp_path, recipe.replace(rounds=4))
    with pytest.raises(ValueError, match=r"another recipe \(different: rounds\)"):
        RunFolder.create(tmp_path, recipe.replace(rounds=2))
    with pytest.raises(ValueError, match=r"another recipe \(different: batch, rounds\)"):
        RunFolder.create(tmp_path, recipe.replace(rounds=4, batch=4))
    RunFolder.create(tmp_path, recipe.replace(threads=2))


@pytest.mark.parametrize(("keep", "kept"), [(1, {3}), (2, {2, 3}), (0, {1, 2, 3})])
def test_old_checkpoints_are_deleted_and_only_the_newest_has_moments(
    model: str, tmp_path: Path, keep: int, kept: set[int]
) -> None:
    folder = run(TINY.replace(model=model, save_total_limit=keep), tmp_path / "run")
    best = folder.checkpoint_after(folder.rounds()[-1]["state"]["guards"]["best"])
    expected = {folder.checkpoint(number) for number in kept} | ({best} if best else set())
    assert set((folder.path / "checkpoints").iterdir()) == expected
    assert all((path / "model.safetensors").exists() for path in expected)
    with_moments = [
        path.parent
        for path in folder.path.rglob("optimizer.pt")
        if torch.load(path, weights_only=True)["state"]
    ]
    assert with_moments == [folder.checkpoint(3)]
    assert list((folder.path / "trainer").rglob("*.safetensors")) == []


@pytest.mark.parametrize(("setting", "trained"), [("auto", False), ("trained", True)])
def test_the_image_tower_of_a_model_is_trained_only_on_request(
    model: str, tmp_path: Path, setting: str, trained: bool
) -> None:
    recipe = TINY.replace(model=model, rounds=1, image_tower=setting)
    folder = run(recipe, tmp_path / "run")
    before, after = load_policy(recipe), load_policy(recipe, folder.checkpoint(1))
    changed = {
        name
        for name, weight in before.model.state_dict().items()
        if not torch.equal(weight, after.model.state_dict()[name])
    }
    assert any("language_model" in name for name in changed)
    assert any("vision_tower" in name for name in changed) == trained


def test_a_run_that_does_not_fit_on_the_disk_says_so_before_it_starts(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(OSError, match=r"take up to 0\.0 GB.*--save-total-limit 1"):
        run(TINY.replace(model=model), tmp_path / "run")
    assert RunFolder(tmp_path / "run").rounds() == []
