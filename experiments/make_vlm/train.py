"""Teach an assembled model to see: first what is where in an image, then to speak of it."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, log_softmax
from torch.utils.data import DataLoader

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED
from mstar.experiments.make_vlm.assemble import Tower
from mstar.experiments.make_vlm.batches import VOCABULARY, Batch, Readings
from mstar.experiments.make_vlm.eyes import is_eye, write_eyes
from mstar.experiments.make_vlm.perception import READ
from mstar.experiments.rows import Row, read_rows, write_rows, write_whole

STAGES = ("see", "speak")  # without the language model, and with it and a LoRA on it
FLOOR = 0.05  # of the peak learning rate, at the end of a stage
WARMUP = 0.05  # share of a stage
SAVE_EVERY = 60.0  # seconds
STATE, WEIGHTS, OPTIMIZER = "state.json", "weights.safetensors", "optimizer.pt"
NAMER = "namer.weight"  # the name under which the weights of the namer are saved


@dataclass(frozen=True)
class Training:
    """How an assembled model is taught to see.

    In the first stage the token of each place of an image is asked for the words in that place, by
    a linear layer that starts as the language model's embedding of these words. So tower and
    connector learn to read within minutes, at a small part of the cost of the language model, and
    what they make resembles the words that it knows. In the second stage it answers questions
    about images with a LoRA, and all of this is trained together.

    Attributes:
        minutes: of both stages together; the learning rate follows the time.
        updates: of both stages together; training ends with whatever ends first. 0: no limit.
        share: of the first stage.
        batch: images of an update, each with all of its questions.
        learning_rate: peak of the tower and the connector in the first stage.
        speak_learning_rate: their peak in the second stage.
        lora_rank: of the LoRA on the language model in the second stage; 0: the language model
            stays as it is, and what it says without an image too.
        lora_learning_rate: peak of the LoRA.
        plain: so many images for each conversation without one in the second stage, from which the
            LoRA learns to go on speaking; 0: none.
        words: weight of the words in their places in the loss of the second stage.
        families: out of which problems are drawn.
        workers: processes that draw images; what is drawn does not depend on their number. None:
            none on a CPU, and beside a GPU as many as there are cores, 8 at most.
    """

    minutes: float = 10.0
    updates: int = 0
    share: float = 0.3
    batch: int = 128
    learning_rate: float = 1e-3
    speak_learning_rate: float = 5e-4
    lora_rank: int = 16
    lora_learning_rate: float = 5e-4
    plain: int = 16
    words: float = 0.3
    families: tuple[str, ...] = READ
    workers: int | None = None

    def __post_init__(self) -> None:
        if not (self.minutes > 0 and 0 < self.share < 1 and self.batch > 0 and self.updates >= 0):
            raise ValueError(
                f"minutes {self.minutes}, share {self.share}, batch {self.batch}, updates "
                f"{self.updates}: minutes and batch must be above 0, share between 0 and 1"
            )
        if self.lora_rank < 0 or self.plain < 0:
            raise ValueError(
                f"lora_rank is {self.lora_rank} and plain {self.plain}; both must be 0 or more"
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
        tower: its form.
        training: how.
        seed: of images and LoRA.
        plain: rows of ``own_answers``, learned beside the questions about images.
        folder: for what a killed training goes on from, the losses, and in ``eyes`` what the
            newest save can see with; see ``write_eyes``.
        say: is told every now and then.
    """

    def __init__(
        self,
        policy: Policy,
        tower: Tower,
        training: Training,
        seed: int,
        plain: Sequence[Row],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.policy, self._tower, self._training, self._seed = policy, tower, training, seed
        self._plain, self._folder, self._say = plain, folder, say
        self._done = Done()
        self._losses: list[Row] = []
        self._waiting: list[torch.Tensor] = []  # losses on the device, of the newest rows
        self._namer = namer_of(policy)

    def run(self) -> list[Row]:
        """Both stages, or what is left of them; returns the losses, a row an update."""
        self._folder.mkdir(parents=True, exist_ok=True)
        saved = self._restore()
        for stage in range(self._done.stage, len(STAGES)):
            self._prepare(stage)
            self._stage(stage, saved)
            saved = None
        self.policy.model.eval()
        with torch.no_grad():  # what is tested is what ``write_eyes`` writes
            for name, weight in self.policy.model.named_parameters():
                if is_eye(name):
                    weight.copy_(weight.bfloat16())
        return self._losses

    def _prepare(self, stage: int) -> None:
        """Freeze all but what the stage trains."""
        adapts = stage == 1 and self._training.lora_rank > 0
        if adapts and not isinstance(self.policy.model, PeftModel):
            with torch.random.fork_rng():
                torch.manual_seed(self._seed)
                self.policy = self.policy.with_lora(self._training.lora_rank)
        for name, weight in self.policy.model.named_parameters():
            weight.requires_grad_(is_eye(name) and (stage == 1 or "lora_" not in name))

    def _stage(self, stage: int, saved: Path | None) -> None:
        """Train one stage, from a save in its midst if there is one."""
        training, policy, done = self._training, self.policy, self._done
        eyes, lora = [self._namer], list[torch.Tensor]()
        for name, weight in policy.model.named_parameters():
            if weight.requires_grad:
                (lora if "lora_" in name else eyes).append(weight)
        peaks = [training.learning_rate if stage == 0 else training.speak_learning_rate]
        peaks += [training.lora_learning_rate] if lora else []
        optimizer = torch.optim.AdamW(
            [{"params": weights} for weights in (eyes, lora) if weights],
            betas=(0.9, 0.98),
            weight_decay=0.05,
            fused=True,
        )
        if saved is not None and (saved / OPTIMIZER).exists():
            optimizer.load_state_dict(torch.load(saved / OPTIMIZER, weights_only=True))
        images = Readings(
            policy,
            training.families,
            training.batch,
            self._seed,
            done.batches,
            self._plain if lora else (),
            training.plain,
        )
        on_gpu = policy.device.type == "cuda"
        workers = training.workers
        if workers is None:
            workers = min(8, os.cpu_count() or 1) if on_gpu else 0
        loader = DataLoader(images, batch_size=None, num_workers=workers, pin_memory=on_gpu)
        batches = iter(loader)
        policy.model.train()
        began, before, kept = time.monotonic(), done.seconds, done.seconds
        while (spent := self._spent(stage)) < 1:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * _schedule(spent)
            self._waiting.append(self._update(optimizer, [*eyes, *lora], next(batches), stage))
            done.updates += 1
            done.batches += 1
            done.seconds = before + time.monotonic() - began
            self._losses.append(
                {
                    "stage": STAGES[stage],
                    "update": done.updates,
                    "loss": None,
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
        batch: Batch,
        stage: int,
    ) -> torch.Tensor:
        """One update, in bfloat16 on a GPU; returns the loss, for which nothing has waited."""
        device = self.policy.device
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = self._loss(inputs, stage)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def _loss(self, batch: Batch, stage: int) -> torch.Tensor:
        """Of words in their places; in the second stage of answers as well."""
        network = self.policy.network
        pixels = normalised(batch["pixels"], self.policy.processor.image_processor)
        seen = network.model.get_image_features(pixels[:, None], return_dict=True)
        named = word_loss(torch.cat(list(seen.pooler_output)), self._namer, batch["words"])
        if stage == 0:
            return named
        hidden = network.model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            mm_encoder_outputs={"image": seen},
            use_cache=False,
        ).last_hidden_state
        # Only answers are scored: the logits of all tokens would take most of the memory.
        next_ids = batch["labels"][:, 1:]
        learned = next_ids != IGNORED
        logits = network.lm_head(hidden[:, :-1][learned])
        answered = cross_entropy(logits.float(), next_ids[learned])
        return answered + self._training.words * named

    def _save(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Write what a killed training goes on from; ``state.json``, which names it, comes last."""
        if self._waiting:
            known = torch.stack(self._waiting).tolist()
            for row, loss in zip(self._losses[-len(known) :], known, strict=True):
                row["loss"] = loss
            self._waiting.clear()
        weights = {
            name: weight.detach().cpu().contiguous()
            for name, weight in self.policy.model.named_parameters()
            if weight.requires_grad
        }
        weights[NAMER] = self._namer.detach().cpu()
        folder = self._folder / f"save-{self._done.batches}-{self._done.stage}"
        folder.mkdir(exist_ok=True)
        save_file(weights, folder / WEIGHTS)
        if optimizer is not None:
            torch.save(optimizer.state_dict(), folder / OPTIMIZER)
        write_rows(self._folder / "losses.jsonl", self._losses)
        write_eyes(self.policy, self._tower, self._folder / "eyes")
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
            self._namer.copy_(weights[NAMER])
            for name, weight in self.policy.model.named_parameters():
                if weight.requires_grad:
                    weight.copy_(weights[name])
        return saved


def namer_of(policy: Policy) -> torch.Tensor:
    """The weights (V, D) of the layer that names words, at first the means of their embeddings."""
    embedded = policy.network.get_input_embeddings().weight.detach()
    ids = policy.processor.tokenizer([f" {word}" for word in VOCABULARY], add_special_tokens=False)
    rows = [embedded[one].mean(0) for one in ids["input_ids"]]
    return torch.stack(rows).float().requires_grad_()


def word_loss(seen: torch.Tensor, namer: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Cross-entropy between what image tokens name and the words in their places, equally likely.

    Args:
        seen: (N x cells, D), what the connector makes of the images.
        namer: (V, D).
        words: (N, cells, V) bool; cells without any word are left out.
    """
    there = words.flatten(0, 1)
    holds = there.any(-1)
    logits = torch.nn.functional.linear(seen[holds], namer)
    likely = log_softmax(logits.float(), dim=-1)
    wanted = there[holds].float()
    return -(likely * wanted / wanted.sum(-1, keepdim=True)).sum(-1).mean()


def normalised(pixels: torch.Tensor, processor: Any) -> torch.Tensor:
    """Pixels (N, 3, S, S) from 0 to 255 as the image processor makes them of an image that fits."""
    mean, deviation = (
        torch.tensor(each, device=pixels.device)[:, None, None]
        for each in (processor.image_mean, processor.image_std)
    )
    scaled: torch.Tensor = (pixels.float() * processor.rescale_factor - mean) / deviation
    return scaled


def _schedule(spent: float) -> float:
    """Linear warm-up, then a cosine down to ``FLOOR``; `spent` is the share of the stage."""
    cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
    return min(max(spent, 0.01) / WARMUP, 1.0) * cosine
