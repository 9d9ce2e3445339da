"""Sampling in this process: each image is encoded once and each prompt prefilled once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from mstar.agents.config import Recipe
from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.merging import merged
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.sharding import gathered, is_sharded
from mstar.agents.sampling.base import Response, RolloutEngine, unique_prompts
from mstar.agents.sampling.decoding import Decoded, Draws, Prefill, decode, prefill
from mstar.agents.sampling.fixed_decoding import FixedDecoder, Room
from mstar.agents.sampling.prefix_cache import can_share
from mstar.agents.seeds import named
from mstar.envs.problem import Prompt


class LocalSampler(RolloutEngine):
    """Samples from a policy in this process; greedy output equals that of ``generate``.

    The policy's full distribution is sampled: the top-k, top-p and penalties of a checkpoint's
    generation config are not applied, so the log-probabilities are the policy's.

    What is drawn depends on the seed, the prompt's key and the index of the sample, and not on the
    order of the prompts, the batches, the other samples or the number of processes: sample k takes
    its t-th token at the t-th uniform number of
    ``SeedSequence([seed, first 8 bytes of sha256(key), k])``, by the inverse of the cumulative
    distribution over the vocabulary. Batches still differ in rounding, so a token can change if a
    uniform number falls within ~1e-6 of a bound in float32; bfloat16 rounds far more coarsely, and
    tokens change with it.

    What holds, and the tests that hold it, of tests/agents/test_sampler.py unless named otherwise:

    - Greedy tokens are those of ``generate``: ``test_greedy_samples_equal_those_of_generate``.
    - Log-probabilities are those of a forward pass over prompt and response:
      ``test_statistics_equal_those_of_a_forward_pass_over_the_whole_text``.
    - So are those at the temperatures of a ladder:
      ``test_a_ladder_holds_the_log_probabilities_at_its_temperatures``.
    - A response holds the end token if one was drawn, and nothing behind it:
      ``test_a_response_holds_the_end_token_but_its_text_does_not``.
    - The ids of ``Policy.encode`` and of the response are what is trained on:
      ``test_the_trainer_learns_the_tokens_that_were_drawn_and_nothing_else`` and
      ``test_online_trainers_learn_the_tokens_that_were_drawn`` of test_exact_learning.py.

    Args:
        policy: to sample from; in eval mode while sampling.
        max_new_tokens: limit on the length of a response, in tokens.
        batch_rows: responses decoded together.

    Raises:
        ValueError: one of the two limits is below 1.
    """

    def __init__(self, policy: Policy, max_new_tokens: int = 128, batch_rows: int = 64) -> None:
        if max_new_tokens < 1 or batch_rows < 1:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens} and batch_rows is {batch_rows}; "
                "both must be 1 or more"
            )
        super().__init__()
        self.policy = policy
        self.max_new_tokens = max_new_tokens
        self.batch_rows = batch_rows
        # On a CPU the launches of a step cost little, and buffers that grow read no unused room.
        self.fixed_buffers = policy.device.type == "cuda"
        self._fixed = FixedDecoder()

    @classmethod
    def from_config(cls, policy: Policy, recipe: Recipe) -> LocalSampler:
        """The sampler with a recipe's limits."""
        return cls(policy, recipe.max_new_tokens, recipe.sampling.batch_rows)

    def generate(
        self, prompts: Sequence[Prompt], temperatures: Sequence[Sequence[float]], seed: int
    ) -> list[list[Response]]:
        """Generate one response to prompt i at each of ``temperatures[i]``."""
        results: list[list[Response]] = [[] for _ in prompts]
        unique, owners = unique_prompts(prompts)
        places: list[list[int]] = [[] for _ in unique]  # in `prompts`, of each different one
        for place, owner in enumerate(owners):
            places[owner].append(place)
        counts = [sum(len(temperatures[place]) for place in each) for each in places]
        with torch.no_grad(), self.ready():
            batches = list(self.batches(unique, counts))
            asked = [
                [
                    (owner, place, sample)
                    for owner, i in enumerate(batch)
                    for place in places[i]
                    for sample in range(len(temperatures[place]))
                ]
                for batch in batches
            ]
            groups = (
                (
                    self.prefill([unique[i] for i in batch]),
                    [
                        Draw(
                            owner,
                            temperatures[place][sample],
                            self.uniforms(seed, prompts[place].key, sample),
                        )
                        for owner, place, sample in group
                    ],
                )
                for batch, group in zip(batches, asked, strict=True)
            )
            room = Room.of(
                [[(owner, temperatures[i][k]) for owner, i, k in group] for group in asked],
                self.batch_rows,
            )
            for group, responses in zip(asked, self.decode(groups, room), strict=True):
                for (_, place, _), response in zip(group, responses, strict=True):
                    results[place].append(response)
        return results

    def record_ladder(self, temperatures: Sequence[float]) -> None:
        """Have responses record their log-probability at each of these temperatures, all above 0.

        The logits are there when a token is drawn, so no further forward pass is needed.
        """
        self.ladder = tuple(temperatures)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The policy as it samples: in eval mode, all weights gathered, LoRA merged into them.

        Buffers and CUDA graphs are kept until it ends: training needs their memory.
        """
        model = self.policy.model
        with evaluating(model), gathered(model), merged(model):
            try:
                yield
            finally:
                self._fixed.free()

    def batches(self, prompts: Sequence[Prompt], counts: Sequence[int]) -> Iterator[list[int]]:
        """Indices of prompts of similar length that together need about `batch_rows` rows."""
        if not prompts:  # a process with an empty share
            return
        texts = [prompt.text for prompt in prompts]
        lengths = [len(ids) for ids in self.policy.processor.tokenizer(texts)["input_ids"]]
        sampled = [i for i, count in enumerate(counts) if count > 0]
        batch: list[int] = []
        # In fixed buffers the longest first, so that they have room for all that follow.
        for i in sorted(
            sampled,
            key=lambda i: (len(prompts[i].images), lengths[i]),
            reverse=self.fixed_buffers,
        ):
            if batch and sum(counts[j] for j in batch) + counts[i] > self.batch_rows:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def prefill(self, prompts: Sequence[Prompt]) -> Prefill:
        """Prefill prompts, each once, and count them."""
        encoded = self.policy.encode(prompts)
        self._count_prompts(prompts, int(encoded["attention_mask"].sum()))
        return prefill(self.policy.model, encoded)

    def uniforms(self, seed: int, key: str, sample: int) -> NDArray[np.float64]:
        """The uniform numbers (max_new_tokens,) in [0, 1) that draw one response."""
        sequence = np.random.SeedSequence([seed, named(key), sample])
        return np.random.default_rng(sequence).random(self.max_new_tokens)

    def decode(
        self, groups: Iterable[tuple[Prefill, Sequence[Draw]]], room: Room
    ) -> Iterator[list[Response]]:
        """Generate the responses of each group in turn, and count them.

        Args:
            groups: prompts that were prefilled together, and what to draw, whose owners rise. A
                group is asked for when its turn comes.
            room: that suffices for all of them.
        """
        model, groups = self.policy.model, iter(groups)
        for start, draws in groups:
            if self.fixed_buffers and can_share(model, start.cache) and not is_sharded(model):
                groups = chain([(start, draws)], groups)
                del start  # what the first prompts need in memory is freed when they have rows
                yield from self._decode_in_fixed_buffers(groups, room)
                return
            responses: list[Response] = []
            for first in range(0, len(draws), self.batch_rows):
                chunk = draws[first : first + self.batch_rows]
                responses += self._responses(decode(model, start, self._tensors(chunk)), chunk)
            yield responses

    def _decode_in_fixed_buffers(
        self, groups: Iterable[tuple[Prefill, Sequence[Draw]]], room: Room
    ) -> Iterator[list[Response]]:
        begun: deque[Sequence[Draw]] = deque()

        def tensors(group: tuple[Prefill, Sequence[Draw]]) -> tuple[Prefill, Draws]:
            start, draws = group
            begun.append(draws)
            return start, self._tensors(draws)

        for decoded in self._fixed.decode(self.policy.model, map(tensors, groups), room):
            yield self._responses(decoded, begun.popleft())

    def _tensors(self, draws: Sequence[Draw]) -> Draws:
        device = self.policy.device
        # MPS has no float64.
        real = torch.float32 if device.type == "mps" else torch.float64
        uniforms = np.stack([draw.uniforms for draw in draws])
        return Draws(
            owners=torch.tensor([draw.owner for draw in draws], device=device),
            temperatures=torch.tensor([draw.temperature for draw in draws], device=device),
            uniforms=torch.tensor(uniforms, dtype=real, device=device),
            ends=torch.tensor(self.policy.end_tokens, dtype=torch.int64, device=device),
            ladder=self.ladder,
        )

    def _responses(self, decoded: Decoded, draws: Sequence[Draw]) -> list[Response]:
        """What was decoded, as responses, which are counted."""
        tokens = [
            tuple(row[:length])
            for row, length in zip(decoded.tokens.tolist(), decoded.lengths.tolist(), strict=True)
        ]
        texts = self.policy.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        responses = [
            Response(
                text,
                ids,
                logprob,
                entropy / len(ids),
                certainty / len(ids),
                finished,
                self._ladder_of(draw, tempered),
            )
            for draw, text, ids, finished, (logprob, entropy, certainty, *tempered) in zip(
                draws,
                texts,
                tokens,
                decoded.finished.tolist(),
                decoded.sums.T.tolist(),
                strict=True,
            )
        ]
        self._count_responses(responses)
        return responses

    def _ladder_of(self, draw: Draw, sums: Sequence[float]) -> dict[float, float]:
        """The log-probabilities of a response by temperature, from those of the whole ladder."""
        pairs = zip((*self.ladder, draw.temperature), sums, strict=True) if sums else ()
        return {temperature: total for temperature, total in pairs if temperature > 0}


@dataclass(frozen=True, slots=True)
class Draw:
    """A response to generate.

    Attributes:
        owner: index of its prompt among the prefilled ones.
        temperature: 0 is greedy.
        uniforms: (T,) in [0, 1), one for each token.
    """

    owner: int
    temperature: float
    uniforms: NDArray[np.float64]
