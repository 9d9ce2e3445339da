"""A judge of steps: a vision-language backbone with one number at the end of each step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """Reads picture, question and response, and says of each step whether it is right.

    The form of Lightman et al. 2023 (arXiv 2305.20050) and Math-Shepherd (arXiv 2312.08935) with a
    backbone that sees: the last hidden state at the end of each step goes through a linear head
    and a sigmoid. The head also sees how likely the backbone finds the step's least likely token
    and the whole step: what the picture holds is known to a small backbone where it would write
    a token, and hardly one token later.

    A step's score is its probability of being right where those before it are. All steps of a
    response are judged in one pass, and responses to one prompt share one reading of it.

    Attributes:
        backbone: any policy.
        head: (hidden size + 2) to one logit.
        size: side in pixels that drawings are rendered at.
        batch_rows: responses in one forward pass.
        threshold: a step that scores less counts as an error; chosen on validation problems.
    """

    backbone: Policy
    head: torch.nn.Linear
    size: int = 96
    batch_rows: int = 64
    threshold: float = 0.5

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
    def load(
        cls, folder: str | Path = STEP_JUDGE, size: int = 96, device: str = "auto"
    ) -> StepJudge:
        """A judge that ``save`` wrote; the one that ships if no folder is given.

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
        """Take over what a judge of the same form has saved; the threshold stays."""
        self.backbone.load_weights(folder)
        self.head.load_state_dict(load_file(Path(folder) / HEAD))

    def scores(self, attempts: Sequence[Attempt]) -> list[Steps]:
        """Each step's probability of being right; one (S,) array per attempt, (0,) for no step.

        Each problem is read once, each different response to it judged once, beside others of
        like length.
        """
        found = [np.zeros(0, np.float32)] * len(attempts)
        with torch.no_grad(), evaluating(self.backbone.model):
            for batch in _batches(attempts, self.batch_rows):
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

    def _judged(self, prompts: Sequence[Prompt], written: StepTokens) -> list[Steps]:
        """The scores of R responses, (S,) each and more on padding; short ones go together."""
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
            prompts: N prompts; neighbours with the same ``Prompt`` object share one reading of it.
            steps: N times one or more lines.
        """
        different, owners = unique_prompts(prompts)
        tokens = step_tokens(self.backbone, steps, owners).to(self.backbone.device)
        found, _ = self.read(self.backbone.encode(different), tokens)
        return [row[: len(lines)] for row, lines in zip(found, steps, strict=True)]

    def read(
        self, encoded: Mapping[str, Any], written: StepTokens
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One pass over prompts and one over the responses to them, with gradients.

        Args:
            encoded: P prompts as ``Policy.encode`` makes them.
            written: R responses.

        Returns:
            The logit of every step, (R, S), and the log-probability that the backbone gives each
            token, (R, T); what stands on padding means nothing.
        """
        return self.judge(prefill(self.backbone.network, encoded), written)

    def judge(self, read: Prefill, written: StepTokens) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``read``, of prompts that were read."""
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
        told = torch.cat([read.logits[written.owners][:, None], out.logits[:, :-1]], dim=1).float()
        likely = told.gather(-1, written.tokens[..., None])[..., 0] - told.logsumexp(-1)
        hidden = out.hidden_states[-1]
        last = written.ends.clamp(min=0)[..., None].expand(-1, -1, hidden.shape[-1])
        seen = [hidden.gather(1, last), *_likelihood_of_steps(likely, written)]
        return self.head(torch.cat([part.to(hidden) for part in seen], dim=-1))[..., 0], likely


def _batches(
    attempts: Sequence[Attempt], size: int
) -> Iterator[list[dict[tuple[str, ...], list[int]]]]:
    """Up to `size` problems with about four times as many different responses.

    Each problem comes as its different responses, as steps, with the rows that hold them.
    """
    problems: dict[tuple[object, ...], dict[tuple[str, ...], list[int]]] = {}
    for row, attempt in enumerate(attempts):
        if steps := tuple(steps_of(attempt.response)):
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


def _likelihood_of_steps(
    likely: torch.Tensor, written: StepTokens
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the tokens of each step the least log-probability and the sum; (R, S, 1) each."""
    rows, most = written.ends.shape
    nowhere = most  # the place of padding, dropped again
    step = torch.where(written.step < 0, nowhere, written.step)
    empty = likely.new_zeros(rows, most + 1)
    least = empty.scatter_reduce(1, step, likely, "amin")  # log-probabilities are below 0
    total = empty.scatter_add(1, step, likely)
    return least[:, :most, None], total[:, :most, None]


class StepJudgeReward(ProcessReward):
    """The reward model ``process`` with its judge, which an agent may train between rounds."""

    def __init__(self, judge: StepJudge) -> None:
        super().__init__(judge.scores)
        self.judge = judge
