"""Train the process reward model that ships with the package, and evaluate it.

    python -m mstar.experiments.judges.train --out DIR

It starts from a policy and is trained on exact solutions, corrupted ones and the policy's own
samples. ``--target outcome`` trains a judge of whole responses in the same way.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console

from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.judges.training import JudgeTraining, train_judge
from mstar.experiments.judges.errors import error_table
from mstar.experiments.judges.evaluation import best_threshold, evaluation_items, judged_rows
from mstar.experiments.judges.examples import JudgeExamples, batches
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.train import load_policy, prepare_torch


@dataclass(frozen=True)
class JudgeRun:
    """How to train a judge.

    Attributes:
        out: folder for the judge.
        examples: the labelled responses.
        fit: the updates.
        workers: number of processes that make the responses, in addition to the one that trains;
            it changes nothing but the speed. -1 takes all cores but one; 0 makes them between the
            updates.
        lora_rank: 0 trains all weights of the backbone; above, a LoRA of this rank beside the head.
        threads: torch threads of the process that trains.
        validation: number of problems that the threshold is chosen on.
        test: number of unseen problems to evaluate on, for each test seed.
        test_seeds: of these problems.
    """

    out: Path
    examples: tyro.conf.OmitArgPrefixes[JudgeExamples] = field(default_factory=JudgeExamples)
    fit: tyro.conf.OmitArgPrefixes[JudgeTraining] = field(default_factory=JudgeTraining)
    workers: int = 0
    lora_rank: int = 0
    threads: int = 1
    validation: int = 300
    test: int = 200
    test_seeds: tuple[int, ...] = (0, 1, 2)


def train_step_judge(settings: JudgeRun, console: Console) -> list[Row]:
    """Train a judge, choose its threshold, save it, and evaluate it on unseen problems.

    Returns:
        The rows of the evaluation, which are also in ``errors.jsonl``.
    """
    prepare_torch(settings.threads)
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
    torch.manual_seed(settings.examples.seed)
    recipe = settings.examples.recipe()
    backbone = load_policy(recipe.replace(lora_rank=settings.lora_rank))
    judge = StepJudge.fresh(backbone, recipe.data.image_size)
    history = fitted(judge, settings, console)
    asked = evaluation_items(settings.examples, "validation", settings.validation, [0])
    judge = replace(judge, threshold=best_threshold(judged_rows(judge, asked)))
    judge.save(settings.out)
    described = {**asdict(settings), "threshold": judge.threshold, "history": history}
    text = json.dumps(described, indent=1, default=str)
    (settings.out / "training.json").write_text(text + "\n")
    console.print(f"judge with threshold {judge.threshold} written to {settings.out}")
    asked = evaluation_items(settings.examples, "test", settings.test, settings.test_seeds)
    rows = judged_rows(judge, asked)
    write_rows(settings.out / "errors.jsonl", rows)
    return rows


def fitted(judge: StepJudge, settings: JudgeRun, console: Console) -> list[dict[str, Any]]:
    """Train in place; return and print update, seconds and mean loss every hundred updates."""
    workers = (os.cpu_count() or 2) - 1 if settings.workers == -1 else settings.workers
    stream = batches(settings.examples, workers)
    started, history = time.monotonic(), []
    recent: list[torch.Tensor] = []
    try:
        for update, loss in enumerate(train_judge(judge, stream, settings.fit), start=1):
            recent.append(loss)
            if update % 100 == 0 or update in (10, 30):
                row = {
                    "update": update,
                    "seconds": round(time.monotonic() - started, 1),
                    "loss": round(float(torch.stack(recent).mean()), 4),
                }
                history.append(row)
                console.print("  ".join(f"{name} {value}" for name, value in row.items()))
                recent = []
    finally:
        stream.close()  # the workers end
    return history


if __name__ == "__main__":
    terminal = Console()
    tested = train_step_judge(tyro.cli(JudgeRun), terminal)
    terminal.print(error_table(tested), soft_wrap=True)
