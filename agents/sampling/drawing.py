"""Draw tokens from a large vocabulary in few passes over it, with what is measured of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.sampling.decoding import token_statistics

ROWS = 128  # drawn from at once: what lies between takes 80 MB a tensor for 150,000 tokens
BLOCK = 128  # tokens of the vocabulary that are added up first


def draw_tokens(
    logits: torch.Tensor,
    temperatures: torch.Tensor,
    uniforms: torch.Tensor,
    ladder: Sequence[float],
    *,
    greedy: bool,
    tempered: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample one token (R,) from each row of logits (R, V).

    The tokens and statistics of ``sample_tokens``, up to rounding.

    Args:
        logits: (R, V), of any precision.
        temperatures: (R,); 0 is greedy.
        uniforms: (R,) in [0, 1).
        ladder: L temperatures > 0.
        greedy: whether a temperature may be 0.
        tempered: whether a temperature may be another one than 0 and 1.
    """
    drawn = [
        _draw(*parts, ladder, greedy, tempered)
        for parts in zip(
            logits.split(ROWS), temperatures.split(ROWS), uniforms.split(ROWS), strict=True
        )
    ]
    tokens, statistics = zip(*drawn, strict=True)
    return torch.cat(tokens), torch.cat(statistics, dim=1)


def _draw(
    logits: torch.Tensor,
    temperatures: torch.Tensor,
    uniforms: torch.Tensor,
    ladder: Sequence[float],
    greedy: bool,
    tempered: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    logs = logits.log_softmax(-1, dtype=torch.float32)
    probabilities = logs.exp()
    own = torch.where(temperatures == 0, 1.0, temperatures)
    tempered_probabilities = (logs / own[:, None]).softmax(-1) if tempered else probabilities
    tokens = inverse_of_cumulative(tempered_probabilities, uniforms)
    if greedy:
        tokens = torch.where(temperatures == 0, logits.argmax(-1), tokens)
    return tokens, token_statistics(logs, probabilities, tokens, own, ladder)


def inverse_of_cumulative(probabilities: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The token (R,) in which the cumulative distribution passes each uniform number.

    Only the sums of blocks of the vocabulary are added up in the precision of `uniforms`, and then
    the tokens of one block: adding up all tokens would be a slow pass of 8 bytes a token.

    Args:
        probabilities: (R, V) float32, not necessarily adding up to 1.
        uniforms: (R,) in [0, 1), float64 where the device has it.
    """
    vocabulary = probabilities.shape[1]
    whole = vocabulary // BLOCK * BLOCK
    blocks = probabilities[:, :whole].unflatten(-1, (-1, BLOCK)).sum(-1)
    if whole < vocabulary:
        blocks = torch.cat([blocks, probabilities[:, whole:].sum(-1, keepdim=True)], dim=-1)
    bounds = blocks.cumsum(-1, dtype=uniforms.dtype)
    target = (uniforms * bounds[:, -1])[:, None]
    block = torch.searchsorted(bounds, target, right=True).clamp(max=blocks.shape[-1] - 1)
    upper = bounds.gather(-1, block)
    lower = torch.where(block > 0, bounds.gather(-1, (block - 1).clamp(min=0)), 0.0)
    tokens = block * BLOCK + torch.arange(BLOCK, device=block.device)
    inside = probabilities.gather(-1, tokens.clamp(max=vocabulary - 1))
    within = torch.where(tokens < vocabulary, inside, 0.0).cumsum(-1, dtype=uniforms.dtype)
    # As a share of the block, whose own sum is rounded otherwise.
    share = (target - lower) / (upper - lower) * within[:, -1:]
    place = torch.searchsorted(within, share, right=True)
    return (block * BLOCK + place).clamp(max=vocabulary - 1)[:, 0]
