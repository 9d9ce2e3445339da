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
        places: (R,) int64, where the next token of each response is written.

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
        places: torch.Tensor,
    ) -> None:
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        # What is masked has weight 0, but 0 times what memory holds by chance may not be a number.
        self.prompt_keys = _zeros(layer.keys, *prompts)
        self.prompt_values = _zeros(layer.values, *prompts)
        self.key_buffer = _zeros(layer.keys, *responses)
        self.value_buffer = _zeros(layer.values, *responses)
        self.places = places

    def narrow(self, rows: int, length: int) -> None:
        """Have the next steps read only the first rows and tokens."""
        self.keys = self.key_buffer[:rows, :, :length]
        self.values = self.value_buffer[:rows, :, :length]

    def read(self, layer: Any, prompts: torch.Tensor, places: torch.Tensor) -> None:
        """Copy the keys and values of some prompts of a layer to places for prompts."""
        length = layer.keys.shape[2]
        self.prompt_keys[places, :, :length] = layer.keys[prompts]
        self.prompt_values[places, :, :length] = layer.values[prompts]

    def select(self, rows: torch.Tensor, used: int) -> None:
        """Move the responses `rows` (n,), of `used` tokens, to the first n places."""
        for buffer in (self.key_buffer, self.value_buffer):
            buffer[: len(rows), :, :used] = buffer[rows, :, :used]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, heads, 1, size) to each, and return all that is read."""
        places = self.places[: len(key_states), None, None, None].expand_as(key_states)
        self.keys.scatter_(2, places, key_states)
        self.values.scatter_(2, places, value_states)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens that there is room for; which of them count, the attention knows."""
        return int(self.prompt_keys.shape[-2] + self.keys.shape[-2])


class FixedCache:
    """The cache of up to R responses to up to P prompts, and the attention that reads it.

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
        places: (R,) int64, where the next token of each response is written.
    """

    def __init__(
        self, cache: Any, prompts: tuple[int, int], width: int, responses: tuple[int, int]
    ) -> None:
        states = cache.layers[0].keys
        self.prompts, self.width, self.rows = prompts[0], width, responses[0]
        self.places = torch.zeros(responses[0], dtype=torch.int64, device=states.device)
        self.cache = copy.copy(cache)
        self.cache.layers = [
            FixedLayer(layer, prompts, responses, self.places) for layer in cache.layers
        ]
        self._prompt_bias = states.new_zeros(prompts[0], 1, 1, prompts[1])
        self._own_bias = states.new_zeros(responses[0], 1, 1, responses[1])
        self._steps = torch.arange(responses[1], device=states.device)
        # Row r is entry (owners[r], ranks[r]) of a table of prompts and responses to each.
        self._owners = torch.zeros_like(self.places)
        self._ranks = torch.zeros_like(self.places)
        self._table = self.places.new_zeros(prompts[0] * width)

    def read(
        self, cache: Any, mask: torch.Tensor, prompts: torch.Tensor, places: torch.Tensor
    ) -> None:
        """Read prompts, to places of prompts that no row needs any more.

        Args:
            cache: of prompts.
            mask: of these, 0 on padding; no longer than there is room for.
            prompts: (n,) int64, which of them are read.
            places: (n,) int64, below P.
        """
        for own, layer in zip(self.cache.layers, cache.layers, strict=True):
            own.read(layer, prompts, places)
        bias = torch.full_like(self._prompt_bias[: len(prompts)], float("-inf"))
        bias[:, 0, 0, : mask.shape[1]].masked_fill_(mask[prompts] != 0, 0)
        self._prompt_bias[places] = bias

    def begin(self, rows: torch.Tensor, owners: torch.Tensor, ranks: torch.Tensor) -> None:
        """Have rows (n,) hold responses without a token.

        Args:
            rows: that no response needs any more.
            owners: (n,), the places of their prompts.
            ranks: (n,), their numbers among the responses to these, below the width.
        """
        self.places[rows] = 0
        self._owners[rows], self._ranks[rows] = owners, ranks
        self._table[owners * self.width + ranks] = rows

    def select(self, rows: torch.Tensor, used: int) -> None:
        """Move the responses `rows` (n,), of up to `used` tokens, to the first n rows."""
        count = len(rows)
        for layer in self.cache.layers:
            layer.select(rows, used)
        for index in (self.places, self._owners, self._ranks):
            index[:count] = index[rows]
        self.places[count:] = 0
        self._table.zero_()  # an entry must name one of the rows that are still decoded
        self._table[self._owners[:count] * self.width + self._ranks[:count]] = torch.arange(
            count, device=rows.device
        )

    def narrow(self, rows: int, length: int) -> None:
        """Have the next steps decode the first rows, of fewer than `length` tokens each."""
        self.rows = rows
        for layer in self.cache.layers:
            layer.narrow(rows, length)

    def forward(self, network: Any, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Append one token (rows,) to each row; returns the logits (rows, V) of the next one.

        ``places`` stay as they are, so that a response that has ended needs no more room.
        """
        unwritten = self._steps > self.places[: self.rows, None, None, None]
        self._own_bias[: self.rows].zero_().masked_fill_(unwritten, float("-inf"))
        with replaced_attention(self.cache, self._attend):
            out = network(
                input_ids=tokens[:, None],
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
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
        by_row = self._owners[: self.rows], slice(None), self._ranks[: self.rows]
        from_prompt, prompt_normalizer = (
            part.unflatten(2, (self.width, group))[by_row]
            for part in attention_part(
                table, layer.prompt_keys, layer.prompt_values, self._prompt_bias, scaling
            )
        )
        own_bias = self._own_bias[:rows, ..., : layer.keys.shape[2]]
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
