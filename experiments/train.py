"""A run from recipe to report: problems, policy, rounds, test, page."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from transformers.utils import logging

from mstar.agents.collect import distinct
from mstar.agents.embedded import EMBEDDED
from mstar.agents.policy import Policy
from mstar.agents.recipe import Recipe
from mstar.agents.sampler import LocalSampler
from mstar.agents.self_evolving import SelfEvolving, mix
from mstar.experiments.evaluate import METRICS, Row, evaluate, values
from mstar.experiments.problems import open_env
from mstar.experiments.progress import Progress
from mstar.experiments.report import write_report
from mstar.experiments.run_folder import RunFolder, read_rows, write_rows
from mstar.experiments.stats import estimate


def train(recipe: Recipe, out: Path, console: Console) -> RunFolder:
    """Run a recipe, or go on with a run that was killed, and write its report.

    Args:
        recipe: what to run.
        out: the run's folder; a run of the same recipe there is resumed.
        console: where progress goes.

    Raises:
        ValueError, FileNotFoundError, OSError: problems, model or folder are not usable; nothing
            has been trained then.
    """
    prepare_torch(recipe.threads)
    env, held_out = open_env(recipe, "train"), open_env(recipe, "validation")
    folder = RunFolder.create(out, recipe)
    newest = folder.newest_checkpoint()
    policy = load_policy(recipe, newest)
    with Progress(console) as progress:
        agent = SelfEvolving(policy, env, held_out, recipe, out / "trainer")
        if rounds := folder.rounds():
            agent.restore(rounds[-1]["state"], newest)
            progress.say(f"going on after round {rounds[-1]['number']}")
        progress.watch(agent)
        for done in agent.learn():
            folder.commit(done)
            progress.finished(done)
        agent.close()
        progress.say("testing the base and the evolved policy")
        test_run(folder, recipe, policy)
        progress.say("writing the report")
        write_report(folder)
    return folder


def prepare_torch(threads: int) -> None:
    """Threads, and no word to anybody's server."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.disable_progress_bar()  # one live line is enough
    torch.set_num_threads(threads)


def load_policy(recipe: Recipe, checkpoint: Path | None = None) -> Policy:
    """The recipe's model, or what a checkpoint of it had become."""
    name = str(EMBEDDED) if recipe.model == "embedded" else recipe.model
    if checkpoint is not None and not recipe.lora_rank:
        return Policy.load(str(checkpoint), dtype=recipe.dtype)
    if checkpoint is not None:
        return Policy.load(name, dtype=recipe.dtype, adapter=str(checkpoint))
    policy = Policy.load(name, dtype=recipe.dtype)
    return policy.with_lora(recipe.lora_rank) if recipe.lora_rank else policy


def test_run(folder: RunFolder, recipe: Recipe, evolved: Policy) -> list[Row]:
    """Base and evolved policy on the same unseen problems; kept if a killed run had done it."""
    path = folder.path / "evaluation.jsonl"
    if path.exists():
        return read_rows(path)
    rows: list[Row] = []
    for label, policy in (("base", load_policy(recipe)), ("evolved", evolved)):
        sampler = LocalSampler(policy, recipe.max_new_tokens, recipe.batch_rows)
        for group, families in test_groups(recipe):
            env = open_env(recipe, "test", families)
            problems = distinct(env.draw(recipe.test if group == "trained" else recipe.test // 2))
            rows += evaluate(
                sampler,
                env,
                problems,
                recipe.test_samples,
                mix(recipe.seed, 0, 4),
                policy=label,
                group=group,
            )
    write_rows(path, rows)
    return rows


def evaluate_subject(subject: str, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Accuracy of a run's newest policy, or of any model, by group of test problems and metric."""
    prepare_torch(recipe.threads)
    run = RunFolder(Path(subject))
    checkpoint = None
    if (run.path / "recipe.json").exists():
        recipe, checkpoint = run.recipe(), run.newest_checkpoint()
    else:
        recipe = replace(recipe, model=subject)
    sampler = LocalSampler(
        load_policy(recipe, checkpoint), recipe.max_new_tokens, recipe.batch_rows
    )
    results = {}
    for group, families in test_groups(recipe):
        env = open_env(recipe, "test", families)
        rows = evaluate(
            sampler,
            env,
            distinct(env.draw(recipe.test)),
            recipe.test_samples,
            mix(recipe.seed, 0, 4),
        )
        results[group] = {metric: str(estimate([values(rows, metric)])) for metric in METRICS}
    return results


def test_groups(recipe: Recipe) -> list[tuple[str, tuple[str, ...]]]:
    """What a run is tested on: what it trained on, and families that it did not."""
    groups: list[tuple[str, tuple[str, ...]]] = [("trained", ())]
    if recipe.env == "mstar/Mixture-v0" and recipe.extra_families:
        groups.append(("not trained", recipe.extra_families))
    return groups
