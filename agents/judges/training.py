"""Training of a step judge: batches of labelled responses, the loss, the updates."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.judges.step_labels import LabelledResponse, mask_after_error
from mstar.agents.judges.step_tokens import StepTokens, step_tokens
from mstar.agents.policy.policy import Policy
from mstar.envs.problem import Prompt


@dataclass(frozen=True)
class JudgeBatch:
    """Labelled responses to P prompts as tensors.

    Attributes:
        encoded: the prompts, as ``Policy.encode`` makes them.
        written: R responses.
        right: (R, S) float32, label of each step in [0, 1]; NaN if it is not judged.
        sure: (R, S) float32, 1 for steps labelled 1, which are learned to be generated, else 0.
    """

    encoded: Mapping[str, torch.Tensor]
    written: StepTokens
    right: torch.Tensor
    sure: torch.Tensor

    def to(self, policy: Policy) -> JudgeBatch:
        """The same on a policy's device, with floating-point inputs in the policy's dtype."""
        device, real = policy.device, policy.network.dtype
        encoded = {
            name: value.to(device, real if value.is_floating_point() else None, non_blocking=True)
            for name, value in self.encoded.items()
        }
        return JudgeBatch(
            encoded, self.written.to(device), self.right.to(device), self.sure.to(device)
        )


@dataclass(frozen=True)
class JudgeTraining:
    """Hyperparameters of the training of a judge.

    Attributes:
        updates: of AdamW, at most.
        seconds: of training, at most; 0 is no limit. The learning rate decays with the limit that
            is closer, so that a run that stops by time has decayed it too.
        learning_rate: peak; then a cosine to a hundredth.
        warmup: updates of linear warm-up.
        writing: weight of the next-token loss, see ``judge_loss``.
        balance: give right and wrong steps the same total weight, however many there are.
    """

    updates: int = 1500
    seconds: float = 0.0
    learning_rate: float = 2e-3
    warmup: int = 50
    writing: float = 0.5
    balance: bool = False


def judge_batch(
    policy: Policy, prompts: Sequence[Prompt], examples: Sequence[tuple[int, LabelledResponse]]
) -> JudgeBatch:
    """Tensors of labelled responses.

    Args:
        policy: the judge's backbone, whose processor makes the tensors.
        prompts: P prompts.
        examples: R pairs of the index of a prompt and a response to it.
    """
    written = step_tokens(
        policy, [example.steps for _, example in examples], [owner for owner, _ in examples]
    )
    right = torch.full(written.ends.shape, float("nan"))
    sure = torch.zeros(written.ends.shape)
    for row, (_, example) in enumerate(examples):
        labels = torch.tensor(mask_after_error(example.right))
        sure[row, : len(labels)] = (labels == 1.0).float()
        if example.judged:
            right[row, : len(labels)] = labels
    return JudgeBatch(dict(policy.encode(prompts)), written, right, sure)


def judge_loss(judge: StepJudge, batch: JudgeBatch, fit: JudgeTraining) -> torch.Tensor:
    """Binary cross-entropy on the steps, plus next-token loss on steps that are right.

    The second keeps the backbone able to read images: one bit per step teaches it little of them,
    and without it the likelihoods that are features of the head deteriorate.
    """
    logits, likely = judge.read(batch.encoded, batch.written)
    judged = (~batch.right.isnan()).float()
    right = batch.right.nan_to_num(0.0)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits.float(), right, reduction="none"
    )
    if fit.balance:
        good, bad = right * judged, (1 - right) * judged
        judged = (
            judged.sum() * 0.5 * (good / good.sum().clamp(min=1.0) + bad / bad.sum().clamp(min=1.0))
        )
    weight = batch.sure.gather(1, batch.written.step.clamp(min=0)) * (batch.written.step >= 0)
    writing = -(likely * weight).sum() / weight.sum().clamp(min=1.0)
    return (losses * judged).sum() / judged.sum().clamp(min=1.0) + fit.writing * writing


def train_judge(
    judge: StepJudge, batches: Iterable[JudgeBatch], fit: JudgeTraining
) -> Iterator[torch.Tensor]:
    """Train a judge in place.

    Yields:
        The loss of every update, a scalar on the judge's device.
    """
    weights = [w for w in judge.backbone.model.parameters() if w.requires_grad]
    weights += judge.head.parameters()
    optimizer = torch.optim.AdamW(
        weights, fit.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    judge.backbone.model.train()
    started = 0.0
    for update, batch in enumerate(batches):
        started = started or time.monotonic()  # the first batch may take long to make
        share = update / fit.updates
        if fit.seconds:
            share = max(share, (time.monotonic() - started) / fit.seconds)
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = fit.learning_rate * _schedule(share, update, fit.warmup)
        loss = judge_loss(judge, batch.to(judge.backbone), fit)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        yield loss.detach()
    judge.backbone.model.eval()


def _schedule(share: float, update: int, warmup: int) -> float:
    """Factor of the learning rate: linear warm-up, then a cosine from 1 to a hundredth."""
    falling = 0.01 + 0.495 * (1 + math.cos(math.pi * min(share, 1.0)))
    return min((update + 1) / max(1, warmup), falling)


def pack(batch: JudgeBatch) -> dict[str, Any]:
    """A batch as numpy arrays, to be sent from one process to another.

    Images go in half precision, in which their 256 values stay distinct.
    """
    encoded = {
        name: (value.half() if value.is_floating_point() else value).numpy()
        for name, value in batch.encoded.items()
    }
    written = [batch.written.tokens, batch.written.step, batch.written.ends, batch.written.owners]
    return {
        "encoded": encoded,
        "written": [part.numpy() for part in written],
        "labels": [batch.right.numpy(), batch.sure.numpy()],
    }


def unpack(arrays: Mapping[str, Any]) -> JudgeBatch:
    """The batch that ``pack`` was given, on the CPU."""
    encoded = {name: torch.from_numpy(value) for name, value in arrays["encoded"].items()}
    written = StepTokens(*(torch.from_numpy(part) for part in arrays["written"]))
    right, sure = (torch.from_numpy(part) for part in arrays["labels"])
    return JudgeBatch(encoded, written, right, sure)
