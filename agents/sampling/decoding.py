"""Reading prompts once and writing many responses from each, token by token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from transformers import BatchFeature

from mstar.agents.sampling.prefix_cache import SharedPrompts, can_share
from mstar.agents.sampling.row_cache import take_rows

GIVE_UP = 0.75  # finished rows leave once no more than this share of the rows still writes


@dataclass(frozen=True, slots=True)
class Read:
    """P prompts after one forward pass.

    Attributes:
        cache: their keys and values.
        logits: (P, V), of the first token of a response.
        mask: (P, T) int64, 0 on padding.
        positions: (..., P, 1) int64, of the last token; models with pictures in three dimensions
            have one for each in front.
    """

    cache: Any
    logits: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor

    @property
    def padding(self) -> torch.Tensor | None:
        """The mask, or None where nothing is padded, which attention is faster without."""
        return None if bool(self.mask.all()) else self.mask


@dataclass(frozen=True, slots=True)
class Written:
    """R responses as they come out of the decoding loop.

    Attributes:
        tokens: (R, T) int64; a row counts up to its length.
        lengths: (R,) int64.
        sums: (3, R) float32: log-probability, entropy, certainty, summed over the tokens.
        finished: (R,) bool.
    """

    tokens: torch.Tensor
    lengths: torch.Tensor
    sums: torch.Tensor
    finished: torch.Tensor


def read_prompts(network: Any, encoded: BatchFeature) -> Read:
    """One forward pass over left-padded prompts, their images included."""
    others = {name: value for name, value in encoded.items() if name != "input_ids"}
    # The one thing that differs between models, and that transformers has no public name for.
    positions = network._prepare_position_ids_for_generation(encoded["input_ids"], dict(others))
    out = network(**encoded, position_ids=positions, use_cache=True, logits_to_keep=1)
    return Read(
        cache=out.past_key_values,
        logits=out.logits[:, -1],
        mask=encoded["attention_mask"],
        positions=positions[..., -1:],
    )


def read_on(
    network: Any, read: Read, owners: torch.Tensor, tokens: torch.Tensor, given: torch.Tensor
) -> Read:
    """What B texts leave behind that go on from prompts that were read, as if they were prompts.

    Args:
        network: that has read the prompts.
        read: P prompts.
        owners: (B,) int64, the prompt that each text goes on from.
        tokens: (B, T) int64, padded on the right.
        given: (B, T) int64, 0 on padding; each text has a token.
    """
    mask = torch.cat([read.mask[owners], given], dim=-1)
    steps = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    positions = read.positions[..., owners, :] + steps
    out = network(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=take_rows(read.cache, owners),
        use_cache=True,
    )
    rows, last = torch.arange(len(tokens), device=tokens.device), given.sum(-1) - 1
    return Read(
        cache=out.past_key_values,
        logits=out.logits[rows, last],
        mask=mask,
        positions=positions[..., rows, last][..., None],
    )


class Rows:
    """R responses that are being written at the same time.

    They share their prompt's keys and values where the model allows it; otherwise each has a copy.
    """

    def __init__(self, network: Any, read: Read, owners: torch.Tensor) -> None:
        """Start from the prompts `owners` (R,), which rise; one prompt may start many rows."""
        self.network = network
        self.positions = read.positions[..., owners, :]
        self.shared, self.mask = None, None
        if can_share(network, read.cache):
            self.shared = SharedPrompts(read.cache, read.padding, owners)
        else:
            self.cache = take_rows(read.cache, owners)
            self.mask = None if read.padding is None else read.mask[owners]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone; their numbers rise."""
        self.positions = self.positions[..., rows, :]
        if self.shared is not None:
            self.shared.keep(rows)
        else:
            self.cache = take_rows(self.cache, rows)
            self.mask = None if self.mask is None else self.mask[rows]

    def append(self, tokens: torch.Tensor) -> torch.Tensor:
        """Add one token (R,) to each row; the logits (R, V) of the next."""
        self.positions = self.positions + 1
        if self.shared is not None:
            with self.shared.attending():
                return self._forward(tokens, self.shared.cache)
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=-1)
        return self._forward(tokens, self.cache)

    def _forward(self, tokens: torch.Tensor, cache: Any) -> torch.Tensor:
        out = self.network(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits


def write_responses(
    rows: Rows,
    logits: torch.Tensor,
    temperatures: torch.Tensor,
    uniforms: torch.Tensor,
    ends: torch.Tensor,
) -> Written:
    """Write R responses until each has ended or is as long as there are uniform numbers.

    Args:
        rows: R copies of their prompts.
        logits: (R, V), of the first token.
        temperatures: (R,); 0 takes the likeliest token.
        uniforms: (R, T) in [0, 1), one for each token.
        ends: ids of the tokens that end a response.
    """
    count, limit = uniforms.shape
    device = logits.device
    written = Written(
        tokens=torch.zeros(count, limit, dtype=torch.int64, device=device),
        lengths=torch.zeros(count, dtype=torch.int64, device=device),
        sums=torch.zeros(3, count, device=device),
        finished=torch.zeros(count, dtype=torch.bool, device=device),
    )
    writing = torch.arange(count, device=device)  # the response that each row writes
    done = written.finished.clone()
    for step in range(limit):
        tokens, measures = draw(logits.float(), temperatures[writing], uniforms[writing, step])
        written.tokens[writing, step] = tokens
        written.lengths[writing] += ~done
        written.sums[:, writing] += measures * ~done
        done = done | torch.isin(tokens, ends)
        written.finished[writing] = done
        left = int((~done).sum())
        if left == 0 or step == limit - 1:
            break
        if left <= GIVE_UP * len(done):
            kept = (~done).nonzero()[:, 0]
            rows.keep(kept)
            writing, tokens, done = writing[kept], tokens[kept], done[kept]
        logits = rows.append(tokens)
    return written


def draw(
    logits: torch.Tensor, temperatures: torch.Tensor, uniforms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token (R,) for each row of logits (R, V), and its measures (3, R) at temperature 1."""
    logs = logits.log_softmax(-1)
    greedy = temperatures == 0
    heated = (logits / torch.where(greedy, 1.0, temperatures)[:, None]).softmax(-1)
    # Doubles, so that the borders between tokens stay where they are on a large vocabulary.
    borders = heated.cumsum(-1, dtype=uniforms.dtype)
    drawn = torch.searchsorted(borders, (uniforms * borders[:, -1])[:, None], right=True)[:, 0]
    tokens = torch.where(greedy, logits.argmax(-1), drawn.clamp(max=logits.shape[-1] - 1))
    measures = torch.stack(
        [
            logs.gather(-1, tokens[:, None])[:, 0],
            torch.special.entr(logs.exp()).sum(-1),
            -logs.mean(-1) - math.log(logits.shape[-1]),
        ]
    )
    return tokens, measures
