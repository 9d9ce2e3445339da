"""Key-value caches: rows to select, room to grow, and one copy of a prompt for many responses.

A ``RowLayer`` holds the keys and values of some rows. A ``SharedLayer`` holds those of responses
apart from those of their prompts, which are stored once. Attention is then the softmax over both
parts together, so it is exact; the prompt's part is one matrix product for all responses to it
(the idea of Hydragen, Juravsky et al. 2024, arXiv:2402.05099).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

BLOCK = 128  # tokens by which the buffers grow


class RowLayer(DynamicLayer):
    """Keys and values of one layer, (R, heads, T, size) each, in buffers with room for more.

    A ``DynamicLayer`` copies everything for every new token; this copies once every ``BLOCK``.

    Args:
        keys: (P, heads, T, size).
        values: (P, heads, T, size).
        rows: (R,) indices into keys and values; an index may occur many times.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._allocate(keys, values, rows)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (R, heads, new, size) to each, and return all keys and values."""
        used = self.keys.shape[-2]
        needed = used + key_states.shape[-2]
        if needed > self.key_buffer.shape[-2]:
            every = torch.arange(len(self.keys), device=self.keys.device)
            self._allocate(self.keys, self.values, every, needed - used)
        self.key_buffer[:, :, used:needed] = key_states
        self.value_buffer[:, :, used:needed] = value_states
        self.keys = self.key_buffer[:, :, :needed]
        self.values = self.value_buffer[:, :, :needed]
        return self.keys, self.values

    def _allocate(
        self, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor, new: int = 0
    ) -> None:
        used = keys.shape[-2]
        self.key_buffer = _buffer(keys, rows, new + BLOCK)
        self.value_buffer = _buffer(values, rows, new + BLOCK)
        self.keys, self.values = self.key_buffer[:, :, :used], self.value_buffer[:, :, :used]


def _buffer(states: torch.Tensor, rows: torch.Tensor, room: int) -> torch.Tensor:
    """Copy rows (R,) of (P, heads, T, size) to (R, heads, T + room, size)."""
    _, heads, used, size = states.shape
    buffer = states.new_empty(len(rows), heads, used + room, size)
    buffer[:, :, :used] = states[rows]
    return buffer


def select_rows(cache: Any, rows: torch.Tensor) -> Any:
    """A new cache with `rows` (R,) of `cache`, in that order; an index may occur many times.

    Layers that keep a sliding window or a recurrent state keep their type.
    """
    selected = copy.copy(cache)
    selected.layers = [_select_layer_rows(layer, rows) for layer in cache.layers]
    return selected


def _select_layer_rows(layer: Any, rows: torch.Tensor) -> Any:
    if type(layer) in (DynamicLayer, RowLayer):
        return RowLayer(layer.keys, layer.values, rows)
    selected = copy.deepcopy(layer)
    selected.reorder_cache(rows)
    return selected


class SharedLayer(RowLayer):
    """Keys and values of R responses, (R, heads, t, size), beside those of their P prompts.

    Args:
        layer: a ``SharedLayer``, or the prompts' ``DynamicLayer``; responses then start empty.
        rows: (R,) indices of the responses, or of the prompts that they start from.
        prompts: (P,) indices of prompts.

    Attributes:
        prompt_keys: (P, heads, T, size).
        prompt_values: (P, heads, T, size).
    """

    prompt_keys: torch.Tensor
    prompt_values: torch.Tensor

    def __init__(self, layer: Any, rows: torch.Tensor, prompts: torch.Tensor) -> None:
        keys, values = layer.keys, layer.values
        if isinstance(layer, SharedLayer):
            super().__init__(keys, values, rows)
            keys, values = layer.prompt_keys, layer.prompt_values
        else:
            super().__init__(keys[:, :, :0], values[:, :, :0], rows)
        keep_all = len(prompts) == len(keys)
        self.prompt_keys = keys if keep_all else keys[prompts]
        self.prompt_values = values if keep_all else values[prompts]

    def get_seq_length(self) -> int:
        """Tokens of the prompt, including padding, and of the response so far."""
        return int(self.prompt_keys.shape[-2] + self.keys.shape[-2])


class SharedPrompts:
    """The cache of R responses to P prompts, and the attention that reads it.

    Args:
        cache: of the prompts; every layer a ``DynamicLayer``.
        mask: (P, T), 0 on padding; None if there is none.
        owners: (R,) index of each response's prompt, in rising order.

    Attributes:
        cache: what the model is given as its cache.
    """

    def __init__(self, cache: Any, mask: torch.Tensor | None, owners: torch.Tensor) -> None:
        self.cache, self.mask, self.owners = cache, mask, owners
        self._select(owners, owners)

    def select(self, rows: torch.Tensor) -> None:
        """Keep only the responses `rows` (R,), in rising order, and their prompts."""
        self._select(rows, self.owners[rows])

    def _select(self, rows: torch.Tensor, owners: torch.Tensor) -> None:
        prompts, self.owners = torch.unique(owners, return_inverse=True)
        cache = copy.copy(self.cache)
        cache.layers = [SharedLayer(layer, rows, prompts) for layer in self.cache.layers]
        self.cache = cache
        if self.mask is not None:
            self.mask = self.mask[prompts]
        # Row r is entry `slots[r]` of a table of prompts x the most responses that one has.
        counts = torch.bincount(self.owners)
        first = counts.cumsum(0) - counts
        rank = torch.arange(len(rows), device=rows.device) - first[self.owners]
        self.prompts, self.width = len(prompts), int(counts.max())
        self.slots = self.owners * self.width + rank

    def attention(self) -> AbstractContextManager[None]:
        """Replace the attention for one forward pass over one new token of each response."""
        return replaced_attention(self.cache, self._attend)

    def _attend(self, layer: SharedLayer, query: torch.Tensor, scaling: float) -> torch.Tensor:
        """Attention of one query per response, (R, heads, 1, size), to both parts.

        Returns (R, 1, heads, size), as transformers' interface does.

        Letters: g query heads share one of h key heads; at most k responses share a prompt.
        """
        rows, heads, _, size = query.shape
        key_heads, length = layer.prompt_keys.shape[1], layer.prompt_keys.shape[2]
        group = heads // key_heads
        query = query.reshape(rows, key_heads, group, size) * scaling
        table = self._by_prompt(query)  # (P, h, k x g, size)
        scores = table @ layer.prompt_keys.transpose(-1, -2)
        if self.mask is not None:
            scores = scores.masked_fill(self.mask[:, None, None] == 0, float("-inf"))
        own = query @ layer.keys.transpose(-1, -2)  # (R, h, g, t)
        both = torch.cat([self._by_row(scores, group), own], dim=-1)
        precision = torch.promote_types(both.dtype, torch.float32)  # never less than 32 bits
        weights = both.softmax(-1, dtype=precision).to(query.dtype)
        from_prompt = self._by_prompt(weights[..., :length]) @ layer.prompt_values
        out = self._by_row(from_prompt, group) + weights[..., length:] @ layer.values
        return out.reshape(rows, 1, heads, size)

    def _by_prompt(self, by_row: torch.Tensor) -> torch.Tensor:
        """(R, h, g, n) as (P, h, k x g, n), grouped by prompt; unused places are 0."""
        _, heads, group, last = by_row.shape
        table = by_row.new_zeros(self.prompts * self.width, heads, group, last)
        table[self.slots] = by_row
        table = table.view(self.prompts, self.width, heads, group, last).transpose(1, 2)
        return table.reshape(self.prompts, heads, self.width * group, last)

    def _by_row(self, table: torch.Tensor, group: int) -> torch.Tensor:
        """(P, h, k x g, n) back as (R, h, g, n)."""
        _, heads, _, last = table.shape
        table = table.view(self.prompts, heads, self.width, group, last).transpose(1, 2)
        return table.reshape(-1, heads, group, last)[self.slots]


@contextmanager
def replaced_attention(
    cache: Any, attend: Callable[[Any, torch.Tensor, float], torch.Tensor]
) -> Iterator[None]:
    """Have `attend` compute the attention to a cache, for one forward pass with it.

    Args:
        cache: that the model is given; the keys of its layers tell its calls from others.
        attend: given a layer of the cache, the query (R, heads, 1, size) and the scaling of the
            scores, returns (R, 1, heads, size).

    Raises:
        RuntimeError: the model did not call transformers' attention interface.
    """
    default = ALL_ATTENTION_FUNCTIONS["sdpa"]
    attended = 0

    def attention(module: Any, query: Any, key: Any, *others: Any, **options: Any) -> Any:
        nonlocal attended
        layer = cache.layers[module.layer_idx] if hasattr(module, "layer_idx") else None
        if layer is None or key is not layer.keys:  # another model, in another thread
            return default(module, query, key, *others, **options)
        attended += 1
        return attend(layer, query, options["scaling"]), None

    ALL_ATTENTION_FUNCTIONS["sdpa"] = attention
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS["sdpa"] = default
    if attended != len(cache.layers):
        raise RuntimeError(
            f"{attended} of {len(cache.layers)} layers attended to the shared prompt; load this "
            "model with --attention eager, which copies it"
        )


def can_share(network: Any, cache: Any) -> bool:
    """Whether a model uses SDPA attention and caches all tokens, and nothing else, in every layer.

    Layers of cross-attention cache images.
    """
    config = network.config.get_text_config()
    plain = config._attn_implementation == "sdpa"
    plain = plain and not getattr(config, "cross_attention_layers", None)
    return plain and all(type(layer) in (DynamicLayer, RowLayer) for layer in cache.layers)
