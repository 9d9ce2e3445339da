"""Tokenize responses with the step of each token, so that a batch is judged in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import padded


@dataclass(frozen=True, slots=True)
class StepTokens:
    """R responses of up to S steps and T tokens.

    Attributes:
        tokens: (R, T) int64, padded on the right.
        step: (R, T) int64, index of each token's step; -1 on padding.
        ends: (R, S) int64, index of the last token of each step; -1 on padding.
        owners: (R,) int64, index of each response's prompt.
    """

    tokens: torch.Tensor
    step: torch.Tensor
    ends: torch.Tensor
    owners: torch.Tensor

    def take(self, rows: torch.Tensor) -> StepTokens:
        """Some of the responses, without columns of padding alone."""
        step, ends = self.step[rows], self.ends[rows]
        longest, most = int((step >= 0).sum(1).max()), int((ends >= 0).sum(1).max())
        return StepTokens(
            self.tokens[rows, :longest], step[:, :longest], ends[:, :most], self.owners[rows]
        )

    def to(self, device: torch.device) -> StepTokens:
        """The same on a device."""
        return StepTokens(
            *(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self))
        )


def step_tokens(
    policy: Policy, steps: Sequence[Sequence[str]], owners: Sequence[int]
) -> StepTokens:
    """Tokenize R responses line by line, on the CPU.

    A judge reads text, of any policy. It is trained on these tokens behind ``Policy.encode``'s, as
    it scores by them; no chat template comes between.

    Args:
        policy: whose tokenizer is used.
        steps: R lists of at least one line.
        owners: (R,) index of each response's prompt.
    """
    tokenizer = policy.processor.tokenizer
    known: dict[str, list[int]] = {}
    rows: list[list[int]] = []
    places: list[list[int]] = []
    ends: list[list[int]] = []
    for lines in steps:
        ids: list[int] = []
        place: list[int] = []
        last: list[int] = []
        for number, line in enumerate(lines):
            if line not in known:
                text = policy.plain(line) + "\n"
                known[line] = tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += known[line]
            place += [number] * len(known[line])
            last.append(len(ids) - 1)
        rows.append(ids)
        places.append(place)
        ends.append(last)
    return StepTokens(
        padded(rows, tokenizer.pad_token_id or 0)[0],
        padded(places, -1)[0],
        padded(ends, -1)[0],
        torch.tensor(list(owners)),
    )
