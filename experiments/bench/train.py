"""The speed of training relative to a plain loop over the same responses, in the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.optimizer import AcceleratedOptimizer
from transformers import Trainer
from trl import GRPOTrainer, SFTTrainer

from mstar.agents import sft_trainer
from mstar.agents.config import Recipe
from mstar.agents.monitor.evaluation import Monitor
from mstar.agents.online import trl_bridge
from mstar.agents.online.agent import Online
from mstar.agents.online.trl_bridge import TrlBridge
from mstar.agents.policy.policy import Policy, Precision
from mstar.agents.policy.turns import continued
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import SFTExample
from mstar.experiments.bench.sampler import reference_policy
from mstar.experiments.bench.stopwatch import Stopwatch
from mstar.experiments.run.problems import open_task

# Dense bfloat16 operations a second, as the makers state them, by a part of torch's device name.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "RTX 4090": 165e12,
    "MI300X": 1307e12,
}

TRAINING = ("processor", "padding", "forward and backward", "optimizer", "rest")


@dataclass(frozen=True, slots=True)
class TrainBench:
    """What is trained.

    Attributes:
        model: a folder or hub name; empty for a random LLaVA of 6.6 M weights.
        dtype: of the weights.
        lora_rank: 0 trains all weights.
        gradient_checkpointing: less memory, more time.
        size: side of the images, in pixels.
        batch: responses that an update learns from.
        updates: of a round.
        new_tokens: length of a response.
    """

    model: str
    dtype: Precision
    lora_rank: int
    gradient_checkpointing: bool
    size: int
    batch: int
    updates: int
    new_tokens: int

    def policy(self) -> Policy:
        """A new policy of the model."""
        policy = Policy.load(self.model, dtype=self.dtype) if self.model else reference_policy()
        return policy.with_lora(self.lora_rank) if self.lora_rank else policy

    def recipe(self, agent: str) -> Recipe:
        """A recipe of two rounds, of which the second is measured."""
        responses = self.batch * self.updates
        return Recipe.of(
            agent=agent,
            rounds=2,
            prompts=responses // 4,
            samples=4,
            max_new_tokens=self.new_tokens,
            unfinished="everything",  # what a random model writes hardly ever ends
            panel=("correctness", "random"),
            gate="random",
            rank="reward",
            weights=(0.0, 1.0),
            held_out=1,
            held_out_samples=1,
            updates=self.updates,
            batch=self.batch,
            minibatches=1,
            kl_coefficient=0.0,
            gradient_checkpointing=self.gradient_checkpointing,
            bf16=self.dtype == "bfloat16",
            families=("BarChart",),
            extra_families=(),
            size=self.size,
            guards="watch",
            canaries="warn",
        )


def bench_train(bench: TrainBench) -> list[dict[str, Any]]:
    """Time fine-tuning and GRPO on one model, each beside a plain loop of the same updates.

    Returns:
        A row for each of the two, of a round that is not the first. ``seconds`` has the wall time
        of its parts, and of the trainer's start before it. ``tokens_per_second`` counts the tokens
        of prompts and responses that were trained on over the parts in ``TRAINING``. The plain loop
        runs the model and torch's AdamW on batches that were made before; ``over_plain`` is our
        time over its. ``peak_share`` is the share of the device's bfloat16 rate, by 6 operations a
        weight and token, or 4 where the base is frozen; None where the rate is not known.
    """
    rows = []
    for name, measure in (("fine-tuning", fine_tuning), ("grpo", grpo)):
        watch, policy = Stopwatch(), bench.policy()
        with ExitStack() as open_parts, tempfile.TemporaryDirectory() as folder:
            for part, owner, function in (
                ("processor", Policy, "_process"),
                ("padding", sft_trainer, "continued"),
                ("padding", trl_bridge, "continued"),
                ("forward and backward", SFTTrainer, "training_step"),
                ("forward and backward", GRPOTrainer, "training_step"),
                ("optimizer", AcceleratedOptimizer, "step"),
                ("checkpoint", Trainer, "_save_checkpoint"),
                ("trainer start", LiveTrainer, "_start"),
                ("trainer start", Online, "_start"),
                ("sampling", TrlBridge, "respond"),
                ("measuring", Monitor, "evaluate"),
            ):
                open_parts.enter_context(watch.calls(part, owner, function))
            examples = measure(bench, policy, watch, Path(folder))
        plain = plain_loop(bench, bench.policy(), examples)
        rows.append(row_of(name, bench, policy, examples, watch.seconds, plain))
    return rows


def fine_tuning(
    bench: TrainBench, policy: Policy, watch: Stopwatch, folder: Path
) -> list[SFTExample]:
    """Measure a round of fine-tuning on random responses, which are returned."""
    recipe = bench.recipe("continuous")
    live = LiveTrainer(policy, recipe.optim, folder, rounds=2, seed=0)
    first, second = (random_examples(bench, policy, recipe, seed) for seed in (1, 2))
    live.fine_tune(first)
    started = watch.seconds["trainer start"]
    watch.seconds.clear()
    with watch.part("rest"):
        live.fine_tune(second)
    watch.seconds["trainer start"] = started
    live.close()
    return second


def grpo(bench: TrainBench, policy: Policy, watch: Stopwatch, folder: Path) -> list[SFTExample]:
    """Measure a round of GRPO; returns the responses that it sampled and learned from."""
    recipe = bench.recipe("grpo")
    problems, validation = open_task(recipe, "train"), open_task(recipe, "validation")
    learner = Online(policy, problems, validation, recipe, folder)
    rounds = learner.learn()
    next(rounds)  # the base
    next(rounds)
    started = watch.seconds["trainer start"]
    watch.seconds.clear()
    with watch.part("rest"):
        done = next(rounds)
    watch.seconds["trainer start"] = started
    learner.close()
    learned = [tuple(learner.bridge.learnable(each)) for each in done.rollouts]
    return [SFTExample(r.prompt, ids) for r, ids in zip(done.rollouts, learned, strict=True)]


def random_examples(
    bench: TrainBench, policy: Policy, recipe: Recipe, seed: int
) -> list[SFTExample]:
    """As many random responses as a round learns from, four to each prompt."""
    rng, task = np.random.default_rng(seed), open_task(recipe, "train")
    special = {*policy.media_tokens, *policy.end_tokens}
    words = [i for i in range(len(policy.processor.tokenizer)) if i not in special]
    task.start_at(seed)
    prompts = [task.prompt(problem) for problem in task.draw(recipe.sampling.prompts)]
    return [
        SFTExample(prompt, tuple(rng.choice(words, bench.new_tokens).tolist()))
        for prompt in prompts
        for _ in range(recipe.sampling.samples)
    ]


def plain_loop(bench: TrainBench, policy: Policy, examples: Sequence[SFTExample]) -> float:
    """Seconds in which a loop without a trainer makes the same updates; the faster of two runs."""
    model, batches = policy.model.train(), batches_of(bench, policy, examples)
    if bench.gradient_checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, watch = torch.optim.AdamW(trained, lr=1e-5, fused=True), Stopwatch()
    for run in ("first", "second"):
        with watch.part(run):
            for batch in batches:
                model(**batch).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
    return min(watch.seconds.values())


def batches_of(
    bench: TrainBench, policy: Policy, examples: Sequence[SFTExample]
) -> list[dict[str, torch.Tensor]]:
    """The inputs of each update, with labels."""
    chunks = [examples[i : i + bench.batch] for i in range(0, len(examples), bench.batch)]
    return [
        continued(policy, [each.prompt for each in chunk], [each.tokens for each in chunk])
        for chunk in chunks
    ]


def row_of(
    work: str,
    bench: TrainBench,
    policy: Policy,
    examples: Sequence[SFTExample],
    seconds: Mapping[str, float],
    plain: float,
) -> dict[str, Any]:
    """The row of one kind of training; see ``bench_train``."""
    batches = batches_of(bench, policy, examples)
    tokens = sum(int(batch["attention_mask"].sum()) for batch in batches)
    spent = sum(seconds.get(part, 0.0) for part in TRAINING)
    device = torch.cuda.get_device_name() if policy.device.type == "cuda" else policy.device.type
    peak, operations = peak_of(device), (4 if bench.lora_rank else 6) * policy.size * tokens
    return {
        "work": work,
        "device": device,
        "weights": policy.size,
        "responses": len(examples),
        "tokens": tokens,
        "tokens_per_second": round(tokens / spent),
        "plain_tokens_per_second": round(tokens / plain),
        "over_plain": round(spent / plain, 2),
        "peak_share": None if peak is None else round(operations / spent / peak, 3),
        "seconds": {part: round(each, 3) for part, each in sorted(seconds.items())},
    }


def peak_of(device: str) -> float | None:
    """The bfloat16 operations a second of a device of this name, if they are known."""
    words = f" {device.replace('-', ' ')} "
    return next((rate for name, rate in PEAKS.items() if f" {name} " in words), None)
