"""Prefill prompts once, then decode many responses to each, token by token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import BatchFeature

from mstar.agents.sampling.prefix_cache import SharedPrompts, can_share, select_rows

COMPACT_AT = 0.75  # finished rows are dropped once no more than this share is still decoding


@dataclass(frozen=True, slots=True)
class Prefill:
    """P prompts after one forward pass.

    Attributes:
        cache: their keys and values.
        logits: (P, V), of the first token of a response.
        mask: (P, T) int64, 0 on padding.
        positions: (..., P, 1) int64, of the last token; models with three-dimensional positions
            have an axis for them in front.
    """

    cache: Any
    logits: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor

    @property
    def padding(self) -> torch.Tensor | None:
        """The mask, or None if nothing is padded: attention is faster without a mask."""
        return None if bool(self.mask.all()) else self.mask


@dataclass(frozen=True, slots=True)
class Draws:
    """R responses to draw.

    Attributes:
        owners: (R,) index of each response's prompt among the prefilled ones, in rising order.
        temperatures: (R,); 0 is greedy.
        uniforms: (R, T) in [0, 1), one for each token that a response may have.
        ends: ids of the tokens that end a response.
        ladder: L temperatures > 0 whose log-probabilities are added up as well.
    """

    owners: torch.Tensor
    temperatures: torch.Tensor
    uniforms: torch.Tensor
    ends: torch.Tensor
    ladder: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """R responses as tensors.

    Attributes:
        tokens: (R, T) int64; a row is valid up to its length.
        lengths: (R,) int64.
        sums: (S, R) float32, the statistics of ``sample_tokens``, summed over the tokens.
        finished: (R,) bool, whether an end token was generated.
    """

    tokens: torch.Tensor
    lengths: torch.Tensor
    sums: torch.Tensor
    finished: torch.Tensor

    @classmethod
    def empty(cls, draws: Draws) -> Decoded:
        """Responses without a token."""
        (count, limit), device = draws.uniforms.shape, draws.uniforms.device
        statistics = 4 + len(draws.ladder) if draws.ladder else 3
        return cls(
            tokens=torch.zeros(count, limit, dtype=torch.int64, device=device),
            lengths=torch.zeros(count, dtype=torch.int64, device=device),
            sums=torch.zeros(statistics, count, device=device),
            finished=torch.zeros(count, dtype=torch.bool, device=device),
        )


def prefill(network: Any, encoded: BatchFeature) -> Prefill:
    """Run one forward pass over left-padded prompts, including their images."""
    others = {name: value for name, value in encoded.items() if name != "input_ids"}
    # The one thing that differs between models, and that transformers has no public name for.
    positions = network._prepare_position_ids_for_generation(encoded["input_ids"], dict(others))
    out = network(**encoded, position_ids=positions, use_cache=True, logits_to_keep=1)
    return Prefill(
        cache=out.past_key_values,
        logits=out.logits[:, -1],
        mask=encoded["attention_mask"],
        positions=positions[..., -1:],
    )


def extend(
    network: Any, start: Prefill, owners: torch.Tensor, tokens: torch.Tensor, given: torch.Tensor
) -> Prefill:
    """Append B texts to prefilled prompts; the result counts as B prefilled prompts.

    Args:
        network: that has prefilled the prompts.
        start: P prompts.
        owners: (B,) int64, index of the prompt that each text continues.
        tokens: (B, T) int64, padded on the right.
        given: (B, T) int64, 0 on padding; every text has at least one token.
    """
    mask = torch.cat([start.mask[owners], given], dim=-1)
    steps = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    positions = start.positions[..., owners, :] + steps
    out = network(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=select_rows(start.cache, owners),
        use_cache=True,
    )
    rows, last = torch.arange(len(tokens), device=tokens.device), given.sum(-1) - 1
    return Prefill(
        cache=out.past_key_values,
        logits=out.logits[rows, last],
        mask=mask,
        positions=positions[..., rows, last][..., None],
    )


class DecodingBatch:
    """The state of R responses that are decoded together.

    They share the keys and values of their prompts if the model allows it (see ``can_share``);
    otherwise each row has a copy.

    Args:
        network: that has prefilled the prompts.
        start: P prompts.
        owners: (R,) index of each response's prompt, in rising order.
    """

    def __init__(self, network: Any, start: Prefill, owners: torch.Tensor) -> None:
        self.network = network
        self.positions = start.positions[..., owners, :]
        self.shared, self.mask = None, None
        if can_share(network, start.cache):
            self.shared = SharedPrompts(start.cache, start.padding, owners)
        else:
            self.cache = select_rows(start.cache, owners)
            self.mask = None if start.padding is None else start.mask[owners]

    def select(self, rows: torch.Tensor) -> None:
        """Keep only these rows, in rising order."""
        self.positions = self.positions[..., rows, :]
        if self.shared is not None:
            self.shared.select(rows)
        else:
            self.cache = select_rows(self.cache, rows)
            self.mask = None if self.mask is None else self.mask[rows]

    def append(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token (R,) to each row, and return the logits (R, V) of the next one."""
        self.positions = self.positions + 1
        if self.shared is not None:
            with self.shared.attention():
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


def decode(network: Any, start: Prefill, draws: Draws) -> Decoded:
    """Decode responses until each has ended or has T tokens, in buffers that grow.

    Args:
        network: that has prefilled the prompts.
        start: the prompts.
        draws: R responses.
    """
    batch, logits = DecodingBatch(network, start, draws.owners), start.logits[draws.owners]
    count, limit = draws.uniforms.shape
    ladder, out = draws.ladder, Decoded.empty(draws)
    active = torch.arange(
        count, device=logits.device
    )  # the response that each row of the batch holds
    done = out.finished.clone()
    for step in range(limit):
        tokens, statistics = sample_tokens(
            logits.float(), draws.temperatures[active], draws.uniforms[active, step], ladder
        )
        out.tokens[active, step] = tokens
        out.lengths[active] += ~done
        out.sums[:, active] += statistics * ~done
        done = done | torch.isin(tokens, draws.ends)
        out.finished[active] = done
        left = int((~done).sum())
        if left == 0 or step == limit - 1:
            break
        if left <= COMPACT_AT * len(done):
            kept = (~done).nonzero()[:, 0]
            batch.select(kept)
            active, tokens, done = active[kept], tokens[kept], done[kept]
        logits = batch.append(tokens)
    return out


def sample_tokens(
    logits: torch.Tensor,
    temperatures: torch.Tensor,
    uniforms: torch.Tensor,
    ladder: Sequence[float] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample one token (R,) from each row of logits (R, V).

    Returns:
        The tokens, and their statistics (S, R): at temperature 1, log-probability, entropy and
        certainty. With a ladder of L temperatures there are L + 1 more: the log-probability at each
        of them, and at the temperature of the row (at 1 for a greedy row).
    """
    logs = logits.log_softmax(-1)
    greedy = temperatures == 0
    own = torch.where(greedy, 1.0, temperatures)
    probabilities = (logits / own[:, None]).softmax(-1)
    # In float64, so that the bounds between tokens are accurate for a large vocabulary.
    bounds = probabilities.cumsum(-1, dtype=uniforms.dtype)
    drawn = torch.searchsorted(bounds, (uniforms * bounds[:, -1])[:, None], right=True)[:, 0]
    tokens = torch.where(greedy, logits.argmax(-1), drawn.clamp(max=logits.shape[-1] - 1))
    return tokens, token_statistics(logs, logs.exp(), tokens, own, ladder)


def token_statistics(
    logs: torch.Tensor,
    probabilities: torch.Tensor,
    tokens: torch.Tensor,
    temperatures: torch.Tensor,
    ladder: Sequence[float],
) -> torch.Tensor:
    """What is measured of a token (R,) of each row, as ``sample_tokens`` returns it.

    Args:
        logs: (R, V) log-probabilities at temperature 1.
        probabilities: (R, V), their exponentials.
        tokens: (R,).
        temperatures: (R,) of the rows, > 0.
        ladder: L temperatures > 0.
    """
    chosen = logs.gather(-1, tokens[:, None])[:, 0]
    statistics = [
        chosen,
        torch.special.entr(probabilities).sum(-1),
        -logs.mean(-1) - math.log(logs.shape[-1]),
    ]
    tempered: list[float | torch.Tensor] = [*ladder, temperatures] if ladder else []
    statistics += [chosen / each - tempered_normalizer(logs, each) for each in tempered]
    return torch.stack(statistics)


def tempered_normalizer(logs: torch.Tensor, temperature: float | torch.Tensor) -> torch.Tensor:
    """Logarithm (R,) of what divides the R distributions raised to the power 1 / temperature.

    Args:
        logs: (R, V), log-probabilities at temperature 1.
        temperature: > 0, of all rows, or (R,).
    """
    scaled = logs / (temperature[:, None] if isinstance(temperature, torch.Tensor) else temperature)
    return scaled.logsumexp(-1)
