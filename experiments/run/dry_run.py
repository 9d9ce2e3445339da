"""What a run would do, in numbers, before any model is loaded."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.rollout import unique_problems
from mstar.experiments.run.problems import evaluation_sets, open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

GIB = 2**30


def describe_run(recipe: Recipe, out: Path) -> str:
    """Problems, responses, tokens, updates and memory of a run, a line each.

    Args:
        recipe: of the run.
        out: its folder, which is read and not written.

    Raises:
        ValueError: problems that are not usable, or a folder with a run of another recipe.
    """
    judge = RewardPanel([Correctness()])
    validation = open_task(recipe, "validation", panel=judge)
    open_task(recipe, "train", panel=judge)
    evaluation, sampling, rounds = recipe.evaluation, recipe.sampling, recipe.run.rounds
    checked = len(unique_problems(validation.draw(evaluation.validation_problems)))
    asked = rounds * sampling.prompts
    responses = asked * sampling.samples
    checks = (rounds + 1) * checked * (1 + evaluation.validation_samples)
    tests = {tested.group: len(tested.problems) for tested in evaluation_sets(recipe)}
    tested = 2 * sum(tests.values()) * (1 + evaluation.test_samples)
    longest = recipe.max_new_tokens
    named = ", ".join(f"{count:,} {group}" for group, count in tests.items())
    lines = [
        f"run         {recipe.run.agent}, {rounds} rounds, in {out}{_progress(recipe, out)}",
        f"problems    {asked:,} for training, {checked:,} for validation, tests: {named}",
        f"responses   {responses:,} for training, {checks:,} for validation, {tested:,} for tests",
        f"tokens      at most {longest * (responses + checks + tested):,} generated, "
        f"{longest * responses:,} of them for training",
        f"updates     {_updates(recipe, responses)}",
        f"memory      {_memory(recipe)}",
    ]
    if recipe.run.token_budget:
        lines.append(f"budget      ends after {recipe.run.token_budget:,} tokens for training")
    if recipe.exploration.controller not in ("fixed", "schedule"):
        lines.append(
            f"            the controller {recipe.exploration.controller} may sample validation "
            "problems at further temperatures"
        )
    return "\n".join(lines)


def _progress(recipe: Recipe, out: Path) -> str:
    folder = RunFolder(out)
    if not (out / "recipe.json").exists() or not (rows := folder.rounds()):
        return ", from the start"
    folder.check_recipe(recipe)
    return f", going on after round {rows[-1]['number']}"


def _updates(recipe: Recipe, responses: int) -> str:
    if recipe.learns_online:
        return f"{responses // recipe.optim.batch:,} of {recipe.optim.batch} responses"
    return f"at most {recipe.run.rounds * recipe.optim.updates:,} of {recipe.optim.batch} responses"


def _memory(recipe: Recipe) -> str:
    """Of weights, gradients and Adam's moments, which do not depend on the problems."""
    name = recipe.model.name
    weights = count_weights(EMBEDDED if name == "embedded" else Path(name))
    if weights is None:
        return f"not known before {name} is on this machine"
    width = 2 if recipe.model.dtype == "bfloat16" else 4  # bytes of a weight
    if recipe.model.lora_rank:
        return (
            f"{weights * width / GIB:.2f} GiB for {weights:,} weights, little for LoRA factors; "
            "activations and the cache of sampling come on top"
        )
    trained = weights * width * 4  # the weights, a gradient and two moments of each
    kept = weights * width if recipe.run.guards == "act" else 0
    return (
        f"{trained / GIB:.2f} GiB to train {weights:,} weights"
        + (f", {kept / GIB:.2f} GiB on the CPU for the base" if kept else "")
        + "; activations and the cache of sampling come on top"
    )


def count_weights(folder: Path) -> int | None:
    """The number of weights in a folder's safetensors, from their headers; None without any."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        total += sum(prod(e["shape"]) for name, e in header.items() if name != "__metadata__")
    return total or None
