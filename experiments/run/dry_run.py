"""What a run would do, in numbers, before any model is loaded."""

from __future__ import annotations

from pathlib import Path

from mstar.agents.agent import Agent
from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import pick_device
from mstar.agents.rollout import unique_problems
from mstar.envs.task import Task
from mstar.experiments.estimate.memory import empty_policy, longest, memory_of
from mstar.experiments.run.problems import evaluation_sets, how_chosen, open_task
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import prepare_torch
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

GIB = 2**30
PROMPTS = 8  # that tell how long a prompt is


def describe_run(recipe: Recipe, out: Path) -> str:
    """Problems, responses, tokens, updates and memory of a run, a line each.

    Args:
        recipe: of the run.
        out: its folder, which is read and not written.

    Raises:
        ValueError: problems that are not usable, or a folder with a run of another recipe.
    """
    agent: type[Agent] = agent_class(recipe.run.agent)
    agent.check(recipe)
    prepare_torch(recipe.run.threads)
    judge = RewardPanel([Correctness()])
    validation = open_task(recipe, "validation", panel=judge)
    train = open_task(recipe, "train", panel=judge)
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
        f"run         {recipe.run.agent}, {rounds} round{'s' if rounds > 1 else ''}, in {out}"
        f"{_progress(recipe, out)}",
        f"problems    {asked:,} for training, {checked:,} for validation, tests: {named}",
        *([f"            {chosen}"] if (chosen := how_chosen(train)) else []),
        f"responses   {responses:,} for training, {checks:,} for validation, {tested:,} for tests",
        f"tokens      at most {longest * (responses + checks + tested):,} generated, "
        f"{longest * responses:,} of them for training",
        f"updates     {_updates(recipe, responses)}",
        "memory      " + "\n            ".join(_memory(recipe, train)),
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


def _memory(recipe: Recipe, task: Task) -> list[str]:
    """Two lines, or one where the model is not known."""
    prepare_torch(recipe.run.threads)
    try:
        policy = empty_policy(recipe)
    except FileNotFoundError as error:
        return [f"not known: {error}"]
    problems = unique_problems([task.problem(recipe.run.seed, index) for index in range(PROMPTS)])
    prompt = longest(policy, [task.prompt(problem) for problem in problems])
    found = memory_of(recipe, policy, prompt, pick_device("auto").type, distributed.count())
    rows = recipe.optim.batch // recipe.optim.passes // distributed.count()
    held = {
        "weights": found.weights,
        "base policy": found.reference,
        "gradients": found.gradients,
        "moments": found.moments,
        f"activations of {rows} responses": found.activations,
        "logits, or a layer computed again": found.passing,
    }
    return [
        f"{_gib(found.training)} to train {policy.size:,} weights: "
        + ", ".join(f"{_gib(bytes)} {name}" for name, bytes in held.items() if bytes),
        f"{_gib(found.sampling)} to sample, {_gib(found.cache)} of it keys and values, with "
        f"prompts of up to {prompt.tokens} tokens as the first {len(problems)} have; libraries "
        "and buffers come on top",
    ]


def _gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB"
