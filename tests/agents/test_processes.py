"""Two processes produce the same rows as one, and nearly the same weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from closeness import assert_weights_agree, double_precision, within_rounding
from connections import plain_environment
from killed_runs import came_to, run, unbroken
from safetensors.torch import load_file
from two_processes import ALONE, LAUNCHES, LOGS, RECIPES, SHARDED, command, run_served

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.experiments.cli.main import main
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder, read_rollouts

TESTS = Path(__file__).parents[1]
# Recording begins before anything else is imported.
RECORDED = """
import sys

from connections import record_connections

record_connections(sys.argv[1])

from pathlib import Path

import two_processes

two_processes.run_processes(sys.argv[2], Path(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def pairs(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two processes that accelerate launched, by the name of their recipe."""
    out = tmp_path_factory.mktemp("pairs")
    done = subprocess.run(
        [sys.executable, "-c", RECORDED, str(out / "connections"), model, str(out)],
        env={
            **plain_environment(),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONPATH": str(TESTS),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1800,  # of a launch that hangs
    )
    if done.returncode:
        said = {"their parent": done.stdout} | logs(out)
        ends = (f"--- the end of what {name} said\n{text[-4000:]}" for name, text in said.items())
        pytest.fail("\n".join(("the processes failed", *ends)), pytrace=False)
    return out


def logs(out: Path) -> dict[str, str]:
    """What each process said, by its name."""
    return {path.name: path.read_text(errors="replace") for path in (out / LOGS).glob("*")}


def rollouts(folder: RunFolder, number: int) -> list[Row]:
    """A round's rollouts in an order that does not depend on the processes."""
    rows = read_rollouts(folder.path / "rollouts" / f"round-{number:04d}.parquet")
    return sorted(rows, key=lambda row: row["problem"])


def assert_alike(one: Any, other: Any) -> None:
    """Check that rows are equal, up to rounding of float32 sums and without times."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        # Each launch writes files of its own beside the weights, which are compared below.
        for name in one.keys() - {"seconds", "measured_seconds", "memory", "files"}:
            assert_alike(one[name], other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_alike(left, right)
    elif isinstance(one, float):
        assert other == within_rounding(one)
    else:
        assert one == other


def assert_same_run(pair: RunFolder, recipe: Recipe, out: Path) -> None:
    """Check that one process produces what two did, both in double precision."""
    with double_precision():
        alone = (run_served if recipe.sampling.server else run)(recipe, out)
    rate = (recipe.online if recipe.learns_online else recipe.optim).learning_rate
    assert_alike(pair.rounds(), alone.rounds())
    for number in (1, 2):
        assert_alike(rollouts(pair, number), rollouts(alone, number))
        files = [next(f.checkpoint(number).glob("*model.safetensors")) for f in (pair, alone)]
        ours, theirs = map(load_file, files)
        ours.pop("lm_head.weight", None)  # FSDP writes tied weights twice
        assert_weights_agree(ours, theirs, rate)


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_produce_what_one_does(
    pairs: Path, model: str, tmp_path: Path, name: str
) -> None:
    recipe = RECIPES[name].replace(model=model)
    assert_same_run(RunFolder(pairs / name), recipe, tmp_path / "alone")


@pytest.mark.parametrize("name", SHARDED)
def test_two_processes_with_sharded_weights_produce_what_one_does(
    pairs: Path, model: str, tmp_path: Path, name: str
) -> None:
    recipe = SHARDED[name].replace(model=model)
    folder = RunFolder(pairs / "sharded" / name)
    assert_same_run(folder, recipe, tmp_path / "alone")
    assert (folder.checkpoint(2) / "pytorch_model_fsdp.bin").exists()
    assert not (folder.checkpoint(1) / "pytorch_model_fsdp.bin").exists()  # no run goes on there


def test_adaptive_sampling_works_with_two_processes(pairs: Path) -> None:
    extra = [row["extra"] for n in (1, 2) for row in rollouts(RunFolder(pairs / "command"), n)]
    assert set(extra) == {False, True}


def test_the_train_command_runs_in_two_processes(pairs: Path, model: str) -> None:
    recipe = RECIPES["command"].replace(model=model)
    pair = RunFolder(pairs / "command")
    said = [text for name, text in logs(pairs).items() if name.startswith("process-")]
    assert sorted(text.count("round  1") for text in said) == [0, 1]  # one speaks for both
    assert (pair.path / "report.html").exists()
    assert '"processes": 2' in (pair.path / "recipe.json").read_text()
    assert pair.recipe() == recipe.resolved()
    assert [row["number"] for row in pair.rounds()] == [0, 1, 2]
    drawn = [problem.id for problem in open_task(recipe, "train").draw(3)]
    assert sorted({row["problem"] for row in rollouts(pair, 1)}) == sorted(drawn)


def test_processes_connect_to_nobody(pairs: Path) -> None:
    assert (pairs / "connections").read_text() == ""


@pytest.mark.usefixtures("usual_rounding")
def test_a_killed_process_goes_on_to_the_same_end(pairs: Path, model: str) -> None:
    recipe, out = ALONE.replace(model=model), pairs / "alone"
    assert len(RunFolder(out).rounds()) == 2
    assert main(command(recipe, out)) == 0
    assert RunFolder(out).recipe() == recipe.resolved()
    assert came_to(RunFolder(out)) == unbroken(recipe)


@pytest.mark.parametrize("path", sorted(LAUNCHES.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_each_launch(path: Path) -> None:
    config = load_config_from_file(str(path))  # raises for a key that it does not know
    assert isinstance(config, ClusterConfig)
    assert config.num_processes > 1
    assert config.mixed_precision == "no"


def test_the_launches_ship() -> None:
    names = sorted(path.stem for path in LAUNCHES.glob("*"))
    assert names == ["cpu-2", "fsdp2", "fsdp2-nodes", "multi-gpu", "slurm", "ssh", "zero3"]


def test_several_machines_shard_as_one_does() -> None:
    one, several = (
        load_config_from_file(str(LAUNCHES / f"{name}.yaml")) for name in ("fsdp2", "fsdp2-nodes")
    )
    assert several.fsdp_config == one.fsdp_config
    assert (one.num_machines, several.num_machines) == (1, 2)


def test_one_process_shares_and_gathers_everything() -> None:
    assert distributed.count() == 1
    assert distributed.is_main()
    assert distributed.share([1, 2, 3]) == distributed.gather([1, 2, 3]) == [1, 2, 3]
    assert distributed.total(4, 5) == [4, 5]
    assert distributed.agreed(0.1) == 0.1
    assert distributed.part(7) == 7
    distributed.wait()


def test_a_batch_that_the_processes_cannot_divide_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "count", lambda: 3)
    assert distributed.part(6) == 2
    with pytest.raises(ValueError, match="batch is 32, which 3 processes cannot divide evenly"):
        distributed.part(32)
