"""Attention of many responses to one copy of their prompt's keys and values.

Each response keeps the keys and values of its own tokens only. Its attention is the softmax over
both parts together, so it is exact; the prompt's part is one matrix product for all responses to
it (the idea of Hydragen, Juravsky et al. 2024, arXiv:2402.05099).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from mstar.agents.sampling.row_cache import RowLayer

Attention = Callable[..., tuple[torch.Tensor, None]]


class SharedLayer(RowLayer):
    """Keys and values of R responses, (R, heads, t, size), beside those of their P prompts.

    Attributes:
        prompt_keys: (P, heads, T, size).
        prompt_values: (P, heads, T, size).
    """

    def __init__(self, layer: Any, rows: torch.Tensor, prompts: torch.Tensor) -> None:
        """Hold `rows` (R,) of a layer, and the `prompts` (P,) that they answer.

        Args:
            layer: a ``SharedLayer``, or the prompts' ``DynamicLayer``, whose rows then start empty.
            rows: numbers of responses, or of the prompts that they start from.
            prompts: numbers of prompts.
        """
        begun = isinstance(layer, SharedLayer)
        keys, values = layer.keys, layer.values
        if begun:
            super().__init__(keys, values, rows)
            keys, values = layer.prompt_keys, layer.prompt_values
        else:
            super().__init__(keys[:, :, :0], values[:, :, :0], rows)
        all_stay = len(prompts) == len(keys)
        self.prompt_keys = keys if all_stay else keys[prompts]
        self.prompt_values = values if all_stay else values[prompts]

    def get_seq_length(self) -> int:
        """Tokens of the prompt, padding included, and of the response so far."""
        return int(self.prompt_keys.shape[-2] + self.keys.shape[-2])


class SharedPrompts:
    """The cache of R responses to P prompts, and the attention that goes with it.

    Attributes:
        cache: what the model is given as its cache.
    """

    def __init__(self, cache: Any, mask: torch.Tensor | None, owners: torch.Tensor) -> None:
        """Start responses to the prompts of a cache.

        Args:
            cache: of the prompts; every layer a ``DynamicLayer``.
            mask: (P, T), 0 on padding; None where there is none.
            owners: (R,) the prompt of each response, in rising order.
        """
        self.cache, self.mask, self.owners = cache, mask, owners
        self._keep(owners, owners)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows (R,) alone, in rising order, and with the prompts they answer."""
        self._keep(rows, self.owners[rows])

    def _keep(self, rows: torch.Tensor, owners: torch.Tensor) -> None:
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

    @contextmanager
    def attending(self) -> Iterator[None]:
        """While this lasts, one forward pass of the model over one new token of each response.

        Raises:
            RuntimeError: the model did not attend through transformers' interface for attention.
        """
        usual = ALL_ATTENTION_FUNCTIONS["sdpa"]
        self.attended = 0

        def attention(module: Any, query: Any, key: Any, *others: Any, **named: Any) -> Any:
            layer = self.cache.layers[module.layer_idx] if hasattr(module, "layer_idx") else None
            if layer is None or key is not layer.keys:  # another model, in another thread
                return usual(module, query, key, *others, **named)
            self.attended += 1
            return self._attend(layer, query, named["scaling"]), None

        ALL_ATTENTION_FUNCTIONS["sdpa"] = attention
        try:
            yield
        finally:
            ALL_ATTENTION_FUNCTIONS["sdpa"] = usual
        if self.attended != len(self.cache.layers):
            raise RuntimeError(
                f"{self.attended} of {len(self.cache.layers)} layers attended to the shared "
                'prompt; load this model with attn_implementation="eager", which copies it'
            )

    def _attend(self, layer: SharedLayer, query: torch.Tensor, scaling: float) -> torch.Tensor:
        """Attention of one query a response, (R, heads, 1, size), to both parts.

        Returns (R, 1, heads, size), as the interface has it.

        Letters: g query heads share one of h key heads; k responses, at most, to one prompt.
        """
        rows, heads, _, size = query.shape
        held, length = layer.prompt_keys.shape[1], layer.prompt_keys.shape[2]
        query = query.reshape(rows, held, heads // held, size) * scaling
        table = self._table(query)  # (P, h, k x g, size)
        scores = table @ layer.prompt_keys.transpose(-1, -2)
        if self.mask is not None:
            scores = scores.masked_fill(self.mask[:, None, None] == 0, float("-inf"))
        own = query @ layer.keys.transpose(-1, -2)  # (R, h, g, t)
        both = torch.cat([self._rows(scores, heads // held), own], dim=-1)
        precision = torch.promote_types(both.dtype, torch.float32)  # never less than 32 bits
        weights = both.softmax(-1, dtype=precision).to(query.dtype)
        read = self._table(weights[..., :length]) @ layer.prompt_values
        found = self._rows(read, heads // held) + weights[..., length:] @ layer.values
        return found.reshape(rows, 1, heads, size)

    def _table(self, of_rows: torch.Tensor) -> torch.Tensor:
        """(R, h, g, n), laid out by prompt as (P, h, k x g, n); empty places are 0."""
        _, held, group, last = of_rows.shape
        table = of_rows.new_zeros(self.prompts * self.width, held, group, last)
        table[self.slots] = of_rows
        table = table.view(self.prompts, self.width, held, group, last).transpose(1, 2)
        return table.reshape(self.prompts, held, self.width * group, last)

    def _rows(self, table: torch.Tensor, group: int) -> torch.Tensor:
        """(P, h, k x g, n), back as (R, h, g, n)."""
        _, held, _, last = table.shape
        table = table.view(self.prompts, held, self.width, group, last).transpose(1, 2)
        return table.reshape(-1, held, group, last)[self.slots]


def can_share(network: Any, cache: Any) -> bool:
    """Whether a model keeps all tokens in every layer and attends the way that is replaced here."""
    usual = network.config.get_text_config()._attn_implementation == "sdpa"
    return usual and all(type(layer) in (DynamicLayer, RowLayer) for layer in cache.layers)
