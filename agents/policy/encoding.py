"""What the processor makes of prompts, each alone and once, and batches of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import pad

from mstar.envs.problem import Prompt

Encoding = Mapping[str, torch.Tensor]  # the inputs of a model, by name

# Bytes of host memory for encodings: 1,024 prompts with an image of 448 x 448 pixels take 2.5 GB
# for a Qwen2.5-VL in bfloat16.
ROOM = 4 * 2**30


class EncodedPrompts:
    """Encodings of single prompts, each kept as long as the prompt is, if there is room.

    A prompt is known by its identity: sampling, scoring and training share the object. Encodings
    beyond the room are not kept, and made again at the next use.

    Args:
        room: bytes for all of them.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._kept: WeakKeyDictionary[Prompt, Encoding] = WeakKeyDictionary()
        self._bytes: WeakKeyDictionary[Prompt, int] = WeakKeyDictionary()

    def get(self, prompt: Prompt, encode: Callable[[Prompt], Encoding]) -> Encoding:
        """The encoding of a prompt, made by `encode` unless it is kept."""
        found = self._kept.get(prompt)
        if found is None:
            found = encode(prompt)
            size = sum(value.nbytes for value in found.values())
            if size + sum(self._bytes.values()) <= self._room:
                self._kept[prompt], self._bytes[prompt] = found, size
        return found


def collated(rows: Sequence[Encoding], fill: int) -> dict[str, torch.Tensor]:
    """The batch that the processor would make of prompts that were encoded alone.

    Values of tokens are padded on the left. All others belong to images: they are put one behind
    the other, whatever the prompt, after images of other sizes were padded to the largest.

    Args:
        rows: N encodings, with ``input_ids`` (1, T) each.
        fill: the id of padding; other values are padded with 0.
    """
    rows = _counted_on(_aligned(rows))
    longest = max(row["input_ids"].shape[1] for row in rows)
    batch: dict[str, torch.Tensor] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [
            _padded_left(row[name], longest, fill if name == "input_ids" else 0)
            if _is_of_tokens(name, row)
            else row[name]
            for row in rows
            if name in row
        ]
        sizes = [max(each) for each in zip(*(value.shape[1:] for value in values), strict=True)]
        batch[name] = torch.cat([_padded_right(value, sizes) for value in values])
    return batch


def _is_of_tokens(name: str, row: Encoding) -> bool:
    return row[name].shape[:2] == row["input_ids"].shape


def _aligned(rows: Sequence[Encoding]) -> Sequence[Encoding]:
    """The same rows, with zeros for the images that some lack where a model needs a row for each.

    That is a model with cross-attention (Llama 3.2 Vision), which is known by its mask for each
    token and image.
    """
    examples = {name: value for row in rows for name, value in row.items()}
    of_tokens = {name for row in rows for name in row if _is_of_tokens(name, row)}
    if all(of_tokens <= row.keys() for row in rows):
        return rows
    return [
        {
            name: row.get(name, value.new_zeros(1, *_shape_in(row, value, name in of_tokens)))
            for name, value in examples.items()
        }
        for row in rows
    ]


def _shape_in(row: Encoding, value: torch.Tensor, of_tokens: bool) -> Sequence[int]:
    """The shape, but for the first axis, that a value of another row would have in this one."""
    return (row["input_ids"].shape[1], *value.shape[2:]) if of_tokens else value.shape[1:]


def _counted_on(rows: Sequence[Encoding]) -> Sequence[Encoding]:
    """The same rows, with indices of image patches that count on from one to the next.

    Molmo2 has such indices, into the patches (crops, patches, size) of all images of a batch; -1
    stands for none.
    """
    name, first = "image_token_pooling", 0
    counted: list[Encoding] = []
    for row in rows:
        if name in row:
            indices, (crops, patches, _) = row[name], row["pixel_values"].shape
            row = {**row, name: torch.where(indices < 0, indices, indices + first)}
            first += crops * patches
        counted.append(row)
    return counted


def _padded_left(values: torch.Tensor, width: int, fill: int) -> torch.Tensor:
    """Values of tokens (1, T, ...) as (1, width, ...)."""
    missing = values.new_full((1, width - values.shape[1], *values.shape[2:]), fill)
    return torch.cat([missing, values], dim=1)


def _padded_right(values: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Values with zeros behind them on all axes but the first, up to the given sizes."""
    missing = [size - own for own, size in zip(values.shape[1:], sizes, strict=True)]
    return pad(values, [side for each in reversed(missing) for side in (0, each)])
