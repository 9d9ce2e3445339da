"""Two processes that accelerate has launched, and one that is killed.

To import everything takes a process longer than any of these runs. So ``run_processes`` is called
in a process that imports it once and launches ``launched.py``; for each of the two processes that
come of it, one is forked from that one and goes on in its environment. One launch does for several
recipes in turn: one of them is killed, one run by the command ``mstar train``; then follow, in the
environment of a launch with fsdp2.yaml, the recipes of ``SHARDED`` with weights sharded over the
two processes. Each process writes what it says into a file of its own in ``LOGS``.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.launch import (
    _validate_launch_command,
    launch_command,
    launch_command_parser,
)
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from accelerate.utils.launch import prepare_multi_gpu_env
from closeness import double_precision
from huggingface_hub.utils._telemetry import _TELEMETRY_QUEUE
from killed_runs import Killed, after_fine_tuning, run
from model_fixtures import packages_looked_up_once
from tiny_runs import TINY
from vllm_stand_in import StandIn, serving, wire

import mstar.experiments
from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling import server as server_engine
from mstar.agents.sampling.vllm_client import Server
from mstar.agents.types import Round
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.run_folder import RunFolder

LOGS = "logs"
LAUNCHES = Path(next(iter(mstar.experiments.__path__))) / "accelerate"

# All processes import what they need to run the recipes; these are not imported above.
IMPORTED_LATE = ("mstar.agents.online.agent", "mstar.experiments.cli.train")

# Shares of unequal size.
PAIR = TINY.replace(rounds=2, prompts=3, batch=2, held_out=3, test=3, max_new_tokens=4)
RECIPES: dict[str, Recipe] = {
    # On-policy: of a larger batch each process would mix its own half. The losses are float32, and
    # so small a rate keeps what they round from reaching the tokens of the next round.
    "dapo": PAIR.replace(
        agent="dapo", minibatches=1, prompts=4, batch=4, online_learning_rate=1e-6
    ),
    "command": PAIR.replace(agent="iterative-rft", budget="by-prompt", first=2, samples=4),
    "killed": PAIR.replace(lora_rank=2),
}
ALONE = TINY.replace(rounds=2)
SHARDED: dict[str, Recipe] = {
    "killed": PAIR,
    "rest-em": PAIR.replace(agent="rest-em", batch_rows=2),  # some process samples once more
    "lora": RECIPES["dapo"].replace(agent="grpo", lora_rank=2),
    "served": PAIR.replace(lora_rank=2, server="http://stand-in", rank="reward"),
}


def run_served(recipe: Recipe, out: Path) -> RunFolder:
    """Run a recipe whose server is a stand-in in the main process."""
    stand_in = StandIn(Policy.load(recipe.model.name, device="cpu"))
    with pytest.MonkeyPatch.context() as patch:
        wire(patch, stand_in)
        for url in serving(stand_in):
            server = Server(distributed.agreed(url) if distributed.count() > 1 else url)
            patch.setattr(server_engine, "server_at", {recipe.sampling.server: server}.get)
            folder = run(recipe, out)
            distributed.wait()
    return folder


def options(recipe: Recipe) -> list[str]:
    """A recipe on the command line."""
    found = []
    plain = Recipe().settings()
    for name, value in recipe.settings().items():
        if value != plain[name]:
            words = value if isinstance(value, tuple) else (value,)
            found += [f"--{name.replace('_', '-')}", *map(str, words)]
    return found


def command(recipe: Recipe, out: Path) -> list[str]:
    """The words of ``mstar`` that train by a recipe."""
    return ["train", "continuous", *options(recipe), "--out", str(out)]


def run_command(recipe: Recipe, out: Path) -> None:
    """Run ``python -m mstar.experiments.cli train`` in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mstar", *command(recipe, out)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("mstar.experiments.cli", run_name="__main__")
    assert not ended.value.code


@contextmanager
def sharding_on_cpus() -> Iterator[None]:
    """Turn this process into one that fsdp2.yaml has launched, and that shards weights on CPUs.

    What the file says becomes environment variables, as in a launch, and accelerate reads them
    again. By itself it shards on accelerators only.
    """
    words = ["--config_file", str(LAUNCHES / "fsdp2.yaml"), "--num_processes", "2", __file__]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    plain = PartialState.__init__

    def told(self: PartialState, *given: object, **named: object) -> None:
        plain(self, *given, **named)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartialState, "__init__", told)
        for name, value in prepare_multi_gpu_env(arguments).items():
            patch.setenv(name, value)
        AcceleratorState._reset_state(reset_partial_state=True)
        yield


def run_all(recipes: dict[str, Recipe], model: str, out: Path) -> None:
    """Run recipes, each in a folder of its name."""
    for name, recipe in recipes.items():
        recipe = recipe.replace(model=model)
        if name == "killed":
            with pytest.MonkeyPatch.context() as patch:
                after_fine_tuning(patch, 2)
                with pytest.raises(Killed):
                    run(recipe, out / name)
        by = run_command if name == "command" else run_served if recipe.sampling.server else run
        by(recipe, out / name)


def run_launched(environment: dict[str, str], model: str, out: Path) -> None:
    """Be one of the two processes."""
    os.environ.update(environment)
    with double_precision(), packages_looked_up_once():
        run_all(RECIPES, model, out)
        with sharding_on_cpus():
            run_all(SHARDED, model, out / "sharded")


def run_killed(model: str, out: Path) -> None:
    """Be a process of its own that is killed once round 1 is committed."""

    def finished(_: Progress, done: Round) -> None:
        if done.number == 1:
            _TELEMETRY_QUEUE.join()  # another thread would send it
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "finished", finished)
        run_command(ALONE.replace(model=model), out / "alone")


def launch(port: int) -> None:
    """Do what the command ``accelerate launch`` does, where nobody else can take its port.

    accelerate looks for a free port and lets go of it, and its launcher binds it later. A launcher
    that stands alone binds one itself.
    """
    words = ["--config_file", str(LAUNCHES / "cpu-2.yaml"), "--main_process_port", "0"]
    script = str(Path(__file__).with_name("launched.py"))
    arguments = launch_command_parser().parse_args([*words, script, str(port)])
    arguments.standalone = True
    launch_command(arguments)


def logged(log: Path, target: Callable[..., None], *given: Any) -> None:
    """Call a function in a process that writes all it says into a file."""
    with log.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    target(*given)


def run_processes(model: str, out: Path) -> None:
    """Run one process that is killed, and launch two processes and run all recipes in them."""
    for late in IMPORTED_LATE:
        import_module(late)
    gc.freeze()  # as in conftest.py
    fork = get_context("fork")
    logs = out / LOGS
    logs.mkdir()

    def start(name: str, target: Callable[..., None], *given: Any) -> ForkProcess:
        process = fork.Process(target=logged, args=(logs / name, target, *given))
        process.start()
        return process

    alone = start("alone", run_killed, model, out)
    links, processes = [], []
    with socket.create_server(("127.0.0.1", 0)) as door:
        launcher = start("launcher", launch, *door.getsockname()[1:])
        for _ in range(2):
            if launcher.sentinel in wait([door, launcher.sentinel]):
                sys.exit("the launch has failed")
            links.append(door.accept()[0].makefile("rw"))
    for number, link in enumerate(links):
        environment = json.loads(link.readline())
        processes.append(start(f"process-{number}", run_launched, environment, model, out))
    wait([process.sentinel for process in processes])
    for process, link in zip(processes, links, strict=True):
        if any(each.exitcode for each in processes):
            process.terminate()  # it would wait for the other
        process.join()
        print(process.exitcode, file=link, flush=True)
    for each in (launcher, alone):
        each.join()
    codes = {"launcher": launcher.exitcode, "alone": alone.exitcode}
    if codes != {"launcher": 0, "alone": -signal.SIGKILL}:
        sys.exit(f"ended with {codes}")
