"""Train the embedded model from random weights: first to read images, then to answer.

    python -m mstar.experiments.pretrain.pretrain --out DIR

Stage 1 trains on correct solutions of generated problems until the model reads images reliably.
Stage 2 continues on solutions of mixed quality, in which bare guesses are the most frequent kind,
as in data from the web. So self-evolving training has something to improve.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from mstar.agents.policy.embedded import build_model, build_processor, train_tokenizer
from mstar.experiments.pretrain.corpus import Corpus, CorpusConfig, corpus_texts

# The first six are those of the default recipe: four that self-evolution practises, two to test on.
READ = (
    *("BarChart-v0", "Counting-v0", "Counting-v0", "Dice-v0", "Clock-v0", "Ruler-v0"),
    *("Shapes-v0", "Pictograph-v0", "Venn-v0", "Coins-v0", "IconArithmetic-v0"),
)
FLOOR = 0.05  # of the peak learning rate, at the end of stage 1


@dataclass(frozen=True)
class Pretraining:
    """How to train the embedded model.

    Attributes:
        out: folder for the checkpoint and its card.
        families: names, used in turn; a name that is listed twice is used twice as often.
        levels: shares of the levels 1, 2 and 3.
        choice: share of the problems that are multiple choice.
        phrased: share of the problems in another wording, instruction or language.
        tokenizer_texts: conversations that the tokenizer is trained on.
        reading_steps: updates of stage 1.
        batch: problems per update of stage 1.
        learning_rate: peak of stage 1, reached after `warmup` updates, then a cosine.
        warmup: updates of linear warm-up in stage 1.
        mixture_steps: updates of stage 2.
        mixture_batch: problems per update of stage 2.
        mixture_learning_rate: constant through stage 2.
        careful: share of correct step-by-step solutions in stage 2.
        corrupted: share of solutions with one wrong step in stage 2, the rest being bare guesses;
            ``--slips`` until version 0.3.
        right_guesses: share of the bare guesses that are right.
        seed: of weights, problems and solutions.
        threads: torch threads on a CPU.
        workers: processes that draw problems; the batches are the same whatever their number.
        device: where to train; a GPU if there is one.
        minutes: time limit of stage 1, which the learning-rate schedule then follows; 0 sets none.
        start: a checkpoint to start from instead of random weights.
    """

    out: Path
    families: tuple[str, ...] = READ
    levels: tuple[float, float, float] = (0.7, 0.2, 0.1)
    choice: float = 0.15
    phrased: float = 0.5
    tokenizer_texts: int = 6000
    reading_steps: int = 5000
    batch: int = 256
    learning_rate: float = 3e-3
    warmup: int = 200
    mixture_steps: int = 300
    mixture_batch: int = 32
    mixture_learning_rate: float = 3e-4
    careful: float = 0.35
    corrupted: Annotated[float, tyro.conf.arg(aliases=("--slips",))] = 0.18
    right_guesses: float = 0.9
    seed: int = 0
    threads: int = 2
    workers: int = 1
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    minutes: float = 0.0
    start: Path | None = None

    @property
    def reading_corpus(self) -> CorpusConfig:
        """The corpus of stage 1."""
        return CorpusConfig(
            self.families, self.levels, self.choice, self.phrased, 1.0, 0.0, 1.0, described=True
        )

    @property
    def mixed_corpus(self) -> CorpusConfig:
        """The corpus of stage 2."""
        return CorpusConfig(
            self.families,
            self.levels,
            self.choice,
            self.phrased,
            self.careful,
            self.corrupted,
            self.right_guesses,
            described=False,
        )


def train_stage(
    model: Any, processor: LlavaProcessor, settings: Pretraining, mixed: bool, console: Console
) -> int:
    """Next-token training on completions for one stage; returns the number of updates."""
    steps = settings.mixture_steps if mixed else settings.reading_steps
    peak = settings.mixture_learning_rate if mixed else settings.learning_rate
    batch_size = settings.mixture_batch if mixed else settings.batch
    optimizer = torch.optim.AdamW(
        model.parameters(), peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    config = settings.mixed_corpus if mixed else settings.reading_corpus
    corpus = Corpus(config, processor, batch_size, seed=2 * settings.seed + mixed)
    loader = DataLoader(corpus, batch_size=None, num_workers=settings.workers)
    recent: list[torch.Tensor] = []
    started, step, share = time.monotonic(), 0, 0.0
    model.train()
    for batch in loader:
        minutes = (time.monotonic() - started) / 60
        share = step / max(1, steps)
        if not mixed and settings.minutes:
            share = max(share, minutes / settings.minutes)
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = peak if mixed else peak * _schedule(step, settings.warmup, share)
        recent.append(_update(model, optimizer, batch, settings.device))
        step += 1
        if step % 100 == 0:
            loss, recent = float(torch.stack(recent).mean()), []
            rate = step * batch_size / (60 * minutes + 1e-9)
            name = "mixture" if mixed else "reading"
            console.print(f"{name}  update {step}  loss {loss:.4f}  {rate:.0f} problems/s")
        if step % 1000 == 0:
            save(model, processor, settings.out)
    return step


def _update(
    model: Any, optimizer: torch.optim.Optimizer, batch: dict[str, Any], device: str
) -> torch.Tensor:
    """Make one optimizer update, in bfloat16 where the device supports it; returns the loss."""
    inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        loss: torch.Tensor = model(**inputs).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def _schedule(step: int, warmup: int, share: float) -> float:
    """Linear warm-up, then a cosine decay down to ``FLOOR``."""
    cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))
    return min((step + 1) / max(1, warmup), 1.0) * cosine


def save(model: Any, processor: LlavaProcessor, out: Path) -> None:
    """Write model and processor as any Hugging Face checkpoint."""
    model.save_pretrained(out, safe_serialization=True)
    processor.save_pretrained(out)
    name_as_published(out / "model.safetensors")


def name_as_published(path: Path) -> None:
    """Name the weights of the image tower as published LLaVAs do, which vLLM asks for.

    transformers reads both names, and saves a model by those that it was loaded by; a model that
    was built here has none of them yet.
    """
    published, built = "vision_tower.vision_model.", "vision_tower."
    weights = load_file(path)
    named = {
        name if published in name else name.replace(built, published): weight
        for name, weight in weights.items()
    }
    save_file(named, path, metadata={"format": "pt"})


def pretrain(settings: Pretraining) -> None:
    """Run both stages and write the checkpoint to ``settings.out``."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    console = Console()
    if settings.start is None:
        texts = corpus_texts(settings.reading_corpus, settings.seed, settings.tokenizer_texts)
        tokenizer = train_tokenizer(texts)
        model, processor = build_model(tokenizer), build_processor(tokenizer)
    else:
        processor = LlavaProcessor.from_pretrained(settings.start)
        model = LlavaForConditionalGeneration.from_pretrained(settings.start, dtype=torch.float32)
    model.to(settings.device)
    updates = []
    for mixed in (False, True):
        updates.append(train_stage(model, processor, settings, mixed, console))
        save(model, processor, settings.out if mixed else settings.out / "reading")
    described = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}
    described["updates"] = updates
    (settings.out / "pretraining.json").write_text(json.dumps(described, indent=2) + "\n")
    console.print(f"embedded model written to {settings.out}")


if __name__ == "__main__":
    pretrain(tyro.cli(Pretraining))
