"""Decode many responses in buffers that keep their place, so that a step can be a CUDA graph."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from mstar.agents.sampling.decoding import Decoded, Draws, Prefill
from mstar.agents.sampling.drawing import draw_tokens
from mstar.agents.sampling.fixed_cache import FixedCache
from mstar.agents.sampling.graphs import StepGraphs
from mstar.agents.sampling.waiting import Given, Group, Held, Rows, Waiting, tensor

ASK_EVERY = 8  # steps after which the CPU asks which responses have ended: that waits for the GPU
LENGTH = 128  # tokens of a response that attention reads at first; then twice as many, and so on
FEWEST = 8  # rows; fewer cost the same
REFILLED = 1 / 8  # share of the rows that must be free before waiting responses take them


@dataclass(frozen=True, slots=True)
class Room:
    """What the buffers must hold at most, over all responses of a call.

    Attributes:
        rows: responses decoded together.
        prompts: that they respond to. Where responses wait, room for twice as many as fill the
            rows keeps the rows busy: a prompt leaves with the last response to it.
        width: the most responses to one prompt.
        greedy: whether a response has temperature 0.
        tempered: whether a response has another temperature than 0 and 1.
    """

    rows: int
    prompts: int
    width: int
    greedy: bool
    tempered: bool

    @classmethod
    def of(cls, groups: Sequence[Sequence[tuple[int, float]]], rows: int) -> Room:
        """Room for groups of responses, each given by its prompt in the group and its temperature.

        Args:
            groups: of one response or more.
            rows: the most that are decoded together.
        """
        responses = sum(len(group) for group in groups)
        counts = [Counter(prompt for prompt, _ in group) for group in groups]
        prompts = max((len(count) for count in counts), default=0)
        temperatures = {temperature for group in groups for _, temperature in group}
        return cls(
            rows=min(rows, responses),
            prompts=min(2 * prompts, rows) if responses > rows else prompts,
            width=max((max(count.values()) for count in counts), default=0),
            greedy=0 in temperatures,
            tempered=not temperatures <= {0, 1},
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """What the buffers are made for.

    Attributes:
        room: with a multiple of 8 rows.
        prompt_length: tokens, with padding, a multiple of 64.
        limit: tokens of a response.
        ends: number of tokens that end a response.
        ladder: temperatures whose log-probabilities are added up as well.
    """

    room: Room
    prompt_length: int
    limit: int
    ends: int
    ladder: tuple[float, ...]

    @classmethod
    def of(cls, start: Prefill, draws: Draws, room: Room) -> Shape:
        """The shape for a group of responses."""
        return cls(
            room=replace(room, rows=rounded_up(room.rows, FEWEST)),
            prompt_length=rounded_up(start.mask.shape[1], 64),
            limit=draws.uniforms.shape[1],
            ends=len(draws.ends),
            ladder=draws.ladder,
        )

    def holds(self, other: Shape) -> bool:
        """Whether what needs another shape can be decoded in this one."""
        longer = max(self.prompt_length, other.prompt_length)
        return replace(other, prompt_length=longer) == self


class FixedDecoder:
    """Decodes groups of responses; those that one shape holds use the same buffers and graphs.

    Rows of responses that have ended are given to responses that wait. Steps are captured for fewer
    and fewer rows, by halves, once none waits, and for longer and longer responses, by doubling, so
    that a step costs about what its rows and tokens need. The buffers have room for all tokens that
    a response may have.
    """

    def __init__(self) -> None:
        self._graphs: StepGraphs | None = None
        self._batch: FixedBatch | None = None

    def free(self) -> None:
        """Free the buffers and the graphs."""
        self._batch = None
        if self._graphs is not None:
            self._graphs.clear()

    def decode(
        self, network: Any, groups: Iterable[tuple[Prefill, Draws]], room: Room
    ) -> Iterator[Decoded]:
        """Decode responses until each has ended or has T tokens, as ``decode`` does.

        Args:
            network: that has prefilled the prompts, of which ``can_share`` is true.
            groups: prefilled prompts, and the responses to draw to them. A group is asked for when
                rows are free for it, and is best not longer than those before.
            room: that suffices for every group.

        Yields:
            What was decoded of each group, in order.
        """
        waiting = Waiting(groups)
        while (batch := self._batch_for(network, waiting, room)) is not None:
            yield from batch.decode(waiting)

    def _batch_for(self, network: Any, waiting: Waiting, room: Room) -> FixedBatch | None:
        """Buffers that hold the first group that waits; None if none waits."""
        if (group := waiting.first()) is None:
            return None
        start = waiting.start
        shape = Shape.of(start, group.draws, room)
        if self._batch is None or not self._batch.shape.holds(shape):
            self.free()
            self._graphs = self._graphs or StepGraphs(start.logits.device)
            self._batch = FixedBatch(network, start, shape, self._graphs)
        return self._batch


class FixedBatch:
    """The state of up to R responses that are decoded together, in tensors that keep their place.

    Rows that hold no response are decoded like the others, and not read.

    Args:
        network: that has prefilled the prompts.
        start: prompts, for the form of their cache and positions.
        shape: of what will be decoded.
        graphs: that run the steps.
    """

    def __init__(self, network: Any, start: Prefill, shape: Shape, graphs: StepGraphs) -> None:
        self.network, self.shape, self.graphs = network, shape, graphs
        device, room = start.logits.device, shape.room
        self.length = rounded_up(shape.limit, 16)
        self.cache = FixedCache(
            start.cache,
            (room.prompts, shape.prompt_length),
            room.width,
            (room.rows, self.length),
        )
        *axes, _, _ = start.positions.shape
        statistics = 4 + len(shape.ladder) if shape.ladder else 3
        real = torch.float32 if device.type == "mps" else torch.float64
        whole = partial(torch.zeros, dtype=torch.int64, device=device)
        self.rows = torch.arange(room.rows, device=device)
        self.positions = whole(*axes, room.rows, 1)
        self.tokens = whole(room.rows)  # the last one of each row
        # One column more than the limit: a row that has ended is written behind its last token.
        self.written = whole(room.rows, shape.limit + 1)
        self.uniforms = torch.zeros(room.rows, shape.limit + 1, dtype=real, device=device)
        self.lengths = whole(room.rows)
        self.sums = torch.zeros(statistics, room.rows, device=device)
        self.finished = torch.zeros(room.rows, dtype=torch.bool, device=device)
        self.done = torch.ones(room.rows, dtype=torch.bool, device=device)
        self.temperatures = torch.zeros(room.rows, device=device)
        self.ends = whole(shape.ends)

    def decode(self, waiting: Waiting) -> Iterator[Decoded]:
        """Decode the groups that wait, up to one that this shape does not hold."""
        rows, step = self.shape.room.rows, 0
        held, begun = Rows.empty(rows, self.shape.room.prompts), deque[Group]()
        while True:
            self._store_ended(held)
            while begun and begun[0].ended:
                yield begun.popleft().decoded
            all_given = self._refill(held, waiting, begun, step)
            left = len(held.held) - len(held.free)
            if left == 0:
                return
            longest = held.longest(step)
            if all_given and rows > FEWEST and left <= rows // 2:
                rows = max(FEWEST, 1 << (left - 1).bit_length())
                self._select(held, rows, longest)
            step += self._steps(rows, longest)

    def _store_ended(self, held: Rows) -> None:
        """Free the rows whose responses have ended, and store these in their groups."""
        ended: dict[Group, list[tuple[int, Held]]] = {}
        for row, done in enumerate(self.done[: len(held.held)].tolist()):
            if done and held.held[row] is not None:
                response = held.end(row)
                ended.setdefault(response.group, []).append((row, response))
        for group, responses in ended.items():
            rows = tensor((row for row, _ in responses), self.tokens.device)
            indices = tensor((response.index for _, response in responses), self.tokens.device)
            group.decoded.tokens[indices] = self.written[rows, : self.shape.limit]
            group.decoded.lengths[indices] = self.lengths[rows]
            group.decoded.sums[:, indices] = self.sums[:, rows]
            group.decoded.finished[indices] = self.finished[rows]
            self.cache.places[rows] = 0  # the next steps may read no further than others need

    def _refill(self, held: Rows, waiting: Waiting, begun: deque[Group], step: int) -> bool:
        """Give free rows to waiting responses.

        Returns:
            Whether the next free row has no response to take: none waits, or only groups whose
            prompts are too long for these buffers.
        """
        while len(held.free) >= REFILLED * len(held.held):
            group = waiting.first()
            if group is None or not self.shape.holds(
                Shape.of(waiting.start, group.draws, self.shape.room)
            ):
                return True
            if not (given := held.give(group, step)):
                return False
            if group not in begun:
                begun.append(group)
            self._begin(waiting.start, group, given)
        return False

    def _begin(self, start: Prefill, group: Group, given: Given) -> None:
        """Have rows hold responses of a group, and draw the first token of each."""
        draws, device = group.draws, self.tokens.device
        if given.entering:
            prompts = tensor(given.entering.keys(), device)
            self.cache.read(
                start.cache, start.mask, prompts, tensor(given.entering.values(), device)
            )
        rows, indices = tensor(given.rows, device), tensor(given.indices, device)
        owners = draws.owners[indices]
        ranks = tensor((group.ranks[index] for index in given.indices), device)
        self.cache.begin(rows, tensor(given.places, device), ranks)
        self.positions[..., rows, :] = start.positions[..., owners, :]
        self.temperatures[rows] = draws.temperatures[indices]
        self.uniforms[rows, : self.shape.limit] = draws.uniforms[indices]
        self.ends.copy_(draws.ends)
        self.lengths[rows] = 0
        self.sums[:, rows] = 0
        self.finished[rows] = False
        self.done[rows] = False
        self._draw(rows, start.logits[owners])

    def _steps(self, rows: int, longest: int) -> int:
        """Append the last token of each of the first rows, draw the next one, and so on.

        Args:
            rows: how many.
            longest: tokens of the longest response.

        Returns:
            The number of steps, after which it is time to ask which responses have ended.
        """
        steps = min(ASK_EVERY, self.shape.limit - longest)
        for written in range(longest, longest + steps):
            length = LENGTH
            while length < written:
                length *= 2
            length = min(length, self.length)
            self.cache.narrow(rows, length)
            self.graphs.run((rows, length), partial(self._append, rows))
        return steps

    def _append(self, rows: int) -> None:
        going = (~self.done[:rows]).to(torch.int64)
        self.positions[..., :rows, :] += going[:, None]
        positions = self.positions[..., :rows, :]
        logits = self.cache.forward(self.network, self.tokens[:rows], positions)
        self.cache.places[:rows] += going
        self._draw(self.rows[:rows], logits)

    def _draw(self, rows: torch.Tensor, logits: torch.Tensor) -> None:
        """Draw the next token of rows (n,) from logits (n, V)."""
        going, lengths = ~self.done[rows], self.lengths[rows]
        tokens, statistics = draw_tokens(
            logits,
            self.temperatures[rows],
            self.uniforms[rows, lengths],
            self.shape.ladder,
            greedy=self.shape.room.greedy,
            tempered=self.shape.room.tempered,
        )
        ended = (tokens[:, None] == self.ends).any(-1)
        self.written[rows, lengths] = tokens
        self.tokens[rows] = tokens
        self.lengths[rows] = lengths + going
        self.sums[:, rows] += statistics.where(going, 0.0)
        self.finished[rows] |= ended & going
        self.done[rows] |= ended | (lengths + 1 >= self.shape.limit)

    def _select(self, held: Rows, rows: int, used: int) -> None:
        """Move the responses that have not ended to the first rows."""
        kept = [row for row, response in enumerate(held.held) if response is not None]
        held.keep(kept, rows)
        count, moved = len(kept), tensor(kept, self.tokens.device)
        self.cache.select(moved, used)
        for buffer in (
            self.tokens,
            self.written,
            self.lengths,
            self.finished,
            self.done,
            self.temperatures,
            self.uniforms,
        ):
            buffer[:count] = buffer[moved]
        self.positions[..., :count, :] = self.positions[..., moved, :]
        self.sums[:, :count] = self.sums[:, moved]
        self.done[count:] = True


def rounded_up(number: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-number // step) * step
