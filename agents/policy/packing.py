"""A prompt and all responses to it in one row, so that a model reads the prompt once.

The idea is that of Prefix Grouper (Liu et al. 2025, arXiv 2506.05433): responses that are scored or
trained on together often have the same prompt, with an image of hundreds of tokens. Here a mask
keeps them apart, so that the forward pass is the model's own and every trainer can run it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED
from mstar.envs.problem import Prompt

PADDING = -1
SHORTEST = 1024  # tokens that a packed row may have in any model


def can_pack(policy: Policy) -> bool:
    """Whether a model's attention takes a mask of its own for each token, in all layers alike.

    Layers with a window, a state or images of their own do not, nor do other kernels than SDPA, nor
    does the loss that balances experts. Even where this is true, a model may compute otherwise:
    compare with ``turns.continued`` first.
    """
    config = policy.network.config.get_text_config()
    plain = config._attn_implementation == "sdpa"
    plain = plain and not getattr(config, "cross_attention_layers", None)
    plain = plain and not hasattr(config, "output_router_logits")
    return plain and all(
        type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers
    )


def longest_row(policy: Policy, prompt: int) -> int:
    """The most tokens of a packed row with a prompt of `prompt` tokens.

    Attention compares all L tokens of a row with all, also those of different responses, which the
    mask then drops. In a layer of width d that is about 4 L d operations for a token, beside 24 d^2
    of its matrix products: a third of these at L = 2 d. A row twice as long as the prompt makes as
    many comparisons as four rows of the prompt's length.
    """
    return max(SHORTEST, 2 * int(policy.network.config.get_text_config().hidden_size), 2 * prompt)


def in_rows(
    responses: Sequence[Sequence[int]], prompt: int, longest: int
) -> list[list[Sequence[int]]]:
    """Responses to a prompt of `prompt` tokens, in order, as many in a row as there is room for.

    >>> in_rows([[1, 2], [3], [4, 5, 6]], prompt=4, longest=10)
    [[[1, 2], [3]], [[4, 5, 6]]]
    """
    rows: list[list[Sequence[int]]] = []
    length = longest
    for response in responses:
        length += len(response) + 1  # the last token of the prompt comes once more for each
        if length > longest:
            rows.append([])
            length = prompt + len(response)
        rows[-1].append(response)
    return rows


def packed(
    policy: Policy, prompts: Sequence[Prompt], groups: Sequence[Sequence[Sequence[int]]]
) -> dict[str, torch.Tensor]:
    """The inputs of a forward pass over P rows, each a prompt and all responses to it, with labels.

    A row is the ids of ``Policy.encode`` without the last, then for each response that last id and
    the ids of the response, then padding. The last id of the prompt comes once for each response
    because the first token of the response is predicted from it. A response attends to the prompt
    and to itself, and has the positions that it has behind the prompt alone. The labels are the ids
    of the responses.

    Args:
        policy: whose inputs they are.
        prompts: P prompts.
        groups: of each prompt K >= 1 responses, sequences of ids.

    Returns:
        As ``Policy.encode`` does, with ``input_ids`` and ``labels`` (P, L), ``attention_mask``
        (P, 1, L, L) bool, and ``position_ids`` (..., P, L).
    """
    encoded = policy.encode(prompts)
    ids, last = encoded["input_ids"], encoded["input_ids"].shape[1] - 1
    others = {name: value for name, value in encoded.items() if name != "input_ids"}
    # As ``decoding.prefill`` does, so that responses have the positions of sampling.
    positions = policy.network._prepare_position_ids_for_generation(ids, dict(others))

    unread = (ids.shape[1] - encoded["attention_mask"].sum(1)).tolist()
    rows = [_places(first, last, each) for first, each in zip(unread, groups, strict=True)]
    longest = max(map(len, rows))
    padding = (last, PADDING, 0, IGNORED)
    table = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
    column, owner, step, token = table.to(ids.device).unbind(-1)
    row = torch.arange(len(rows), device=ids.device)[:, None]
    inputs = {
        name: value[row, column] if value.shape[:2] == ids.shape else value
        for name, value in encoded.items()
    }
    inputs["input_ids"] = torch.where(token == IGNORED, inputs["input_ids"], token)
    inputs["attention_mask"] = _attended(owner)
    inputs["position_ids"] = positions[..., row, column] + step
    inputs["labels"] = token
    return inputs


def _places(
    first: int, last: int, responses: Sequence[Sequence[int]]
) -> list[tuple[int, int, int, int]]:
    """What stands at each place of a row, for a prompt in the columns `first` to `last`.

    Returns:
        The column whose values for each token stand here; who owns the place, 0 for the prompt and
        1 to K for the responses; by how much its position is further than that of the column; and
        the token of a response, ``IGNORED`` at others.
    """
    places = [(column, 0, 0, IGNORED) for column in range(first, last)]
    for owner, response in enumerate(responses, 1):
        places.append((last, owner, 0, IGNORED))
        places += [(last, owner, step, token) for step, token in enumerate(response, 1)]
    return places


def _attended(owner: torch.Tensor) -> torch.Tensor:
    """Which places (P, 1, L, L) each place of the owners (P, L) attends to, itself included."""
    own = owner[:, None, :] == owner[:, :, None]
    prompt = (owner == 0)[:, None, :]
    return ((own | prompt).tril())[:, None]
