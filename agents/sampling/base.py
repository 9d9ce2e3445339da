"""Responses, and what every rollout engine has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from mstar.envs.problem import Prompt


def unique_prompts(prompts: Sequence[Prompt]) -> tuple[list[Prompt], list[int]]:
    """Merge neighbours that are the same object, so that each is prefilled once.

    Returns:
        The prompts to prefill, and the index among them of each of `prompts`.
    """
    unique: list[Prompt] = []
    owners: list[int] = []
    for prompt in prompts:
        if not unique or prompt is not unique[-1]:
            unique.append(prompt)
        owners.append(len(unique) - 1)
    return unique, owners


@dataclass(frozen=True, slots=True)
class Response:
    """What the policy generated, with statistics measured at temperature 1, in nats.

    Attributes:
        text: without special tokens.
        tokens: ids of all generated tokens, including the one that ends the response.
        logprob: sum of the log-probabilities of `tokens`.
        entropy: mean over `tokens` of the entropy of the distribution each was drawn from.
        certainty: mean over `tokens` of KL(uniform || policy), 0 for a uniform policy
            (self-certainty, Kang et al. 2025, arXiv:2502.18581).
        finished: whether an end token ended it, not the limit on its length.
        ladder: by temperature, the sum of the log-probabilities that `tokens` have there, in nats:
            at each temperature of the engine's ladder, and at that the response was drawn at if it
            is above 0; empty where the engine has no ladder.
        distorted: whether it answers to a distorted image; see ``DistortingSampler``.
    """

    text: str
    tokens: tuple[int, ...]
    logprob: float
    entropy: float
    certainty: float
    finished: bool
    ladder: Mapping[float, float] = field(default_factory=dict)
    distorted: bool = False


class Sampler(Protocol):
    """Samples responses to prompts."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """Sample responses to N prompts.

        Args:
            prompts: N prompts.
            samples: responses to every prompt, or N numbers of them, each 0 or more.
            temperature: of all samples, or one for each sample of a prompt; 0 is greedy.
            seed: decides, with a prompt's key and the index of the sample, what is drawn.

        Returns:
            N lists of responses, in the order of the prompts.

        Raises:
            ValueError: the numbers of samples or temperatures do not fit the prompts, or one of
                them is out of range.
        """
        ...


class RolloutEngine(ABC):
    """A ``Sampler`` that counts its work. An engine implements ``generate``.

    Attributes:
        images_encoded: images passed through the image tower so far.
        prompts_prefilled: prompts read so far.
        prompt_tokens: tokens of these prompts, without padding.
        tokens_generated: tokens of all responses so far.
        responses: responses so far.
        ladder: temperatures at which every response records its log-probability.
    """

    ladder: tuple[float, ...] = ()
    images_encoded: int
    prompts_prefilled: int
    prompt_tokens: int
    tokens_generated: int
    responses: int

    def __init__(self) -> None:
        self.reset_counts()

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """Sample responses to N prompts; see ``Sampler.sample``."""
        counts = sample_counts(len(prompts), samples)
        temperatures = [per_sample_temperatures(count, temperature) for count in counts]
        return self.generate(prompts, temperatures, seed)

    @abstractmethod
    def generate(
        self, prompts: Sequence[Prompt], temperatures: Sequence[Sequence[float]], seed: int
    ) -> list[list[Response]]:
        """Generate one response to prompt i at each of ``temperatures[i]``, and count the work.

        Args:
            prompts: N prompts. Neighbours may be the same object: each has samples of its own,
                numbered from 0, and an engine may read them once.
            temperatures: N sequences of finite numbers >= 0; an empty one asks for no response.
            seed: of the sampling.
        """

    def record_ladder(self, temperatures: Sequence[float]) -> None:
        """Have responses record their log-probability at each of these temperatures, all above 0.

        Raises:
            ValueError: there are some, and this engine does not see the logits it draws from.
        """
        if temperatures:
            raise ValueError(
                f"{type(self).__name__} reports the log-probability of a response at temperature 1 "
                "alone, and the exploration controller needs it at a ladder of temperatures: "
                "sample with --engine local, or choose a controller that probes, such as "
                "--controller paired"
            )

    def reset_counts(self) -> None:
        """Set all counts to 0."""
        self.images_encoded = self.prompts_prefilled = self.prompt_tokens = 0
        self.tokens_generated = self.responses = 0

    def _count_prompts(self, prompts: Sequence[Prompt], tokens: int) -> None:
        """Count prompts that were prefilled, with `tokens` tokens in all."""
        self.prompts_prefilled += len(prompts)
        self.images_encoded += sum(len(prompt.images) for prompt in prompts)
        self.prompt_tokens += tokens

    def _count_responses(self, responses: Sequence[Response]) -> None:
        """Count responses that were generated."""
        self.responses += len(responses)
        self.tokens_generated += sum(len(response.tokens) for response in responses)


def sample_counts(prompts: int, samples: int | Sequence[int]) -> list[int]:
    """The number of responses to each of `prompts` prompts.

    Raises:
        ValueError: another number of counts than of prompts, or a negative count.
    """
    counts = [samples] * prompts if isinstance(samples, int) else list(samples)
    if len(counts) != prompts or any(count < 0 for count in counts):
        raise ValueError(
            f"samples is {samples} for {prompts} prompts; give one number, or one for each "
            "prompt, 0 or more"
        )
    return counts


def per_sample_temperatures(samples: int, temperature: float | Sequence[float]) -> list[float]:
    """The temperature of each of the `samples` responses to a prompt.

    Raises:
        ValueError: another number of temperatures than of samples, or one that is negative,
            infinite or NaN.
    """
    if isinstance(temperature, Sequence):
        temperatures = list(temperature)
    else:
        temperatures = [temperature] * samples
    if len(temperatures) != samples:
        raise ValueError(
            f"{len(temperatures)} temperatures were given for {samples} samples of a prompt; give "
            "one number, or one for each sample"
        )
    if any(not 0 <= each < inf for each in temperatures):
        raise ValueError(f"temperature is {temperature}; it must be 0 or more, and finite")
    return temperatures
