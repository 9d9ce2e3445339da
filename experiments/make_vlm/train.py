"""Teach an assembled model to see: first the tower and the connector, then a LoRA with them."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import continued, whole_turns
from mstar.envs.problem import Prompt
from mstar.experiments.make_vlm.perception import READ, draw_perception
from mstar.experiments.rows import Row, read_rows, write_rows, write_whole

STAGES = ("see", "speak")  # with the language model frozen, and with a LoRA on it
FLOOR = 0.05  # of the peak learning rate, at the end of a stage
WARMUP = 0.05  # share of a stage
SAVE_EVERY = 60.0  # seconds
STATE, WEIGHTS, OPTIMIZER = "state.json", "weights.safetensors", "optimizer.pt"
SEES = ("vision_model", "connector")  # what is trained in both stages


@dataclass(frozen=True)
class Training:
    """How an assembled model is taught to see.

    Attributes:
        minutes: of both stages together; the learning rate follows the time.
        updates: of both stages together; training ends with whatever ends first. 0: no limit.
        share: of the first stage, in which the language model is frozen.
        batch: questions of an update.
        learning_rate: peak of the tower and the connector.
        lora_rank: of the LoRA on the language model in the second stage.
        lora_learning_rate: peak of the second stage, of everything.
        families: out of which problems are drawn.
        workers: processes that draw questions; what is drawn does not depend on their number.
    """

    minutes: float = 10.0
    updates: int = 0
    share: float = 0.7
    batch: int = 32
    learning_rate: float = 1e-3
    lora_rank: int = 16
    lora_learning_rate: float = 3e-4
    families: tuple[str, ...] = READ
    workers: int = 0

    def __post_init__(self) -> None:
        if not (self.minutes > 0 and 0 < self.share < 1 and self.batch > 0 and self.updates >= 0):
            raise ValueError(
                f"minutes {self.minutes}, share {self.share}, batch {self.batch}, updates "
                f"{self.updates}: minutes and batch must be above 0, share between 0 and 1"
            )


@dataclass(frozen=True, slots=True)
class Reader:
    """What encoding needs of a model, on the CPU: batches are made in other processes."""

    config: Any
    generation_config: Any
    dtype: torch.dtype
    device: torch.device


class Questions(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches of questions with their answers as labels, from number `start` on.

    Args:
        policy: whose prompts they are.
        training: families and size of a batch.
        size: side of the images in pixels.
        seed: of the questions.
        start: number of the first batch.
    """

    def __init__(
        self, policy: Policy, training: Training, size: int, seed: int, start: int
    ) -> None:
        own = policy.network
        model = Reader(own.config, own.generation_config, torch.float32, torch.device("cpu"))
        self._policy = replace(policy, model=model)
        self._training, self._size, self._seed, self._start = training, size, seed, start

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        number, step = (worker.id, worker.num_workers) if worker else (0, 1)
        number += self._start
        while True:
            yield self._batch(number)
            number += step

    def _batch(self, number: int) -> dict[str, torch.Tensor]:
        training = self._training
        asked = [
            draw_perception(training.families, "train", self._seed, index, self._size)
            for index in range(number * training.batch, (number + 1) * training.batch)
        ]
        prompts = [
            Prompt(each.question, (each.image,), f"{number}/{i}") for i, each in enumerate(asked)
        ]
        return continued(
            self._policy, prompts, whole_turns(self._policy, [each.answer for each in asked])
        )


@dataclass(slots=True)
class Done:
    """How far a training is.

    Attributes:
        stage: number of the present stage; 2 once all is done.
        updates: of that stage.
        batches: of both.
        seconds: of both.
    """

    stage: int = 0
    updates: int = 0
    batches: int = 0
    seconds: float = 0.0


class VlmTrainer:
    """Trains a policy in place; a killed training goes on from its last save.

    Args:
        policy: an assembled model.
        training: how.
        size: side of the images in pixels.
        seed: of questions and LoRA.
        folder: for what a killed training goes on from, and the losses.
        say: is told every now and then.
    """

    def __init__(
        self,
        policy: Policy,
        training: Training,
        size: int,
        seed: int,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.policy, self._training, self._size, self._seed = policy, training, size, seed
        self._folder, self._say = folder, say
        self._done = Done()
        self._losses: list[Row] = []

    def run(self) -> list[Row]:
        """Both stages, or what is left of them; returns the losses, a row an update."""
        self._folder.mkdir(parents=True, exist_ok=True)
        saved = self._restore()
        for stage in range(self._done.stage, len(STAGES)):
            self._prepare(stage)
            self._stage(stage, saved)
            saved = None
        self.policy.model.eval()
        return self._losses

    def _prepare(self, stage: int) -> None:
        """Freeze all but what the stage trains."""
        if stage == 1 and not isinstance(self.policy.model, PeftModel):
            with torch.random.fork_rng():
                torch.manual_seed(self._seed)
                self.policy = self.policy.with_lora(self._training.lora_rank)
        for name, weight in self.policy.model.named_parameters():
            sees = any(f".{part}." in name for part in SEES) and "lora_" not in name
            weight.requires_grad_(sees or (stage == 1 and "lora_" in name))

    def _stage(self, stage: int, saved: Path | None) -> None:
        """Train one stage, from a save in its midst if there is one."""
        training, policy, done = self._training, self.policy, self._done
        trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
        peak = training.learning_rate if stage == 0 else training.lora_learning_rate
        optimizer = torch.optim.AdamW(trained, peak, betas=(0.9, 0.98), weight_decay=0.05)
        if saved is not None and (saved / OPTIMIZER).exists():
            optimizer.load_state_dict(torch.load(saved / OPTIMIZER, weights_only=True))
        questions = Questions(policy, training, self._size, self._seed, start=done.batches)
        loader = iter(DataLoader(questions, batch_size=None, num_workers=training.workers))
        policy.model.train()
        began, before, kept = time.monotonic(), done.seconds, done.seconds
        while (spent := self._spent(stage)) < 1:
            for group in optimizer.param_groups:
                group["lr"] = peak * _schedule(spent)
            loss = self._update(optimizer, trained, next(loader))
            done.updates += 1
            done.batches += 1
            done.seconds = before + time.monotonic() - began
            self._losses.append(
                {
                    "stage": STAGES[stage],
                    "update": done.updates,
                    "loss": loss,
                    "seconds": round(done.seconds, 2),
                }
            )
            if done.seconds - kept > SAVE_EVERY:
                kept = done.seconds
                self._save(optimizer)
                recent = [row["loss"] for row in self._losses[-20:]]
                self._say(
                    f"{STAGES[stage]}  update {done.updates}  "
                    f"loss {sum(recent) / len(recent):.3f}  {done.seconds:.0f} s"
                )
        done.stage, done.updates = stage + 1, 0
        self._save(None)

    def _spent(self, stage: int) -> float:
        """The share of the stage's time or updates that is used up."""
        training = self._training
        part = training.share if stage == 0 else 1 - training.share
        earlier = training.share * 60 * training.minutes if stage == 1 else 0.0
        by_time = (self._done.seconds - earlier) / (60 * training.minutes * part)
        limit = max(1, round(training.updates * part))
        by_updates = self._done.updates / limit if training.updates else 0.0
        return max(by_time, by_updates)

    def _update(
        self,
        optimizer: torch.optim.Optimizer,
        trained: list[torch.Tensor],
        batch: dict[str, torch.Tensor],
    ) -> float:
        """One update, in bfloat16 on a GPU; returns the loss."""
        device = self.policy.device
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss: torch.Tensor = self.policy.model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    def _save(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Write what a killed training goes on from; ``state.json``, which names it, comes last."""
        weights = {
            name: weight.detach().cpu().contiguous()
            for name, weight in self.policy.model.named_parameters()
            if weight.requires_grad
        }
        folder = self._folder / f"save-{self._done.batches}-{self._done.stage}"
        folder.mkdir(exist_ok=True)
        save_file(weights, folder / WEIGHTS)
        if optimizer is not None:
            torch.save(optimizer.state_dict(), folder / OPTIMIZER)
        write_rows(self._folder / "losses.jsonl", self._losses)
        state = {**asdict(self._done), "save": folder.name}
        write_whole(self._folder / STATE, json.dumps(state))
        for other in self._folder.glob("save-*"):
            if other != folder:
                shutil.rmtree(other)

    def _restore(self) -> Path | None:
        """Go on from the newest save, if there is any; returns its folder."""
        if not (self._folder / STATE).exists():
            return None
        state = json.loads((self._folder / STATE).read_text())
        saved = self._folder / str(state.pop("save"))
        self._done = Done(**state)
        self._losses = read_rows(self._folder / "losses.jsonl")[: self._done.batches]
        weights = load_file(saved / WEIGHTS)
        self._prepare(int(any("lora_" in name for name in weights)))
        with torch.no_grad():
            for name, weight in self.policy.model.named_parameters():
                if weight.requires_grad:
                    weight.copy_(weights[name])
        return saved


def _schedule(spent: float) -> float:
    """Linear warm-up, then a cosine down to ``FLOOR``; `spent` is the share of the stage."""
    cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
    return min(max(spent, 0.01) / WARMUP, 1.0) * cosine
