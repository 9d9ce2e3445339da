"""Decode many responses in buffers that keep their place, so that a step can be a CUDA graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from mstar.agents.sampling.decoding import Decoded, Draws, Prefill
from mstar.agents.sampling.drawing import draw_tokens
from mstar.agents.sampling.fixed_cache import FixedCache
from mstar.agents.sampling.graphs import StepGraphs

ASK_EVERY = 8  # steps after which the CPU asks which responses have ended: that waits for the GPU
LENGTH = 128  # tokens of a response that attention reads at first; then twice as many, and so on
FEWEST = 8  # rows; fewer cost the same


@dataclass(frozen=True, slots=True)
class Shape:
    """What the buffers are made for.

    Attributes:
        rows: responses decoded together, a multiple of 8.
        prompts: that they respond to.
        width: the most responses to one prompt.
        prompt_length: tokens, with padding, a multiple of 64.
        limit: tokens of a response, a multiple of 16.
        ends: number of tokens that end a response.
        ladder: temperatures whose log-probabilities are added up as well.
        greedy: whether a response has temperature 0.
        tempered: whether a response has another temperature than 0 and 1.
    """

    rows: int
    prompts: int
    width: int
    prompt_length: int
    limit: int
    ends: int
    ladder: tuple[float, ...]
    greedy: bool
    tempered: bool


class FixedDecoder:
    """Decodes batches; those of one shape use the same buffers and graphs.

    Steps are captured for fewer and fewer rows, by halves, as responses end, and for longer and
    longer responses, by doubling, so that a step costs about what its rows and tokens need. The
    buffers have room for all tokens that a response may have.
    """

    def __init__(self) -> None:
        self._graphs: StepGraphs | None = None
        self._batch: FixedBatch | None = None

    def free(self) -> None:
        """Free the buffers and the graphs."""
        self._batch = None
        if self._graphs is not None:
            self._graphs.clear()

    def decode(self, network: Any, start: Prefill, draws: Draws) -> Decoded:
        """Decode responses until each has ended or has T tokens, as ``decode`` does.

        Args:
            network: that has prefilled the prompts, of which ``can_share`` is true.
            start: the prompts.
            draws: R responses.
        """
        temperatures = draws.temperatures
        shape = Shape(
            rows=rounded_up(len(draws.owners), FEWEST),
            prompts=len(start.mask),
            width=int(torch.bincount(draws.owners).max()),
            prompt_length=rounded_up(start.mask.shape[1], 64),
            limit=rounded_up(draws.uniforms.shape[1], 16),
            ends=len(draws.ends),
            ladder=draws.ladder,
            greedy=bool((temperatures == 0).any()),
            tempered=bool(((temperatures != 0) & (temperatures != 1)).any()),
        )
        if self._graphs is None:
            self._graphs = StepGraphs(temperatures.device)
        if self._batch is None or self._batch.shape != shape:
            self.free()
            self._batch = FixedBatch(network, start, shape, self._graphs)
        return self._batch.decode(start, draws)


class FixedBatch:
    """The state of up to R responses that are decoded together, in tensors that keep their place.

    Rows that no response needs are decoded like the others, and not read.

    Args:
        network: that has prefilled the prompts.
        start: prompts, for the form of their cache and positions.
        shape: of the batches that will be decoded.
        graphs: that run the steps.
    """

    def __init__(self, network: Any, start: Prefill, shape: Shape, graphs: StepGraphs) -> None:
        self.network, self.shape, self.graphs = network, shape, graphs
        device = start.logits.device
        self.cache = FixedCache(
            start.cache,
            (shape.prompts, shape.prompt_length),
            shape.width,
            (shape.rows, shape.limit),
        )
        *axes, _, _ = start.positions.shape
        statistics = 4 + len(shape.ladder) if shape.ladder else 3
        real = torch.float32 if device.type == "mps" else torch.float64
        whole = partial(torch.zeros, dtype=torch.int64, device=device)
        self.positions = whole(*axes, shape.rows, 1)
        self.tokens = whole(shape.rows)  # the last one of each row
        self.written = whole(shape.rows, shape.limit)
        self.count = whole(1)  # tokens written to each row
        self.lengths = whole(shape.rows)
        self.sums = torch.zeros(statistics, shape.rows, device=device)
        self.done = torch.zeros(shape.rows, dtype=torch.bool, device=device)
        self.temperatures = torch.zeros(shape.rows, device=device)
        self.uniforms = torch.zeros(shape.rows, shape.limit, dtype=real, device=device)
        self.ends = whole(shape.ends)

    def decode(self, start: Prefill, draws: Draws) -> Decoded:
        """Decode responses until each has ended or has T tokens; see ``FixedDecoder.decode``."""
        count, limit = draws.uniforms.shape
        self._fill(start, draws)
        decoded = Decoded(
            tokens=self.written.new_zeros(count, limit),
            lengths=self.lengths.new_zeros(count),
            sums=self.sums.new_zeros(len(self.sums), count),
            finished=self.done.new_zeros(count),
        )
        active = torch.arange(count, device=self.tokens.device)  # the response that each row holds
        rows = self.shape.rows
        self._draw(start.logits[self.cache.owners])
        for written in range(1, limit):
            if written % ASK_EVERY == 0:
                kept = (~self.done[:rows]).nonzero()[:, 0]
                if len(kept) == 0:
                    break
                if rows > FEWEST and len(kept) <= rows // 2:
                    self._store(decoded, active)
                    active, rows = active[kept], max(FEWEST, 1 << (len(kept) - 1).bit_length())
                    self._select(kept, rows, written)
            self._step(rows, written)
        self._store(decoded, active)
        return decoded

    def _fill(self, start: Prefill, draws: Draws) -> None:
        count, limit = draws.uniforms.shape
        self.cache.read(start.cache, start.mask, draws.owners)
        self.positions[..., :count, :] = start.positions[..., draws.owners, :]
        self.written.zero_()
        self.count.zero_()
        self.lengths.zero_()
        self.sums.zero_()
        self.done.zero_()
        self.done[count:] = True
        self.temperatures[:count] = draws.temperatures
        self.uniforms[:count, :limit] = draws.uniforms
        self.ends.copy_(draws.ends)

    def _step(self, rows: int, written: int) -> None:
        """Append the last token of each of the first rows, and draw the next one."""
        length = LENGTH
        while length < written:
            length *= 2
        length = min(length, self.shape.limit)
        self.cache.narrow(rows, length)
        self.graphs.run((rows, length), partial(self._append, rows))

    def _append(self, rows: int) -> None:
        self.positions += 1
        positions = self.positions[..., :rows, :]
        self._draw(self.cache.forward(self.network, self.tokens[:rows], positions))

    def _draw(self, logits: torch.Tensor) -> None:
        """Draw the next token of each row from logits (rows, V)."""
        rows = len(logits)
        tokens, statistics = draw_tokens(
            logits,
            self.temperatures[:rows],
            self.uniforms[:rows].index_select(1, self.count)[:, 0],
            self.shape.ladder,
            greedy=self.shape.greedy,
            tempered=self.shape.tempered,
        )
        going = ~self.done[:rows]
        self.written[:rows].index_copy_(1, self.count, tokens[:, None])
        self.tokens[:rows] = tokens
        self.lengths[:rows] += going
        self.sums[:, :rows] += statistics.where(going, 0.0)
        self.done[:rows] |= (tokens[:, None] == self.ends).any(-1)
        self.count += 1

    def _store(self, decoded: Decoded, active: torch.Tensor) -> None:
        """Write what the rows hold to the responses that they hold."""
        count, limit = len(active), decoded.tokens.shape[1]
        decoded.tokens[active] = self.written[:count, :limit]
        decoded.lengths[active] = self.lengths[:count]
        decoded.sums[:, active] = self.sums[:, :count]
        decoded.finished[active] = self.done[:count]

    def _select(self, kept: torch.Tensor, rows: int, written: int) -> None:
        """Move the responses in the rows `kept`, of that many tokens, to the first rows."""
        count = len(kept)
        self.cache.select(kept, written - 1)  # the last token is not in the cache yet
        for buffer in (
            self.tokens,
            self.written,
            self.lengths,
            self.done,
            self.temperatures,
            self.uniforms,
        ):
            buffer[:count] = buffer[kept]
        self.positions[..., :count, :] = self.positions[..., kept, :]
        self.sums[:, :count] = self.sums[:, kept]
        self.done[count:rows] = True


def rounded_up(number: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-number // step) * step
