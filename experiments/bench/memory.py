"""The memory that a run takes, beside what ``mstar estimate`` says of it before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Precision, pick_device
from mstar.experiments.bench.base import Bench
from mstar.experiments.estimate.estimate import estimate_run, resident_bytes
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row
from mstar.experiments.run.train import train


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBench(Bench):
    """Measure the memory that whole runs take, beside what was estimated.

    Attributes:
        model: folders or hub names; the embedded model if there are none.
        dtype: of the weights.
        lora_rank: 0 trains all weights.
        gradient_checkpointing: less memory, more time.
        size: side of the images, in pixels.
        batch: responses that an update learns from.
        new_tokens: the most of a response; a random model writes as many.
    """

    model: tuple[str, ...] = ()
    dtype: Precision = "float32"
    lora_rank: int = 0
    gradient_checkpointing: bool = False
    size: int = 112
    batch: int = 8
    new_tokens: int = 64

    def measure(self, say: Callable[[str], None]) -> Iterator[Row]:
        """A row for each model; see ``bench_memory``."""
        return bench_memory(self)

    def recipe(self, model: str) -> Recipe:
        """Two rounds of continuous training in which about half of all responses are kept."""
        return Recipe.of(
            agent="continuous",
            model=model,
            dtype=self.dtype,
            bf16=self.dtype == "bfloat16",
            lora_rank=self.lora_rank,
            gradient_checkpointing=self.gradient_checkpointing,
            size=self.size,
            rounds=2,
            prompts=max(8, self.batch // 4),
            samples=4,
            updates=2,
            batch=self.batch,
            max_new_tokens=self.new_tokens,
            unfinished="everything",  # what a random model writes hardly ever ends
            panel=("correctness", "random"),
            gate="random",
            rank="reward",
            weights=(0.0, 1.0),
            controller="fixed",
            validation_problems=8,
            validation_samples=2,
            test=4,
            test_samples=1,
            families=("BarChart", "Counting"),
            extra_families=(),
            guards="watch",
            canaries="warn",
        )


def bench_memory(bench: MemoryBench) -> Iterator[Row]:
    """Run each model in a process of its own; a row each, in GiB.

    ``peak`` is the most that the whole run took, test and report included: on a GPU of its memory,
    on a CPU of the host's by all of the process. ``estimated`` was said before it, with
    ``libraries``, and that up to ``kept`` may come to it; ``error`` is how far the peak was from
    that range, relative to the peak.
    """
    for model in bench.model or ("embedded",):
        here, there = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_measure, args=(bench.recipe(model), there)
        )
        process.start()
        there.close()
        try:
            estimated, libraries, kept, peak = here.recv()
        except EOFError:
            raise RuntimeError(f"the run of {model} ended with an error; see above") from None
        process.join()
        yield {
            "model": Path(model).name,
            "device": pick_device("auto").type,
            "dtype": bench.dtype,
            "lora_rank": bench.lora_rank,
            "gradient_checkpointing": bench.gradient_checkpointing,
            "batch": bench.batch,
            "new_tokens": bench.new_tokens,
            "libraries": round(libraries / 2**30, 3),
            "estimated": round(estimated / 2**30, 3),
            "kept": round(kept / 2**30, 3),
            "peak": round(peak / 2**30, 3),
            "error": round(min(max(estimated, peak), estimated + kept) / peak - 1, 3),
        }


def memory_table(rows: Sequence[Row]) -> str:
    """Markdown of the rows of ``bench_memory``."""
    lines = []
    for row in rows:
        trained = f"LoRA of {row['lora_rank']}" if row["lora_rank"] else "all weights"
        upto = f" to {row['estimated'] + row['kept']:.2f}" if row["kept"] else ""
        lines.append(
            f"| {row['model']} | {trained} | {row['batch']} | {row['estimated']:.2f}{upto} "
            f"| {row['peak']:.2f} | {100 * row['error']:+.1f} % |"
        )
    return table("| model | trained | batch | estimated, GiB | taken, GiB | error |", lines)


def _measure(recipe: Recipe, answer: Any) -> None:
    """Estimate a run, do it, and send what was estimated and the peak, in bytes."""
    found = estimate_run(recipe, pilot_seconds=0)
    with TemporaryDirectory() as folder:
        train(recipe, Path(folder) / "run", Console(quiet=True))
    on_gpu = torch.cuda.is_available()
    peak = torch.cuda.max_memory_allocated() if on_gpu else resident_bytes()
    most = max(found.memory.training, found.memory.sampling)
    answer.send((found.libraries + most, found.libraries, found.kept, peak))
