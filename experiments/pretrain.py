"""Make the embedded model from nothing: first it learns to read, then to answer as the web does.

    python -m mstar.experiments.pretrain --out DIR

Stage 1 trains on careful solutions of generated problems until the pictures are read reliably.
Stage 2 continues on solutions of mixed quality in which the bare guess is the mode and the careful
chain the minority, as in data found in the wild. Self-evolution then has something to find.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from torch.utils.data import DataLoader, IterableDataset
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from mstar.agents.embedded import (
    ASSISTANT,
    END,
    IMAGE,
    IMAGE_SIZE,
    USER,
    build_model,
    build_processor,
    train_tokenizer,
)
from mstar.envs.examiner import INSTRUCTION
from mstar.envs.families import FAMILIES
from mstar.envs.family import Latent
from mstar.envs.problem import Problem
from mstar.envs.slips import slip

# Four families that self-evolution practises later, and two that it never sees.
READ = (*("BarChart",) * 3, *("Counting", "Dice") * 2, "Clock", "Ruler", "Shapes")
IGNORED = -100  # the label that the loss leaves out


@dataclass(frozen=True)
class Pretraining:
    """How the embedded model is made.

    Attributes:
        out: folder for the checkpoint and its card.
        families: what the model learns to read, in turn; a name that stands twice comes up twice.
        level: difficulty of the problems.
        reading_steps: updates of stage 1.
        mixture_steps: updates of stage 2.
        batch: problems per update.
        learning_rate: peak of stage 1, reached after 50 updates, then a cosine to a tenth.
        mixture_learning_rate: constant through stage 2.
        careful: share of careful chains in stage 2; the rest is guesses and slips.
        slips: share of chains with one wrong step in stage 2.
        right_guesses: share of the bare guesses that are right.
        seed: of weights, problems and mixture.
        threads: of torch.
        start: a checkpoint whose weights to go on from, with the steps above to come.
    """

    out: Path
    families: tuple[str, ...] = READ
    level: int = 1
    reading_steps: int = 2600
    mixture_steps: int = 300
    batch: int = 32
    learning_rate: float = 3e-3
    mixture_learning_rate: float = 3e-4
    careful: float = 0.35
    slips: float = 0.18
    right_guesses: float = 0.9
    seed: int = 0
    threads: int = 2
    start: Path | None = None


# Everything that a picture says, after the question: a tower learns to see more from one picture.
DESCRIBE: dict[str, Callable[[Latent], str]] = {
    "BarChart": lambda latent: _pairs(latent["colors"], latent["values"]),
    "Counting": lambda latent: "\n".join(
        " ".join(cell or "none" for cell in latent["cells"][row : row + 4]) for row in (0, 4, 8)
    ),
    "Clock": lambda latent: f"{latent['hour']} {latent['minute']}",
    "Shapes": lambda latent: "\n".join(
        f"{f['color']} {f['kind']} {' '.join(map(str, f['numbers']))}" for f in latent["figures"]
    ),
    "Ruler": lambda latent: _pairs(
        latent["colors"], [f"{low} {high}" for low, high in latent["ends"]]
    ),
    "Dice": lambda latent: _pairs(latent["colors"], latent["pips"]),
}
DESCRIBE_PROMPT = "Describe the picture."


class Corpus(IterableDataset[dict[str, Any]]):
    """Endless batches of problems with a solution, ready for the model."""

    def __init__(self, settings: Pretraining, processor: LlavaProcessor, mixed: bool) -> None:
        self.settings, self.processor, self.mixed = settings, processor, mixed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        settings = self.settings
        families = [FAMILIES[name](settings.level) for name in settings.families]
        rng = np.random.default_rng([settings.seed, int(self.mixed)])
        seed = 2 * settings.seed + int(self.mixed)
        index = 0
        while True:
            prompts: list[str] = []
            completions: list[str] = []
            extras: list[str] = []
            images: list[Any] = []
            for _ in range(settings.batch):
                family = families[index % len(families)]
                problem = family.problem("train", seed, index)
                prompts.append(f"{USER}{IMAGE}{problem.question}\n{INSTRUCTION}{ASSISTANT}")
                completions.append(self._solution(problem, rng) + END)
                extras.append("" if self.mixed else self._description(problem))
                images.append(problem.pictures[0].render(IMAGE_SIZE))
                index += 1
            yield self._collate(prompts, completions, extras, images)

    def _solution(self, problem: Problem, rng: np.random.Generator) -> str:
        """Careful, or in the mixture also a slip or a bare guess."""
        settings, draw = self.settings, rng.random()
        if not self.mixed or draw < settings.careful:
            return problem.solution
        wrong = slip(problem, rng)
        if draw < settings.careful + settings.slips and wrong is not None:
            return wrong.text
        assert problem.answer is not None
        right = wrong is None or rng.random() < settings.right_guesses
        return f"Answer: {problem.answer.value if right else wrong.answer}"  # type: ignore[union-attr]

    def _description(self, problem: Problem) -> str:
        text = DESCRIBE[problem.tags["family"]](dict(problem.latent))
        return f"{USER}{DESCRIBE_PROMPT}{ASSISTANT}{text}{END}"

    def _collate(
        self, prompts: list[str], completions: list[str], extras: list[str], images: list[Any]
    ) -> dict[str, Any]:
        """Turns of a conversation as one row; the loss is on what the assistant says."""
        texts = [p + c + e for p, c, e in zip(prompts, completions, extras, strict=True)]
        batch = self.processor(
            text=texts,
            images=images,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        ids = batch["input_ids"]
        user, assistant = self.processor.tokenizer.convert_tokens_to_ids([USER, ASSISTANT])
        turn = (ids == assistant).cumsum(1) - (ids == user).cumsum(
            1
        )  # 0 while the assistant speaks
        spoken = (turn == 0) & (ids != assistant) & (batch["attention_mask"] == 1)
        labels = ids.masked_fill(~spoken, IGNORED)
        return {**batch, "labels": labels}


def _pairs(names: Sequence[str], values: Sequence[object]) -> str:
    return "\n".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def corpus_texts(settings: Pretraining, count: int = 4000) -> Iterator[str]:
    """Questions and solutions that the tokenizer learns its merges from."""
    for index in range(count):
        name = settings.families[index % len(settings.families)]
        problem = FAMILIES[name](settings.level).problem("train", settings.seed, index)
        described = DESCRIBE[name](dict(problem.latent))
        asked = f"{problem.question}\n{INSTRUCTION}\n{problem.solution}"
        yield f"{asked}\n{DESCRIBE_PROMPT}\n{described}"


def train_stage(
    model: Any, processor: LlavaProcessor, settings: Pretraining, mixed: bool, console: Console
) -> list[float]:
    """One stage of plain next-token training on completions; the loss of every update."""
    steps = settings.mixture_steps if mixed else settings.reading_steps
    peak = settings.mixture_learning_rate if mixed else settings.learning_rate
    optimizer = torch.optim.AdamW(
        model.parameters(), peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    loader = DataLoader(Corpus(settings, processor, mixed), batch_size=None, num_workers=1)
    losses: list[float] = []
    started = time.monotonic()
    model.train()
    for step, batch in zip(range(steps), loader, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = peak if mixed else peak * _schedule(step, steps)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        if step % 50 == 49:
            rate = (step + 1) * settings.batch / (time.monotonic() - started)
            console.print(
                f"stage {2 if mixed else 1}  update {step + 1}/{steps}  "
                f"loss {np.mean(losses[-50:]):.4f}  {rate:.0f} problems/s"
            )
        if step % 500 == 499:
            save(model, processor, settings.out)
    return losses


def _schedule(step: int, steps: int, warmup: int = 50) -> float:
    """Linear warm-up, then a cosine from 1 to a tenth."""
    if step < warmup:
        return (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * share))


def save(model: Any, processor: LlavaProcessor, out: Path) -> None:
    """Write model and processor as any Hugging Face checkpoint."""
    model.save_pretrained(out, safe_serialization=True)
    processor.save_pretrained(out)


def pretrain(settings: Pretraining) -> None:
    """Run both stages and leave the checkpoint in ``settings.out``."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    console = Console()
    if settings.start is None:
        tokenizer = train_tokenizer(corpus_texts(settings))
        model, processor = build_model(tokenizer), build_processor(tokenizer)
    else:
        processor = LlavaProcessor.from_pretrained(settings.start)
        model = LlavaForConditionalGeneration.from_pretrained(settings.start, dtype=torch.float32)
    for mixed in (False, True):
        train_stage(model, processor, settings, mixed, console)
        save(model, processor, settings.out if mixed else settings.out / "reading")
    described = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}
    (settings.out / "pretraining.json").write_text(json.dumps(described, indent=2) + "\n")
    console.print(f"embedded model written to {settings.out}")


if __name__ == "__main__":
    pretrain(tyro.cli(Pretraining))
