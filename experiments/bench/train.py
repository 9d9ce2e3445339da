"""The speed of training relative to a plain loop over the same responses, in the same run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import release_memory
from torch.utils.flop_counter import FlopCounterMode
from transformers import Trainer
from trl import GRPOTrainer, SFTTrainer
from trl.trainer.utils import add_fused_lm_head

from mstar.agents import sft_trainer
from mstar.agents.config import Recipe
from mstar.agents.monitor.evaluation import Monitor
from mstar.agents.online import trl_bridge
from mstar.agents.online.agent import Online
from mstar.agents.online.trl_bridge import TrlBridge
from mstar.agents.policy.forward import unwrap_forward
from mstar.agents.policy.policy import Policy, Precision
from mstar.agents.policy.turns import continued
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import SFTExample
from mstar.experiments.bench.base import Bench
from mstar.experiments.bench.device import peak_gigabytes, peak_of, reset_peak_memory
from mstar.experiments.bench.sampler import reference_policy
from mstar.experiments.bench.stopwatch import Stopwatch
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row
from mstar.experiments.run.problems import open_task
from mstar.experiments.stats import estimate

TRAINING = ("processor", "padding", "forward and backward", "optimizer", "rest")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBench(Bench):
    """Time fine-tuning and GRPO, each beside a plain loop of the same updates.

    Attributes:
        model: a folder or hub name; empty for a random LLaVA of 6.6 M weights.
        dtype: of the weights.
        lora_rank: 0 trains all weights.
        gradient_checkpointing: less memory, more time.
        size: side of the images, in pixels.
        batch: responses that an update learns from, a multiple of ``samples``.
        samples: responses to each prompt.
        updates: of a round.
        new_tokens: length of a response.
    """

    model: str = ""
    dtype: Precision = "float32"
    lora_rank: int = 0
    gradient_checkpointing: bool = False
    size: int = 112
    batch: int = 8
    samples: int = 4
    updates: int = 4
    new_tokens: int = 64

    def measure(self, say: Callable[[str], None]) -> list[Row]:
        """A row for fine-tuning, and one for GRPO."""
        return bench_train(self)

    def policy(self) -> Policy:
        """A new policy of the model, its image tower frozen as ``mstar train`` does by default."""
        policy = Policy.load(self.model, dtype=self.dtype) if self.model else reference_policy()
        if self.lora_rank:
            return policy.with_lora(self.lora_rank)
        if self.model:
            policy.freeze_image_tower()
        return policy

    def recipe(self, agent: str) -> Recipe:
        """A recipe of two rounds, of which the second is measured."""
        responses = self.batch * self.updates
        return Recipe.of(
            agent=agent,
            rounds=2,
            prompts=responses // self.samples,
            samples=self.samples,
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
            minibatches=self.updates,  # of one sampling
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
        of its parts, and of the trainer's start before it; ``scoring`` is GRPO's reading of
        responses before the first update from them. ``tokens_per_second`` counts the tokens of
        prompts and responses that were trained on over the parts in ``TRAINING``. The plain loop
        runs the model and torch's AdamW on batches that were made before, with a row for each
        response; ``over_plain`` is our time over its. ``operations_per_token`` are those of matrix
        products and attention that the forward and backward passes of the updates run, counted by
        torch in the round before, those of checkpointed activations once more included, and
        ``plain_operations_per_token`` those of the plain loop: GRPO reads a prompt once for
        neighbouring responses. ``peak_share`` is their rate over the device's for bfloat16, None
        where that is not known. ``peak_gigabytes`` is the most memory of a GPU that the measured
        round took.
    """
    rows = []
    for name, measure in KINDS.items():
        watch, policy = Stopwatch(), bench.policy()
        with ExitStack() as open_parts, tempfile.TemporaryDirectory() as folder:
            for part, owner, function in (
                ("processor", Policy, "_process"),
                ("padding", sft_trainer, "continued"),
                ("padding", trl_bridge, "continued"),
                ("padding", trl_bridge, "packed"),
                ("forward and backward", SFTTrainer, "training_step"),
                ("forward and backward", GRPOTrainer, "training_step"),
                ("optimizer", AcceleratedOptimizer, "step"),
                ("checkpoint", Trainer, "_save_checkpoint"),
                ("trainer start", LiveTrainer, "__init__"),
                ("trainer start", LiveTrainer, "_start"),
                ("trainer start", Online, "_start"),
                ("scoring", GRPOTrainer, "_generate_and_score_completions"),
                ("sampling", TrlBridge, "respond"),
                ("measuring", Monitor, "evaluate"),
            ):
                open_parts.enter_context(watch.calls(part, owner, function))
            measured = measure(bench, policy, watch, Path(folder))
        release_memory()  # of the trainer
        memory = peak_gigabytes(policy.device)
        plain = plain_loop(bench, policy, measured.examples)
        row = row_of(name, bench, policy, measured, watch.seconds, plain)
        rows.append(row | {"peak_gigabytes": memory})
        del policy
        release_memory()
    return rows


@dataclass(frozen=True, slots=True)
class Measured:
    """A round of training.

    Attributes:
        examples: that were learned from.
        operations: of the forward and backward passes, for each token of prompts and responses.
    """

    examples: Sequence[SFTExample]
    operations: float


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain loop over the same examples.

    Attributes:
        seconds: of the faster of two runs.
        operations: of the forward and backward passes of all updates.
    """

    seconds: float
    operations: float


def fine_tuning(bench: TrainBench, policy: Policy, watch: Stopwatch, folder: Path) -> Measured:
    """Measure a round of fine-tuning on random responses."""
    recipe = bench.recipe("continuous")
    live = LiveTrainer(policy, recipe.optim, folder, rounds=2, seed=0)
    first, second = (random_examples(bench, policy, recipe, seed) for seed in (1, 2))
    with counted_passes(SFTTrainer, "compute_loss") as operations:
        live.fine_tune(first)
    started = watch.seconds["trainer start"]
    watch.seconds.clear()
    reset_peak_memory(policy.device)
    with watch.part("rest"):
        live.fine_tune(second)
    watch.seconds["trainer start"] = started
    live.close()
    return Measured(second, sum(operations) / tokens_of(batches_of(bench, policy, first)))


def grpo(bench: TrainBench, policy: Policy, watch: Stopwatch, folder: Path) -> Measured:
    """Measure a round of GRPO, with the responses that it sampled and learned from."""
    recipe = bench.recipe("grpo")
    problems, validation = open_task(recipe, "train"), open_task(recipe, "validation")
    learner = Online(policy, problems, validation, recipe, folder)
    rounds = learner.learn()
    next(rounds)  # the base
    with counted_passes(GRPOTrainer, "_compute_loss") as operations:
        first = next(rounds)
    started = watch.seconds["trainer start"]
    watch.seconds.clear()
    reset_peak_memory(policy.device)
    with watch.part("rest"):
        second = next(rounds)
    watch.seconds["trainer start"] = started
    learner.close()
    before, examples = (
        [SFTExample(each.prompt, tuple(learner.bridge.learnable(each))) for each in done.rollouts]
        for done in (first, second)
    )
    tokens = tokens_of(batches_of(bench, policy, before))
    return Measured(examples, sum(operations) / tokens)


def random_examples(
    bench: TrainBench, policy: Policy, recipe: Recipe, seed: int
) -> list[SFTExample]:
    """As many random responses as a round learns from."""
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


def plain_loop(bench: TrainBench, policy: Policy, examples: Sequence[SFTExample]) -> Plain:
    """A loop without a trainer that makes the same updates on a policy that was trained.

    It computes what the trainer does: log-probabilities of responses alone, by TRL's head.
    """
    model, batches = policy.model.train(), batches_of(bench, policy, examples)
    add_fused_lm_head(policy.network)
    if bench.gradient_checkpointing:
        policy.network.activation_checkpointing_enable()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, watch = torch.optim.AdamW(trained, lr=1e-5, fused=True), Stopwatch()

    def pass_over(batch: dict[str, torch.Tensor]) -> None:
        with torch.autocast(policy.device.type, torch.bfloat16, bench.dtype == "bfloat16"):
            loss = model(**batch, fused_lm_head=True).loss
        loss.backward()

    with operation_counter() as counter:
        pass_over(batches[0])
    optimizer.zero_grad()
    for run in ("first", "second"):
        with watch.part(run):
            for batch in batches:
                pass_over(batch)
                torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimizer.step()
                optimizer.zero_grad()
    unwrap_forward(policy.model)
    share = tokens_of(batches[:1]) / tokens_of(batches)
    return Plain(min(watch.seconds.values()), counter.get_total_flops() / share)


def operation_counter() -> FlopCounterMode:
    """Counts the operations of matrix products and attention."""
    counted = {torch.ops.aten.addmm: addmm_operations}
    return FlopCounterMode(display=False, custom_mapping=counted)


@contextmanager
def counted_passes(trainer: type, loss: str) -> Iterator[list[int]]:
    """Collect the operations of forward and backward passes while this is open.

    Args:
        trainer: whose passes they are.
        loss: name of its method that runs the forward pass.
    """
    operations: list[int] = []

    def counted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            with operation_counter() as counter:  # in each call: it sees its own thread alone
                out = plain(*given, **named)
            operations.append(counter.get_total_flops())
            return out

        return call

    with (
        patch.object(trainer, loss, counted(getattr(trainer, loss))),
        patch.object(Accelerator, "backward", counted(Accelerator.backward)),
    ):
        yield operations


def addmm_operations(
    bias: Sequence[int], left: Sequence[int], right: Sequence[int], *others: Any, **named: Any
) -> int:
    """Operations of a product of matrices of these shapes, to which a bias is added.

    torch's own count fails where the precision of the result is named, as TRL's head does on GPUs.
    """
    return 2 * left[0] * left[1] * right[1]


def batches_of(
    bench: TrainBench, policy: Policy, examples: Sequence[SFTExample]
) -> list[dict[str, torch.Tensor]]:
    """The inputs of each update, with labels."""
    chunks = [examples[i : i + bench.batch] for i in range(0, len(examples), bench.batch)]
    return [
        continued(policy, [each.prompt for each in chunk], [each.tokens for each in chunk])
        for chunk in chunks
    ]


def tokens_of(batches: Sequence[Mapping[str, torch.Tensor]]) -> int:
    """The tokens of prompts and responses in batches, without padding."""
    return sum(int(batch["attention_mask"].sum()) for batch in batches)


def row_of(
    work: str,
    bench: TrainBench,
    policy: Policy,
    measured: Measured,
    seconds: Mapping[str, float],
    plain: Plain,
) -> dict[str, Any]:
    """The row of one kind of training; see ``bench_train``."""
    tokens = tokens_of(batches_of(bench, policy, measured.examples))
    spent = sum(seconds.get(part, 0.0) for part in TRAINING)
    operations = measured.operations * tokens
    device = torch.cuda.get_device_name() if policy.device.type == "cuda" else policy.device.type
    peak = peak_of(device)
    return {
        "work": work,
        "model": Path(bench.model).name or "random LLaVA",
        "dtype": bench.dtype,
        "lora_rank": bench.lora_rank,
        "samples": bench.samples,
        "device": device,
        "weights": policy.size,
        "responses": len(measured.examples),
        "tokens": tokens,
        "tokens_per_second": round(tokens / spent),
        "plain_tokens_per_second": round(tokens / plain.seconds),
        "over_plain": round(spent / plain.seconds, 2),
        "operations_per_token": round(measured.operations),
        "plain_operations_per_token": round(plain.operations / tokens),
        "peak_share": share_of(peak, operations, spent),
        "plain_peak_share": share_of(peak, plain.operations, plain.seconds),
        "seconds": {part: round(each, 3) for part, each in sorted(seconds.items())},
    }


def speed_table(rows: Sequence[Row]) -> str:
    """Markdown of the rows of repeated runs of ``bench_train``, with 95 % intervals over them."""
    lines = []
    for model, work in dict.fromkeys((row["model"], row["work"]) for row in rows):
        own = [row for row in rows if (row["model"], row["work"]) == (model, work)]
        trained = f"LoRA of {own[0]['lora_rank']}" if own[0]["lora_rank"] else "all weights"
        share = own[0]["operations_per_token"] / own[0]["plain_operations_per_token"]
        time = estimate([np.array([row["over_plain"] for row in own])])
        lines.append(
            f"| {model} | {own[0]['dtype']}, {trained} | {work} | {share:.2f} "
            f"| {time.mean:.2f} [{time.low:.2f}, {time.high:.2f}] | {time.n} |"
        )
    return table(
        "| model | trained | work | operations, times the plain loop's "
        "| seconds, times the plain loop's | n |",
        lines,
    )


def share_of(peak: float | None, operations: float, seconds: float) -> float | None:
    """The rate of operations as a share of a device's, None where that is not known."""
    return None if peak is None else round(operations / seconds / peak, 3)


# Kinds of training, by name; each measures a round.
KINDS: dict[str, Callable[[TrainBench, Policy, Stopwatch, Path], Measured]] = {
    "fine-tuning": fine_tuning,
    "grpo": grpo,
}
