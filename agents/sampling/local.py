"""Sampling responses: every image encoded once, every prompt read once, however many samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.sharding import whole
from mstar.agents.sampling.decoding import Read, Rows, Written, read_prompts, write_responses
from mstar.agents.sampling.temperatures import ladder, sample_counts
from mstar.agents.seeds import named


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the policy is asked.

    Attributes:
        text: question and instruction, as the user's turn.
        images: shown before the text, in their order.
        key: names the prompt in the random numbers; prompts with one key draw the same ones.
    """

    text: str
    images: tuple[Image, ...]
    key: str


def once(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """The prompts to read, and the place among them of each that was given.

    Neighbours that are the same object share one reading.
    """
    different: list[Prompt] = []
    owners: list[int] = []
    for prompt in prompts:
        if not different or prompt is not different[-1]:
            different.append(prompt)
        owners.append(len(different) - 1)
    return different, owners


@dataclass(frozen=True, slots=True)
class Response:
    """What the policy wrote, and how sure it was; all measured at temperature 1, in nats.

    Attributes:
        text: without special tokens.
        tokens: every token that was drawn, the one that ends the response included.
        logprob: sum of the log-probabilities of `tokens`.
        entropy: mean over `tokens` of the entropy of the distribution they were drawn from.
        certainty: mean over `tokens` of KL(uniform || policy), 0 for a policy that knows nothing
            (self-certainty, Kang et al. 2025, arXiv:2502.18581).
        finished: whether it ended itself, rather than by the limit on its length.
    """

    text: str
    tokens: tuple[int, ...]
    logprob: float
    entropy: float
    certainty: float
    finished: bool


class Sampler(Protocol):
    """Writes responses to prompts."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """Write `samples` responses to each prompt, in the prompts' order.

        Args:
            prompts: N prompts.
            samples: how many responses, to each prompt or to all.
            temperature: of all samples, or one for each sample of a prompt; 0 takes the likeliest
                token.
            seed: with a prompt's key and the number of the sample, decides what is drawn.
        """
        ...


class CountingSampler(Sampler, Protocol):
    """A sampler that keeps count of what it does.

    Attributes:
        images_encoded: images that were read so far.
        prompts_prefilled: prompts that were read so far.
        prompt_tokens: tokens of these prompts, without padding.
        tokens_generated: tokens of all responses so far.
        responses: responses so far.
    """

    images_encoded: int
    prompts_prefilled: int
    prompt_tokens: int
    tokens_generated: int
    responses: int

    def reset_counts(self) -> None:
        """Start counting again from 0."""
        self.images_encoded = self.prompts_prefilled = self.prompt_tokens = 0
        self.tokens_generated = self.responses = 0


class LocalSampler(CountingSampler):
    """Samples from a policy in this process; greedy output is that of ``generate``.

    The policy's plain distribution is sampled: the top-k, top-p and penalties that a checkpoint's
    generation config may hold are not applied, so that the log-probabilities are the policy's.

    What is drawn depends on the seed, the prompt's key and the number of the sample, and not on
    the order of the prompts, on batches, on other samples or on the number of processes: sample k
    takes its t-th token at the t-th uniform number of
    ``SeedSequence([seed, first 8 bytes of sha256(key), k])`` by the inverse of the cumulative
    distribution over the vocabulary. Batches still round differently in the last bits, so a token
    can change where a uniform number falls within ~1e-6 of a border.
    """

    def __init__(self, policy: Policy, max_new_tokens: int = 128, batch_rows: int = 64) -> None:
        """Sample from `policy`.

        Args:
            policy: is put into eval mode while sampling.
            max_new_tokens: limit on the length of a response.
            batch_rows: responses that are written at the same time.
        """
        if max_new_tokens < 1 or batch_rows < 1:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens} and batch_rows is {batch_rows}; "
                "both must be 1 or more"
            )
        self.policy = policy
        self.max_new_tokens = max_new_tokens
        self.batch_rows = batch_rows
        self.reset_counts()

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """Write `samples` responses to each prompt, in the prompts' order; see ``Sampler``."""
        counts = sample_counts(len(prompts), samples)
        ladders = [ladder(count, temperature) for count in counts]
        found: list[list[Response]] = [[] for _ in prompts]
        with torch.no_grad(), evaluating(self.policy.model), whole(self.policy.model):
            for batch in self.batches(prompts, counts):
                read = self.read([prompts[i] for i in batch])
                rows = [
                    Row(place, heat, draws(seed, prompts[i].key, sample, self.max_new_tokens))
                    for place, i in enumerate(batch)
                    for sample, heat in enumerate(ladders[i])
                ]
                for row, response in zip(rows, self.write(read, rows), strict=True):
                    found[batch[row.owner]].append(response)
        return found

    def batches(self, prompts: Sequence[Prompt], counts: Sequence[int]) -> Iterator[list[int]]:
        """Numbers of prompts of like length that together ask for about `batch_rows` rows."""
        if not prompts:  # a process whose share is empty
            return
        texts = [prompt.text for prompt in prompts]
        lengths = [len(ids) for ids in self.policy.processor.tokenizer(texts)["input_ids"]]
        wanted = [i for i, count in enumerate(counts) if count > 0]
        batch: list[int] = []
        for i in sorted(wanted, key=lambda i: (len(prompts[i].images), lengths[i])):
            if batch and sum(counts[j] for j in batch) + counts[i] > self.batch_rows:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def read(self, prompts: Sequence[Prompt]) -> Read:
        """Read prompts, each once, and count them."""
        encoded = self.policy.encode(prompts)
        self.prompts_prefilled += len(prompts)
        self.images_encoded += sum(len(prompt.images) for prompt in prompts)
        self.prompt_tokens += int(encoded["attention_mask"].sum())
        return read_prompts(self.policy.model, encoded)

    def write(self, read: Read, rows: Sequence[Row]) -> list[Response]:
        """Write responses to what was read; the owners of the rows rise."""
        responses: list[Response] = []
        device = read.logits.device
        # MPS has no doubles.
        real = torch.float32 if device.type == "mps" else torch.float64
        for start in range(0, len(rows), self.batch_rows):
            chunk = rows[start : start + self.batch_rows]
            owners = torch.tensor([row.owner for row in chunk], device=device)
            written = write_responses(
                Rows(self.policy.model, read, owners),
                read.logits[owners],
                torch.tensor([row.temperature for row in chunk], device=device),
                torch.tensor(np.stack([row.uniforms for row in chunk]), dtype=real, device=device),
                torch.tensor(self.policy.end_tokens, dtype=torch.int64, device=device),
            )
            responses += self._responses(written)
        return responses

    def _responses(self, written: Written) -> list[Response]:
        lengths = written.lengths.tolist()
        tokens = [
            tuple(row[:length])
            for row, length in zip(written.tokens.tolist(), lengths, strict=True)
        ]
        texts = self.policy.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        self.responses += len(tokens)
        self.tokens_generated += sum(lengths)
        return [
            Response(text, ids, logprob, entropy / len(ids), certainty / len(ids), finished)
            for text, ids, logprob, entropy, certainty, finished in zip(
                texts, tokens, *written.sums.tolist(), written.finished.tolist(), strict=True
            )
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """A response to be written: whose, how hot, and the uniform numbers (T,) that draw it."""

    owner: int
    temperature: float
    uniforms: NDArray[np.float64]


def draws(seed: int, key: str, sample: int, length: int) -> NDArray[np.float64]:
    """The uniform numbers (length,) in [0, 1) that draw one response, token by token."""
    return np.random.default_rng(np.random.SeedSequence([seed, named(key), sample])).random(length)
