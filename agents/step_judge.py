"""A judge of steps: a vision-language backbone with one number at the end of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from mstar.agents.policy import Policy
from mstar.agents.sampler import Prompt, evaluating
from mstar.envs.examiner import INSTRUCTION
from mstar.rewards.base import Attempt
from mstar.rewards.process import Steps, steps_of

STEP_JUDGE = Path(__file__).parent / "step_judge_model"  # the shipped one
HEAD = "head.safetensors"


@dataclass(frozen=True, slots=True)
class StepJudge:
    """Reads picture, question and response, and says of each step whether it is right so far.

    The form of Lightman et al. 2023 (arXiv 2305.20050) and Math-Shepherd (arXiv 2312.08935) with a
    backbone that sees: the last hidden state at the end of each step goes through a linear head
    and a sigmoid. The head also sees how likely the backbone finds the step's least likely token
    and the whole step: what the picture holds is known to a small backbone where it would write
    a token, and hardly one token later.

    Attributes:
        backbone: any policy.
        head: (hidden size + 2) to one logit.
        size: side in pixels that drawings are rendered at.
        batch_rows: responses in one forward pass.
    """

    backbone: Policy
    head: torch.nn.Linear
    size: int = 96
    batch_rows: int = 64

    @classmethod
    def fresh(cls, backbone: Policy, size: int = 96) -> StepJudge:
        """A judge that doubts steps with a token the backbone finds unlikely; to be trained."""
        width = backbone.network.config.get_text_config().hidden_size
        head = torch.nn.Linear(width + 2, 1)
        torch.nn.init.zeros_(head.weight)
        # Half a chance where the least likely token has a probability of exp(-2), about 0.14.
        torch.nn.init.constant_(head.weight[0, -2], 1.0)
        torch.nn.init.constant_(head.bias, 2.0)
        return cls(backbone, head.to(backbone.device), size)

    @classmethod
    def load(cls, folder: str | Path = STEP_JUDGE, size: int = 96) -> StepJudge:
        """A judge that ``save`` wrote; the one that ships if no folder is given.

        Raises:
            FileNotFoundError: the folder has no head.
        """
        path = Path(folder) / HEAD
        if not path.is_file():
            raise FileNotFoundError(
                f"{folder} holds no step judge: {HEAD} is missing; train one with "
                "`python -m mstar.experiments.train_step_judge --out DIR`"
            )
        judge = cls.fresh(Policy.load(str(folder)), size)
        judge.head.load_state_dict(load_file(path))
        return judge

    def save(self, folder: str | Path) -> None:
        """Write backbone, processor and head, as safetensors."""
        self.backbone.save(folder)
        save_file(self.head.state_dict(), Path(folder) / HEAD)

    def scores(self, attempts: Sequence[Attempt]) -> list[Steps]:
        """Each step's probability of being right so far; one (S,) array per attempt."""
        steps = [steps_of(attempt.response) for attempt in attempts]
        prompts = [self.prompt(attempt) for attempt in attempts]
        asked = [row for row, lines in enumerate(steps) if lines]
        found = [np.zeros(0, np.float32)] * len(attempts)
        with torch.no_grad(), evaluating(self.backbone.model):
            for start in range(0, len(asked), self.batch_rows):
                rows = asked[start : start + self.batch_rows]
                logits = self.logits([prompts[i] for i in rows], [steps[i] for i in rows])
                for row, values in zip(rows, logits, strict=True):
                    found[row] = values.float().sigmoid().cpu().numpy()
        return found

    def prompt(self, attempt: Attempt) -> Prompt:
        """What stands before the response: pictures, question and the plain instruction."""
        pictures = tuple(picture.render(self.size) for picture in attempt.pictures)
        return Prompt(f"{attempt.question}\n{INSTRUCTION}", pictures, attempt.group)

    def logits(
        self, prompts: Sequence[Prompt], steps: Sequence[Sequence[str]]
    ) -> list[torch.Tensor]:
        """The logit of every step, (S,) for each of N responses, with gradients.

        Args:
            prompts: N prompts.
            steps: N times one or more lines.
        """
        encoded = self.backbone.encode(prompts)
        tokens, ends = self._tokens(steps)
        given = torch.tensor([[j < last[-1] + 1 for j in range(tokens.shape[1])] for last in ends])
        inputs: dict[str, Any] = {**encoded}
        inputs["input_ids"] = torch.cat([encoded["input_ids"], tokens], dim=1)
        inputs["attention_mask"] = torch.cat(
            [encoded["attention_mask"], given.to(encoded["attention_mask"])], dim=1
        )
        out = self.backbone.network(**inputs, use_cache=False, output_hidden_states=True)
        start = encoded["input_ids"].shape[1]
        hidden = out.hidden_states[-1][:, start:]
        told = out.logits[:, start - 1 : -1].float()
        likely = told.gather(-1, tokens[..., None])[..., 0] - told.logsumexp(-1)
        found = []
        for row, places in enumerate(ends):
            bounds = zip(
                [0, *(place + 1 for place in places)], [p + 1 for p in places], strict=False
            )
            spans = [likely[row, low:high] for low, high in bounds]
            beside = torch.stack([torch.stack([span.min(), span.sum()]) for span in spans])
            seen = torch.cat([hidden[row, places], beside.to(hidden)], dim=-1)
            found.append(self.head(seen)[:, 0])
        return found

    def _tokens(self, steps: Sequence[Sequence[str]]) -> tuple[torch.Tensor, list[list[int]]]:
        """Responses as token ids (N, T), padded on the right, and where each step ends."""
        tokenizer = self.backbone.processor.tokenizer
        rows: list[list[int]] = []
        ends: list[list[int]] = []
        for lines in steps:
            ids: list[int] = []
            last: list[int] = []
            for line in lines:
                text = self.backbone.plain(line) + "\n"
                ids += tokenizer(text, add_special_tokens=False)["input_ids"]
                last.append(len(ids) - 1)
            rows.append(ids)
            ends.append(last)
        longest = max(map(len, rows))
        pad = tokenizer.pad_token_id or 0
        padded = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in rows])
        return padded.to(self.backbone.device), ends
