"""How likely given responses are under a policy: for drift, and for rewards that hide the image."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.decoding import Read, read_prompts
from mstar.agents.sampling.local import Prompt, Response, once
from mstar.agents.sampling.row_cache import take_rows


def log_probabilities(
    policy: Policy,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    batch_rows: int = 16,
) -> list[float]:
    """Sum of the log-probabilities of each response's tokens after its prompt, at temperature 1.

    The tokens are given to the model, nothing is sampled. Neighbours with the same ``Prompt``
    object share one reading of it.

    Args:
        policy: whose probabilities; not necessarily the one that wrote the responses.
        prompts: one for each response.
        responses: whose ``tokens`` are scored; an empty one has log-probability 0.
        batch_rows: responses in one forward pass; its logits take rows x tokens x vocabulary.
    """
    if len(prompts) != len(responses):
        raise ValueError(
            f"{len(prompts)} prompts were given for {len(responses)} responses; give one for each"
        )
    found: list[float] = []
    with torch.no_grad(), evaluating(policy.model):
        for start in range(0, len(prompts), batch_rows):
            asked = prompts[start : start + batch_rows]
            tokens = [response.tokens for response in responses[start : start + batch_rows]]
            found += score_batch(policy, asked, tokens)
    return found


def score_batch(
    policy: Policy, prompts: Sequence[Prompt], responses: Sequence[tuple[int, ...]]
) -> list[float]:
    """The log-probability of each of R responses, in one pass over prompts and one over them."""
    different, owners = once(prompts)
    longest = max([1, *(len(response) for response in responses)])
    padded = [[*response, *[0] * (longest - len(response))] for response in responses]
    tokens = torch.tensor(padded, device=policy.device)
    given = torch.tensor([[j < len(r) for j in range(longest)] for r in responses]).to(tokens)
    read = read_prompts(policy.model, policy.encode(different))
    logits = following(policy, read, torch.tensor(owners, device=policy.device), tokens, given)
    chosen = logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)
    scores: list[float] = (chosen * given).sum(-1).tolist()
    return scores


def following(
    policy: Policy, read: Read, owners: torch.Tensor, tokens: torch.Tensor, given: torch.Tensor
) -> torch.Tensor:
    """Logits (R, T, V) of each of the tokens (R, T), which are padded on the right."""
    first = read.logits[owners][:, None].float()
    if tokens.shape[1] == 1:
        return first
    fed = tokens.shape[1] - 1
    steps = torch.arange(1, fed + 1, device=tokens.device)
    out = policy.model(
        input_ids=tokens[:, :-1],
        attention_mask=torch.cat([read.mask[owners], given[:, :-1]], dim=-1),
        position_ids=read.positions[..., owners, :] + steps,
        past_key_values=take_rows(read.cache, owners),
        use_cache=True,
    )
    return torch.cat([first, out.logits.float()], dim=1)
