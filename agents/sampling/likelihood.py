"""Log-probabilities of given responses under a policy."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import padded
from mstar.agents.sampling.base import Response, unique_prompts
from mstar.agents.sampling.decoding import Prefill, prefill
from mstar.agents.sampling.prefix_cache import select_rows
from mstar.envs.problem import Prompt


def log_probabilities(
    policy: Policy,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    batch_rows: int = 16,
) -> list[float]:
    """Sum of the log-probabilities of each response's tokens after its prompt, at temperature 1.

    The tokens are given to the model; nothing is sampled. Neighbours with the same ``Prompt``
    object are prefilled once.

    Args:
        policy: under which responses are scored; not necessarily the one that generated them.
        prompts: one for each response.
        responses: whose ``tokens`` are scored; an empty one has log-probability 0.
        batch_rows: responses in one forward pass; its logits need rows x tokens x vocabulary.

    Raises:
        ValueError: the numbers of prompts and responses differ.
    """
    if len(prompts) != len(responses):
        raise ValueError(
            f"{len(prompts)} prompts were given for {len(responses)} responses; give one for each"
        )
    sums: list[float] = []
    with torch.no_grad(), evaluating(policy.model):
        for start in range(0, len(prompts), batch_rows):
            batch = slice(start, start + batch_rows)
            sums += _score(policy, prompts[batch], [each.tokens for each in responses[batch]])
    return sums


def _score(
    policy: Policy, prompts: Sequence[Prompt], responses: Sequence[tuple[int, ...]]
) -> list[float]:
    """The log-probability of each of R responses, in one pass over prompts and one over them."""
    unique, owners = unique_prompts(prompts)
    tokens, given = (each.to(policy.device) for each in padded(responses))
    start = prefill(policy.model, policy.encode(unique))
    logits = response_logits(
        policy, start, torch.tensor(owners, device=policy.device), tokens, given
    )
    chosen = logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)
    scores: list[float] = (chosen * given).sum(-1).tolist()
    return scores


def response_logits(
    policy: Policy, start: Prefill, owners: torch.Tensor, tokens: torch.Tensor, given: torch.Tensor
) -> torch.Tensor:
    """The logits from which each token of R responses would be drawn.

    Args:
        policy: that has prefilled the prompts.
        start: P prompts.
        owners: (R,) int64, index of each response's prompt.
        tokens: (R, T) int64, padded on the right.
        given: (R, T) int64, 0 on padding.

    Returns:
        (R, T, V) float32.
    """
    first = start.logits[owners][:, None].float()
    if tokens.shape[1] == 1:
        return first
    fed = tokens.shape[1] - 1
    steps = torch.arange(1, fed + 1, device=tokens.device)
    out = policy.model(
        input_ids=tokens[:, :-1],
        attention_mask=torch.cat([start.mask[owners], given[:, :-1]], dim=-1),
        position_ids=start.positions[..., owners, :] + steps,
        past_key_values=select_rows(start.cache, owners),
        use_cache=True,
    )
    return torch.cat([first, out.logits.float()], dim=1)
