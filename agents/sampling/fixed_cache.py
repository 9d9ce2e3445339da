"""Keys and values that keep their place in memory, and the attention that reads them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from mstar.agents.sampling.prefix_cache import replaced_attention


class FixedLayer(DynamicLayer):
    """Keys and values of one layer, of up to R responses and of their P prompts.

    Args:
        layer: of prompts, whose number of heads, head size and precision count.
        prompts: (P, T), the number of prompts and their length.
        responses: (R, C), the number of responses and their length.
        place: (1,) int64, where the next token of all responses is written.

    Attributes:
        keys: (rows, heads, length, size), of the responses that are decoded now.
        values: of the same shape.
        prompt_keys: (P, heads, T, size).
        prompt_values: of the same shape.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(
        self,
        layer: Any,
        prompts: tuple[int, int],
        responses: tuple[int, int],
        place: torch.Tensor,
    ) -> None:
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        # What is masked has weight 0, but 0 times what memory holds by chance may not be a number.
        self.prompt_keys = _zeros(layer.keys, *prompts)
        self.prompt_values = _zeros(layer.values, *prompts)
        self.key_buffer = _zeros(layer.keys, *responses)
        self.value_buffer = _zeros(layer.values, *responses)
        self.place = place

    def narrow(self, rows: int, length: int) -> None:
        """Have the next steps read only the first rows and tokens."""
        self.keys = self.key_buffer[:rows, :, :length]
        self.values = self.value_buffer[:rows, :, :length]

    def read(self, layer: Any) -> None:
        """Copy the keys and values of prompts."""
        prompts, _, length, _ = layer.keys.shape
        self.prompt_keys[:prompts, :, :length] = layer.keys
        self.prompt_values[:prompts, :, :length] = layer.values

    def select(self, rows: torch.Tensor, used: int) -> None:
        """Move the responses `rows` (n,), of `used` tokens, to the first n places."""
        for buffer in (self.key_buffer, self.value_buffer):
            buffer[: len(rows), :, :used] = buffer[rows, :, :used]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, heads, 1, size) to each, and return all that is read."""
        self.keys.index_copy_(2, self.place, key_states)
        self.values.index_copy_(2, self.place, value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens that there is room for; which of them count, the attention knows."""
        return int(self.prompt_keys.shape[-2] + self.keys.shape[-2])


class FixedCache:
    """The cache of up to R responses to P prompts, and the attention that reads it.

    Attention is the softmax over a prompt and a response together, so it is exact: each part gives
    what it attends to and the normalizer of its softmax, and the normalizers weigh the two parts.
    The prompt's part is computed for all responses to it at once.

    Args:
        cache: of prompts; every layer a ``DynamicLayer``.
        prompts: (P, T), the number of prompts and their length.
        width: the most responses to one prompt.
        responses: (R, C), the number of responses and their length.

    Attributes:
        cache: what the model is given as its cache.
        place: (1,) int64, where the next token of all responses is written.
    """

    def __init__(
        self, cache: Any, prompts: tuple[int, int], width: int, responses: tuple[int, int]
    ) -> None:
        states = cache.layers[0].keys
        self.prompts, self.width, self.rows = prompts[0], width, responses[0]
        self.place = torch.zeros(1, dtype=torch.int64, device=states.device)
        self.cache = copy.copy(cache)
        self.cache.layers = [
            FixedLayer(layer, prompts, responses, self.place) for layer in cache.layers
        ]
        self._prompt_bias = states.new_zeros(prompts[0], 1, 1, prompts[1])
        self._own_bias = states.new_zeros(1, 1, 1, responses[1])
        self._steps = torch.arange(responses[1], device=states.device)
        # Row r is entry (owners[r], ranks[r]) of a table of prompts and responses to each.
        self.owners = torch.zeros(responses[0], dtype=torch.int64, device=states.device)
        self._ranks = torch.zeros_like(self.owners)
        self._table = self.owners.new_zeros(prompts[0] * width)

    def read(self, cache: Any, mask: torch.Tensor, owners: torch.Tensor) -> None:
        """Start with prompts and no tokens of responses.

        Args:
            cache: of the prompts.
            mask: (P, T), 0 on padding.
            owners: (n,) index of each response's prompt, in rising order.
        """
        for own, layer in zip(self.cache.layers, cache.layers, strict=True):
            own.read(layer)
        prompts, length = mask.shape
        self._prompt_bias.fill_(float("-inf"))
        self._prompt_bias[prompts:] = 0  # of no prompt, but a softmax needs a number
        self._prompt_bias[:prompts, 0, 0, :length].masked_fill_(mask != 0, 0)
        self.place.zero_()
        counts = torch.bincount(owners, minlength=self.prompts)
        self.owners[: len(owners)] = owners
        self._ranks[: len(owners)] = (
            torch.arange(len(owners), device=owners.device) - (counts.cumsum(0) - counts)[owners]
        )
        self._place_rows(len(owners))

    def select(self, rows: torch.Tensor, used: int) -> None:
        """Move the responses `rows` (n,), of `used` tokens, to the first n places."""
        for layer in self.cache.layers:
            layer.select(rows, used)
        for index in (self.owners, self._ranks):
            index[: len(rows)] = index[rows]
        self._place_rows(len(rows))

    def _place_rows(self, count: int) -> None:
        """Have the table name the first rows; a place of no row names any."""
        places = self.owners[:count] * self.width + self._ranks[:count]
        self._table.zero_()
        self._table[places] = torch.arange(count, device=places.device)

    def narrow(self, rows: int, length: int) -> None:
        """Have the next steps decode the first rows, of fewer than `length` tokens each."""
        self.rows = rows
        for layer in self.cache.layers:
            layer.narrow(rows, length)

    def forward(self, network: Any, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Append one token (rows,) to each row; returns the logits (rows, V) of the next one."""
        self._own_bias.zero_().masked_fill_(self._steps > self.place, float("-inf"))
        with replaced_attention(self.cache, self._attend):
            out = network(
                input_ids=tokens[:, None],
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.place += 1
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _attend(self, layer: FixedLayer, query: torch.Tensor, scaling: float) -> torch.Tensor:
        """Attention of one query per response, (R, heads, 1, size), to both parts.

        Returns (R, 1, heads, size), as transformers' interface does.

        Letters: g query heads share one of h key heads; at most k responses share a prompt.
        """
        rows, heads, _, size = query.shape
        key_heads = layer.keys.shape[1]
        group = heads // key_heads
        query = query.reshape(rows, key_heads, group, size)
        table = query.transpose(1, 2).index_select(0, self._table)  # (P x k, g, h, size)
        table = table.view(self.prompts, self.width * group, key_heads, size).transpose(1, 2)
        by_row = self.owners[: self.rows], slice(None), self._ranks[: self.rows]
        from_prompt, prompt_normalizer = (
            part.unflatten(2, (self.width, group))[by_row]
            for part in attention_part(
                table, layer.prompt_keys, layer.prompt_values, self._prompt_bias, scaling
            )
        )
        own_bias = self._own_bias[..., : layer.keys.shape[2]]
        own, normalizer = attention_part(query, layer.keys, layer.values, own_bias, scaling)
        share = torch.sigmoid(prompt_normalizer - normalizer)[..., None].to(own.dtype)
        return torch.lerp(own, from_prompt, share).reshape(rows, 1, heads, size)


def attention_part(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    bias: torch.Tensor,
    scaling: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention to a part of what is attended to, and the logarithm of its softmax's normalizer.

    On a GPU by torch's memory-efficient kernel, if it takes the shapes: scores are then not
    written to memory.

    Args:
        query: (B, h, n, size).
        keys: (B, h, t, size).
        values: (B, h, t, size).
        bias: added to the scores; expands to (B, h, n, t).
        scaling: of the scores.

    Returns:
        (B, h, n, size) in the precision of the query, and (B, h, n) in float32 or more.
    """
    bias = bias.expand(*query.shape[:3], keys.shape[2])
    if query.is_cuda and _efficient(query, keys, values, bias):
        out, normalizer, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, keys, values, bias, True, scale=scaling
        )
        return out, normalizer[..., : query.shape[2]]  # it is padded
    precision = torch.promote_types(query.dtype, torch.float32)
    scores = (query @ keys.transpose(-1, -2)).to(precision) * scaling + bias
    normalizer = scores.logsumexp(-1)
    return (scores - normalizer[..., None]).exp().to(values.dtype) @ values, normalizer


def _efficient(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor
) -> bool:
    asked = torch.backends.cuda.SDPAParams(query, keys, values, bias, 0.0, False, False)
    return torch.backends.cuda.can_use_efficient_attention(asked)


def _zeros(states: torch.Tensor, rows: int, length: int) -> torch.Tensor:
    _, heads, _, size = states.shape
    return states.new_zeros(rows, heads, length, size)
