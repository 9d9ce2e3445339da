"""A pilot: the first rounds of a run, in a folder of their own, until a time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import panel_of
from mstar.experiments.rows import Row
from mstar.experiments.run.disk_space import checkpoint_bytes
from mstar.experiments.run.peak_memory import peak_memory
from mstar.experiments.run.problems import open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import load_policy, prepare_torch

PROMPTS = 256  # the most problems of a pilot's round
EVEN = 2  # rounds at least, since controllers may probe in every second one


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot measured.

    Attributes:
        rows: of its rounds, the base first.
        scale: problems of the run's rounds, divided by those of the pilot's.
        load_seconds: until the first round began.
        response_bytes: on the disk, of a stored response.
        checkpoint_bytes: the most that the run's checkpoints take at the same time.
        memory: bytes that the process took at most, pilot and all; see ``peak_memory``.
    """

    rows: list[Row]
    scale: float
    load_seconds: float
    response_bytes: float
    checkpoint_bytes: int
    memory: int


def pilot_recipe(recipe: Recipe) -> Recipe:
    """The recipe with rounds of at most ``PROMPTS`` problems, and as many fewer updates."""
    if recipe.sampling.prompts <= PROMPTS:
        return recipe
    share = PROMPTS / recipe.sampling.prompts
    return recipe.replace(prompts=PROMPTS, updates=ceil(share * recipe.optim.updates))


def run_pilot(
    recipe: Recipe, folder: Path, seconds: float, say: Callable[[str], None] = lambda _: None
) -> Pilot:
    """Run the first rounds of a recipe.

    Args:
        recipe: of the whole run.
        folder: where the pilot is stored, empty.
        seconds: after which no further round begins; two rounds are run in any case.
        say: told the progress.

    Raises:
        ValueError, OSError: problems or model cannot be used.
    """
    small = pilot_recipe(recipe)
    began = time.monotonic()
    prepare_torch(small.run.threads)
    panel = panel_of(small)
    task, validation = (open_task(small, split, panel=panel) for split in ("train", "validation"))
    stored = RunFolder.create(folder, small)
    stored.empty_trainer()
    policy = load_policy(small)
    agent = agent_class(small.run.agent)(policy, task, validation, small, stored.trainer)
    loaded = time.monotonic() - began
    try:
        for done in agent.learn():
            stored.commit(done)
            agent.committed(stored.checkpoint_after(done.number))
            if done.back_to is not None:
                agent.go_back(stored.checkpoint_after(done.back_to))
            passed = time.monotonic() - began
            say(f"pilot: round {done.number} done, {passed:.0f} s")
            if done.number >= EVEN and done.number % EVEN == 0 and passed > seconds:
                break
    finally:
        agent.close()
    sizes = [path.stat().st_size for path in (folder / "rollouts").glob("*.parquet")]
    responses = sum(len(stored.rollouts(row["number"], ["problem"])) for row in stored.rounds())
    return Pilot(
        stored.rounds(),
        recipe.sampling.prompts / small.sampling.prompts,
        loaded,
        sum(sizes) / max(1, responses),
        checkpoint_bytes(policy, recipe),
        peak_memory(),
    )
