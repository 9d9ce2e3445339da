"""The script of each of two processes: several recipes in turn, some of them killed.

accelerate launch --config_file .../cpu-2.yaml tests/two_processes.py MODEL OUT

Launched with fsdp2.yaml it runs those of ``SHARDED``, with weights sharded over CPUs. A launch
takes longer than all its runs, so that the command ``mstar train`` runs in one of them, too.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from accelerate import PartialState
from accelerate.utils import DistributedType
from closeness import double_precision
from killed_runs import Killed, after_fine_tuning, run
from tiny_runs import TINY
from vllm_stand_in import StandIn, serving, wire

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling import server as server_engine
from mstar.agents.sampling.vllm_client import Server
from mstar.experiments.run.run_folder import RunFolder

PAIR = TINY.replace(rounds=2, prompts=5, batch=4, held_out=3, test=3)  # shares of unequal size
RECIPES: dict[str, Recipe] = {
    # On-policy: of a larger batch each process would mix its own half. The losses are float32, and
    # so small a rate keeps what they round from reaching the tokens of the next round.
    "grpo": PAIR.replace(agent="grpo", minibatches=1, prompts=4, online_learning_rate=1e-6),
    "by-prompt": PAIR.replace(agent="iterative-rft", budget="by-prompt", first=2, samples=4),
    "killed": PAIR.replace(lora_rank=2),
}
COMMAND = PAIR.replace(rounds=1)  # of ``mstar train``
SHARDED: dict[str, Recipe] = {
    "killed": PAIR,
    "rest-em": PAIR.replace(agent="rest-em", batch_rows=2),  # some process samples once more
    "lora": RECIPES["grpo"].replace(lora_rank=2),
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


def run_command(recipe: Recipe, out: Path) -> None:
    """Run ``python -m mstar.experiments.cli train`` in this process."""
    words = ["train", "continuous", *options(recipe), "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mstar", *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("mstar.experiments.cli", run_name="__main__")
    assert not ended.value.code


@contextmanager
def sharding_on_cpus() -> Iterator[None]:
    """Make accelerate shard weights on CPUs, which it does on accelerators only."""
    plain = PartialState.__init__

    def told(self: PartialState, *given: object, **named: object) -> None:
        plain(self, *given, **named)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartialState, "__init__", told)
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
        (run_served if recipe.sampling.server else run)(recipe, out / name)


if __name__ == "__main__":
    model, out = sys.argv[1], Path(sys.argv[2])
    with double_precision():
        if os.environ.get("ACCELERATE_USE_FSDP") == "true":
            with sharding_on_cpus():
                run_all(SHARDED, model, out)
        else:
            run_all(RECIPES, model, out)
            run_command(COMMAND.replace(model=model), out / "command")
