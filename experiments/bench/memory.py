"""The memory that a run takes, beside what ``mstar estimate`` says of it before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Precision, pick_device
from mstar.experiments.bench.base import Bench
from mstar.experiments.estimate.estimate import RunEstimate, estimate_run
from mstar.experiments.markdown import table
from mstar.experiments.rows import Row
from mstar.experiments.run.peak_memory import peak_memory
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
        rounds: of the whole run; its pilot does two.
    """

    model: tuple[str, ...] = ()
    dtype: Precision = "float32"
    lora_rank: int = 0
    gradient_checkpointing: bool = False
    size: int = 112
    batch: int = 8
    new_tokens: int = 64
    rounds: int = 4

    def measure(self, say: Callable[[str], None]) -> Iterator[Row]:
        """A row for each model; see ``bench_memory``."""
        return bench_memory(self)

    def recipe(self, model: str) -> Recipe:
        """Rounds of continuous training in which about half of all responses are kept."""
        return Recipe.of(
            agent="continuous",
            model=model,
            dtype=self.dtype,
            bf16=self.dtype == "bfloat16",
            lora_rank=self.lora_rank,
            gradient_checkpointing=self.gradient_checkpointing,
            size=self.size,
            rounds=self.rounds,
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
    """Estimate and run each model, each in a process of its own; a row each, in GiB.

    ``peak`` is the most that the whole run took, test and report included: on a GPU of its memory,
    on a CPU of the host's by all of the process. ``estimated`` was counted before it, with
    ``libraries``, and that up to ``kept`` may come to it; ``error`` is how far the peak was from
    that range, relative to the peak. ``expected`` is what the pilot led to expect, and
    ``expected_error`` how far that was from the peak, likewise.
    """
    for model in bench.model or ("embedded",):
        recipe = bench.recipe(model)
        found, peak = _alone(_estimate, recipe), _alone(_peak, recipe)
        estimated, expected = found.libraries + found.memory.most, found.expected or 0
        yield {
            "model": Path(model).name,
            "device": pick_device("auto").type,
            "dtype": bench.dtype,
            "lora_rank": bench.lora_rank,
            "gradient_checkpointing": bench.gradient_checkpointing,
            "batch": bench.batch,
            "new_tokens": bench.new_tokens,
            "rounds": bench.rounds,
            "libraries": _gib(found.libraries),
            "estimated": _gib(estimated),
            "kept": _gib(found.kept),
            "expected": _gib(expected),
            "peak": _gib(peak),
            "error": round(min(max(estimated, peak), estimated + found.kept) / peak - 1, 3),
            "expected_error": round(expected / peak - 1, 3),
        }


def memory_table(rows: Sequence[Row]) -> str:
    """Markdown of the rows of ``bench_memory``."""
    lines = []
    for row in rows:
        trained = f"LoRA of {row['lora_rank']}" if row["lora_rank"] else "all weights"
        upto = f" to {row['estimated'] + row['kept']:.2f}" if row["kept"] else ""
        pilot = "— | —"
        if row.get("expected"):  # earlier rows are without it
            pilot = f"{row['expected']:.2f} | {100 * row['expected_error']:+.1f} %"
        lines.append(
            f"| {row['model']} | {trained} | {row['batch']} | {row['estimated']:.2f}{upto} "
            f"| {100 * row['error']:+.1f} % | {pilot} | {row['peak']:.2f} |"
        )
    return table(
        "| model | trained | batch | counted, GiB | error | by the pilot, GiB | error "
        "| taken, GiB |",
        lines,
    )


def _alone(measured: Callable[[Recipe], Any], recipe: Recipe) -> Any:
    """What a function gives in a process of its own, since the most that was taken stays."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, recipe).result()


def _estimate(recipe: Recipe) -> RunEstimate:
    """By the shortest pilot."""
    return estimate_run(recipe, pilot_seconds=1e-3)


def _peak(recipe: Recipe) -> int:
    """Bytes that the run takes."""
    with TemporaryDirectory() as folder:
        train(recipe, Path(folder) / "run", Console(quiet=True))
    return peak_memory()


def _gib(count: int) -> float:
    return round(count / 2**30, 3)
