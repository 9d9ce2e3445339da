"""A process reward model: a vision-language backbone with a score at the end of each step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from mstar.agents.judges.prompts import attempt_prompt
from mstar.agents.judges.step_tokens import StepTokens, step_tokens
from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import unique_prompts
from mstar.agents.sampling.decoding import Prefill, prefill
from mstar.agents.sampling.prefix_cache import select_rows
from mstar.envs.problem import Prompt
from mstar.rewards.base import Attempt
from mstar.rewards.models.process import ProcessReward, Steps, steps_of

STEP_JUDGE = Path(__file__).parent / "step_judge_model"  # the shipped one
HEAD, CHOSEN = "head.safetensors", "judge.json"


@dataclass(frozen=True, slots=True)
class StepJudge:
    """Scores each step of a response, given images and question.

    The architecture of Lightman et al. 2023 (arXiv 2305.20050) and Math-Shepherd (arXiv 2312.08935)
    with a vision-language backbone: the last hidden state at the end of each step goes through a
    linear head and a sigmoid. Two more features of the head are the log-probabilities under the
    backbone of the step's least likely token and of the whole step: a small backbone has read an
    image where it would generate a token of it, and has hardly kept it one token later.

    A step's score is its probability of being right given that those before it are. All steps of a
    response are judged in one pass, and a prompt is prefilled once for all responses to it.

    Attributes:
        backbone: any policy.
        head: (hidden size + 2) to one logit.
        size: side in pixels at which drawings are rendered.
        batch_rows: responses in one forward pass.
        threshold: a step that scores below it counts as an error; chosen on validation problems.
    """

    backbone: Policy
    head: torch.nn.Linear
    size: int = 96
    batch_rows: int = 64
    threshold: float = 0.5

    @classmethod
    def fresh(cls, backbone: Policy, size: int = 96) -> StepJudge:
        """An untrained judge, which scores steps by their least likely token."""
        width = backbone.network.config.get_text_config().hidden_size
        head = torch.nn.Linear(width + 2, 1)
        torch.nn.init.zeros_(head.weight)
        # A score of 0.5 if the least likely token has a probability of exp(-2), about 0.14.
        torch.nn.init.constant_(head.weight[0, -2], 1.0)
        torch.nn.init.constant_(head.bias, 2.0)
        return cls(backbone, head.to(backbone.device), size)

    @classmethod
    def load(
        cls, folder: str | Path = STEP_JUDGE, size: int = 96, device: str = "auto"
    ) -> StepJudge:
        """Load a judge that ``save`` wrote; by default the one that ships.

        Raises:
            FileNotFoundError: the folder has no head.
        """
        path = Path(folder) / HEAD
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} holds no step judge: {HEAD} is missing; train one with "
                "`python -m mstar.experiments.judges.train --out DIR`"
            )
        judge = cls.fresh(Policy.load(str(folder), device=device), size)
        judge.head.load_state_dict(load_file(path))
        chosen = Path(folder) / CHOSEN
        threshold = json.loads(chosen.read_text())["threshold"] if chosen.is_file() else 0.5
        return replace(judge, threshold=float(threshold))

    def save(self, folder: str | Path) -> None:
        """Write backbone, processor and head, as safetensors, and the threshold beside them."""
        self.backbone.save(folder)
        state = {name: weight.contiguous() for name, weight in self.head.state_dict().items()}
        save_file(state, Path(folder) / HEAD)
        (Path(folder) / CHOSEN).write_text(json.dumps({"threshold": self.threshold}) + "\n")

    def load_weights(self, folder: str | Path) -> None:
        """Load the weights that a judge of the same architecture has saved; keep the threshold."""
        self.backbone.load_weights(folder)
        self.head.load_state_dict(load_file(Path(folder) / HEAD))

    def scores(self, attempts: Sequence[Attempt]) -> list[Steps]:
        """The score in [0, 1] of each step, (S,) float32 for each of N attempts.

        Each problem is prefilled once, and each different response to it judged once, in batches
        of similar length. A response without steps has no scores, and neither has one with more
        tokens than the backbone has positions: it was never trained to read such a text.
        """
        found = [np.zeros(0, np.float32)] * len(attempts)
        steps_read = [self._readable(steps_of(attempt.response)) for attempt in attempts]
        with torch.no_grad(), evaluating(self.backbone.model):
            for batch in _batches(attempts, steps_read, self.batch_rows):
                first = [attempts[next(iter(rows.values()))[0]] for rows in batch]
                prompts = [attempt_prompt(attempt, self.size) for attempt in first]
                lines = [list(steps) for rows in batch for steps in rows]
                owners = [place for place, rows in enumerate(batch) for _ in rows]
                written = step_tokens(self.backbone, lines, owners).to(self.backbone.device)
                logits = self._judged(prompts, written)
                same = [rows for group in batch for rows in group.values()]
                for rows, steps, values in zip(same, lines, logits, strict=True):
                    for row in rows:
                        found[row] = values[: len(steps)]
        return found

    def _readable(self, steps: list[str]) -> tuple[str, ...]:
        """The steps; none if they have more tokens than the backbone has positions."""
        text = "\n".join(steps)
        most = getattr(
            self.backbone.network.config.get_text_config(), "max_position_embeddings", inf
        )
        if len(text.encode()) <= most:  # a token has a byte or more
            return tuple(steps)
        tokens = self.backbone.processor.tokenizer(text, verbose=False)["input_ids"]
        return tuple(steps) if len(tokens) <= most else ()

    def _judged(self, prompts: Sequence[Prompt], written: StepTokens) -> list[Steps]:
        """The scores of R responses, (S,) each plus padding, in batches of similar length."""
        read = prefill(self.backbone.network, self.backbone.encode(prompts))
        order = (written.step >= 0).sum(1).argsort()
        found: list[Steps] = [np.zeros(0, np.float32)] * len(order)
        for start in range(0, len(order), self.batch_rows):
            rows = order[start : start + self.batch_rows]
            logits, _ = self.judge(read, written.take(rows))
            values = logits.float().sigmoid().cpu().numpy()
            for row, steps in zip(rows.tolist(), values, strict=True):
                found[row] = steps
        return found

    def logits(
        self, prompts: Sequence[Prompt], steps: Sequence[Sequence[str]]
    ) -> list[torch.Tensor]:
        """The logit of every step, (S,) for each of N responses, with gradients.

        Args:
            prompts: N prompts; neighbours with the same ``Prompt`` object are prefilled once.
            steps: N lists of at least one line.
        """
        different, owners = unique_prompts(prompts)
        tokens = step_tokens(self.backbone, steps, owners).to(self.backbone.device)
        found, _ = self.read(self.backbone.encode(different), tokens)
        return [row[: len(lines)] for row, lines in zip(found, steps, strict=True)]

    def read(
        self, encoded: Mapping[str, Any], written: StepTokens
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Prefill prompts and judge the responses to them, with gradients.

        Args:
            encoded: P prompts as ``Policy.encode`` makes them.
            written: R responses.

        Returns:
            The logit of every step, (R, S), and the log-probability of every token under the
            backbone, (R, T); values on padding are arbitrary.
        """
        return self.judge(prefill(self.backbone.network, encoded), written)

    def judge(self, read: Prefill, written: StepTokens) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, of prefilled prompts."""
        given = (written.step >= 0).to(read.mask)
        places = torch.arange(1, given.shape[1] + 1, device=given.device)
        out = self.backbone.network(
            input_ids=written.tokens,
            attention_mask=torch.cat([read.mask[written.owners], given], dim=-1),
            position_ids=read.positions[..., written.owners, :] + places,
            past_key_values=select_rows(read.cache, written.owners),
            use_cache=True,
            output_hidden_states=True,
        )
        before = torch.cat(
            [read.logits[written.owners][:, None], out.logits[:, :-1]], dim=1
        ).float()
        likely = before.gather(-1, written.tokens[..., None])[..., 0] - before.logsumexp(-1)
        hidden = out.hidden_states[-1]
        last = written.ends.clamp(min=0)[..., None].expand(-1, -1, hidden.shape[-1])
        features = [hidden.gather(1, last), *_step_likelihoods(likely, written)]
        joined = torch.cat([feature.to(hidden) for feature in features], dim=-1)
        return self.head(joined)[..., 0], likely


def _batches(
    attempts: Sequence[Attempt], read: Sequence[tuple[str, ...]], size: int
) -> Iterator[list[dict[tuple[str, ...], list[int]]]]:
    """Batches of up to `size` problems with about four times as many different responses.

    A problem is a dict from each of its different responses, as the steps in `read`, to the indices
    of the attempts with that response.
    """
    problems: dict[tuple[object, ...], dict[tuple[str, ...], list[int]]] = {}
    for row, (attempt, steps) in enumerate(zip(attempts, read, strict=True)):
        if steps:
            key = (attempt.group, attempt.question, *map(id, attempt.images))
            problems.setdefault(key, {}).setdefault(steps, []).append(row)
    batch: list[dict[tuple[str, ...], list[int]]] = []
    for responses in problems.values():
        if batch and (len(batch) == size or sum(map(len, batch)) + len(responses) > 4 * size):
            yield batch
            batch = []
        batch.append(responses)
    if batch:
        yield batch


def _step_likelihoods(
    likely: torch.Tensor, written: StepTokens
) -> tuple[torch.Tensor, torch.Tensor]:
    """The least log-probability of a token of each step, and their sum; (R, S, 1) each."""
    rows, most = written.ends.shape
    # Padding goes to one more step, which is dropped again.
    step = torch.where(written.step < 0, most, written.step)
    empty = likely.new_zeros(rows, most + 1)
    least = empty.scatter_reduce(1, step, likely, "amin")  # log-probabilities are below 0
    total = empty.scatter_add(1, step, likely)
    return least[:, :most, None], total[:, :most, None]


class StepJudgeReward(ProcessReward):
    """The reward model ``process`` with its judge, which an agent may train between rounds."""

    def __init__(self, judge: StepJudge) -> None:
        super().__init__(judge.scores)
        self.judge = judge
