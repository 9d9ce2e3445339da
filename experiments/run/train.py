"""Run a recipe: open the problems, train round by round, test, write the report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from logging import LogRecord, getLogger
from pathlib import Path

import torch
from rich.console import Console
from transformers.utils import logging

from mstar.agents.agent import Agent
from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import endpoints_in, panel_of
from mstar.agents.policy import distributed
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.pixels import PixelBounds
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.engine import sampler_of
from mstar.agents.seeds import mix
from mstar.experiments.evaluation.evaluate import evaluate
from mstar.experiments.evaluation.out_of_domain import OutOfDomain
from mstar.experiments.report.run_report import write_report
from mstar.experiments.report.verdict import UNTRAINED
from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.canary_check import apply_check, check_run, stored_check
from mstar.experiments.run.disk_space import check_disk
from mstar.experiments.run.failures import explained
from mstar.experiments.run.launches import noted
from mstar.experiments.run.lock import locked
from mstar.experiments.run.problems import EvaluationSet, evaluation_sets, how_chosen, open_task
from mstar.experiments.run.progress import Progress
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.tracking import Tracking, check_trackers
from mstar.experiments.terminal import live


def train(
    recipe: Recipe,
    out: Path,
    console: Console,
    base_test: Path | None = None,
    track: Sequence[str] = (),
) -> RunFolder:
    """Run a recipe, or resume a run that was killed, and write its report.

    Args:
        recipe: what to run.
        out: the run's folder; a run of the same recipe there is resumed.
        console: where progress goes.
        base_test: file of the base's test rows, shared by runs that differ only in how they train;
            the first of them writes it.
        track: names of experiment trackers that get every round; see ``Tracking``.

    Raises:
        ValueError, FileNotFoundError, OSError: problems, model, tracker or folder cannot be used;
            raised before any training.
        FloatingPointError, OSError: see ``explained``.
    """
    check_trackers(track)
    kind: type[Agent] = agent_class(recipe.run.agent)
    kind.check(recipe)
    prepare_torch(recipe.run.threads)
    tests = evaluation_sets(recipe)  # before the panel is made, which may load a model
    panel = panel_of(recipe)
    task, validation = (open_task(recipe, split, panel=panel) for split in ("train", "validation"))
    with open_folder(out, recipe) as folder, explained(folder):
        out_of_domain = OutOfDomain(recipe, folder)
        main, console = distributed.is_main(), main_console(console)
        progress = Progress(console)
        canaries = stored_check(folder.path) if folder.rounds() else None  # judges cost money
        if canaries is None:
            if endpoints_in(panel):
                progress.add("asking the judge about responses known to be good or junk")
            canaries = check_run(recipe, task, validation)
        warned = apply_check(canaries, recipe, folder.path if main else None)
        tracking = Tracking(track if main else (), folder, task, progress.warn)
        with closing(tracking), live(console, progress, per_second=4):
            if chosen := how_chosen(task):
                progress.add(chosen)
            policy = load_policy(recipe)
            if main:
                check_disk(folder.path, policy, recipe)
            progress.warn([*warned, *warnings_of(recipe, policy)])
            agent = kind(policy, task, validation, recipe, folder.trainer)
            learn(agent, folder, out_of_domain, progress, tracking)
            if agent.rounds_done == 0 and not agent.guards.stopped:
                progress.warn([UNTRAINED.text])
            progress.say("testing the base and the evolved policy")
            test_run(folder, recipe, policy, tests, base_test)
            tracking.update()
            progress.say("writing the report")
            if main:
                write_report(folder)
        distributed.wait()  # the folder is complete when any process returns
    return folder


def learn(
    agent: Agent,
    folder: RunFolder,
    out_of_domain: OutOfDomain,
    progress: Progress,
    tracking: Tracking,
) -> None:
    """Do the rounds that the folder does not have yet, and commit each."""
    if rounds := folder.rounds():
        agent.restore(rounds[-1]["state"], folder.newest_checkpoint())
        progress.say(f"resuming after round {rounds[-1]['number']}")
        if unset := folder.unset():
            without = f"this run was started by a version of mstar without {', '.join(unset)}"
            progress.warn([f"{without}: going on with the defaults"])
        out_of_domain.test(agent.policy, rounds[-1]["number"])
    progress.watch(agent)
    tracking.update()
    try:
        for done in agent.learn():
            if distributed.is_main():  # every process has the same round
                folder.commit(done)
            distributed.wait()  # until the main process has written the checkpoint
            agent.committed(folder.checkpoint_after(done.number))
            progress.finished(done)
            progress.tested(out_of_domain.test(agent.policy, done.number))
            tracking.update()
            if done.back_to is not None:
                agent.go_back(folder.checkpoint_after(done.back_to))
    finally:
        agent.close()


def warnings_of(recipe: Recipe, policy: Policy) -> list[str]:
    """What to say of a recipe and its policy before the run starts, a line each."""
    return [*judge_warnings(recipe), *length_warnings(recipe), *sampling_warnings(policy)]


def judge_warnings(recipe: Recipe) -> list[str]:
    """A warning if the step judge that ships is used on what it was not trained for."""
    rewards = recipe.rewards
    own = recipe.model.name == "embedded" and recipe.data.env.startswith("mstar/")
    if "process" not in rewards.panel or rewards.step_judge != "embedded" or own:
        return []
    return [
        "the process reward model that ships was trained on generated problems and the embedded "
        "model, and says little of others: give your own with --step-judge, or train without it: "
        "mstar train continuous --controller paired --allocation by-prompt"
    ]


def sampling_warnings(policy: Policy) -> list[str]:
    """A warning if the checkpoint asks for a sampling that its policy is not sampled with."""
    if not (unused := policy.unused_sampling):
        return []
    settings = ", ".join(f"{name} {value}" for name, value in unused.items())
    return [
        f"the model's generation_config.json asks for {settings}, which is not applied: responses "
        "come from the policy's own distribution, which is what is trained"
    ]


def length_warnings(recipe: Recipe) -> list[str]:
    """A warning if a group without a right answer would be taught to be short."""
    if not recipe.pays_for_length or recipe.reward_rule in ("gated", "outcome_anchor"):
        return []
    return [
        f"under the rule {recipe.reward_rule} a wrong answer is paid for being short, and "
        "responses may shrink to nothing; leave --rule out, or give gated or outcome_anchor"
    ]


@contextmanager
def open_folder(out: Path, recipe: Recipe) -> Iterator[RunFolder]:
    """The run's folder, in which no other run can start until this one has ended.

    The main process locks it, creates or checks it before the others read it, and notes the launch.
    """
    main = distributed.is_main()
    with locked(out) if main else nullcontext():
        if main:
            RunFolder.create(out, recipe).empty_trainer()
        distributed.wait()
        folder = RunFolder(out)
        with noted(folder) if main else nullcontext():
            yield folder


def main_console(console: Console) -> Console:
    """The console for the main process; a silent one for the others."""
    return console if distributed.is_main() else Console(quiet=True)


def prepare_torch(threads: int) -> None:
    """Set the thread count; disable progress bars and known harmless warnings."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.disable_progress_bar()  # the run has its own progress line
    # peft and TRL use names that transformers 5 has renamed; we never do.
    renamed = r"`\w*gradient_checkpointing\w*` is deprecated"
    warnings.filterwarnings("ignore", renamed, FutureWarning)
    # A trainer that goes on from a checkpoint looks for weights by names that transformers 5 does
    # not write, and lists them all. The policy has read them itself by then.
    getLogger("transformers.trainer").addFilter(_not_about_keys)
    torch.set_num_threads(threads)


def _not_about_keys(record: LogRecord) -> bool:
    return "keys in the checkpoint model loaded" not in record.getMessage()


def load_policy(recipe: Recipe, checkpoint: Path | None = None, *, device: str = "auto") -> Policy:
    """The recipe's model as it starts, or as a checkpoint has it."""
    name = str(EMBEDDED) if recipe.model.name == "embedded" else recipe.model.name
    policy = Policy.load(
        name,
        device=device,
        dtype=recipe.model.dtype,
        attention=recipe.model.attention,
        quantize=recipe.model.quantize,
        pixels=PixelBounds(recipe.model.min_pixels, recipe.model.max_pixels),
    )
    if recipe.model.lora_rank:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.run.seed)  # LoRA is initialised at random
            policy = policy.with_lora(recipe.model.lora_rank)
    elif not recipe.model.trains_image_tower:
        policy.freeze_image_tower()
    if checkpoint is not None:
        policy.load_weights(checkpoint)
    return policy


def test_run(
    folder: RunFolder,
    recipe: Recipe,
    evolved: Policy,
    tests: Sequence[EvaluationSet],
    base_test: Path | None,
) -> list[Row]:
    """Test the base and the evolved policy on the same unseen problems, unless already done."""
    path = folder.path / "evaluation.jsonl"
    if path.exists():
        return read_rows(path)
    rows = _shared_test(base_test, recipe, tests)
    for tested in tests:
        rows += evaluate_policy(tested, evolved, recipe, policy="evolved", group=tested.group)
    if distributed.is_main():
        write_rows(path, rows)
    return rows


def _shared_test(shared: Path | None, recipe: Recipe, tests: Sequence[EvaluationSet]) -> list[Row]:
    """The test rows of the base, read from the file `shared` or, if it is missing, made."""
    asked = [(tested.group, problem.id) for tested in tests for problem in tested.problems]
    there = read_rows(shared) if shared is not None else []
    found = [(row["group"], row["id"]) for row in there]
    if there and asked == found and len(there[0]["samples"]) == recipe.evaluation.test_samples:
        return there
    base, rows = load_policy(recipe), []
    for tested in tests:
        rows += evaluate_policy(tested, base, recipe, policy="base", group=tested.group)
    if shared is not None and not there and distributed.is_main():
        shared.parent.mkdir(parents=True, exist_ok=True)
        write_rows(shared, rows)
    return rows


def evaluate_policy(
    tested: EvaluationSet, policy: Policy, recipe: Recipe, /, **labels: str
) -> list[Row]:
    """Test a policy, one row per problem; every policy gets the same random numbers."""
    sampler = sampler_of(policy, recipe)
    seed = mix(recipe.run.seed, 0, 4)
    return evaluate(
        sampler,
        tested.task,
        tested.problems,
        recipe.evaluation.test_samples,
        seed,
        recipe.evaluation.test_temperature,
        **labels,
    )
