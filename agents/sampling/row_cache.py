"""A key-value cache whose rows can be taken, repeated and dropped, and that grows in blocks."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

BLOCK = 128  # tokens of room that are added at once


class RowLayer(DynamicLayer):
    """One layer's keys and values, (R, heads, T, size) each, with room for more tokens.

    A ``DynamicLayer`` copies everything it holds for every token; this copies once a block.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor) -> None:
        """Hold `rows` (R,) of keys and values (P, heads, T, size); one may be named many times."""
        super().__init__()
        self.lazy_initialization(keys, values)
        self._hold(keys, values, rows)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (R, heads, new, size) and return all that is held."""
        used = self.keys.shape[-2]
        needed = used + key_states.shape[-2]
        if needed > self.key_room.shape[-2]:
            every = torch.arange(len(self.keys), device=self.keys.device)
            self._hold(self.keys, self.values, every, needed - used)
        self.key_room[:, :, used:needed] = key_states
        self.value_room[:, :, used:needed] = value_states
        self.keys = self.key_room[:, :, :needed]
        self.values = self.value_room[:, :, :needed]
        return self.keys, self.values

    def take(self, rows: torch.Tensor) -> RowLayer:
        """A layer that holds `rows` (R,) of this one."""
        return RowLayer(self.keys, self.values, rows)

    def _hold(
        self, keys: torch.Tensor, values: torch.Tensor, rows: torch.Tensor, room: int = 0
    ) -> None:
        used = keys.shape[-2]
        self.key_room = with_room(keys, rows, room + BLOCK)
        self.value_room = with_room(values, rows, room + BLOCK)
        self.keys, self.values = self.key_room[:, :, :used], self.value_room[:, :, :used]


def with_room(held: torch.Tensor, rows: torch.Tensor, room: int) -> torch.Tensor:
    """Copy rows (R,) of (P, heads, T, size) into (R, heads, T + room, size)."""
    _, heads, used, size = held.shape
    copied = held.new_empty(len(rows), heads, used + room, size)
    copied[:, :, :used] = held[rows]
    return copied


def take_rows(cache: Any, rows: torch.Tensor) -> Any:
    """A cache that holds `rows` (R,) of `cache`, in that order; a row may be taken many times.

    Layers that keep a window or a state instead of all tokens stay what they are.
    """
    taken = copy.copy(cache)
    taken.layers = [take_layer(layer, rows) for layer in cache.layers]
    return taken


def take_layer(layer: Any, rows: torch.Tensor) -> Any:
    """A layer of its own that holds `rows` (R,) of `layer`."""
    if isinstance(layer, RowLayer):
        return layer.take(rows)
    if type(layer) is DynamicLayer:
        return RowLayer(layer.keys, layer.values, rows)
    taken = copy.deepcopy(layer)
    taken.reorder_cache(rows)
    return taken
