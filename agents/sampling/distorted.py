"""Sampling part of the responses from distorted images: exploration by what is seen.

NoisyRollout (Liu et al. 2025, arXiv 2504.13055) samples part of a group from a distorted image, and
learns all of it as responses to the clean one: other readings of an image lead to other reasoning,
and none is learned that needs the noise. The distortion fades out over the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp
from typing import overload

import numpy as np
from PIL import Image

from mstar.agents.sampling.base import Response, Sampler, per_sample_temperatures, sample_counts
from mstar.agents.seeds import mix, named
from mstar.envs.problem import Prompt
from mstar.envs.variants.distortions import noisy

STEEPNESS, MIDDLE = 30.0, 2 / 3  # of the fading, in parts of a run
OTHER_NUMBERS = 11  # mixed into the seed, so that the two parts of a group are drawn apart


class DistortingSampler:
    """A sampler that shows part of a prompt's samples a distorted image.

    Of K samples the last floor(share x K) see the image with noise, one noise for each prompt. They
    are marked as ``distorted``: they say less about what the policy can do. A prompt in words only
    is left as it is.

    Args:
        sampler: samples the responses.
        share: of the samples, in [0, 1).
        strength: of the noise, in [0, 1], asked for at every call; see ``noisy``.
    """

    def __init__(self, sampler: Sampler, share: float, strength: Callable[[], float]) -> None:
        self._sampler, self._share, self._strength = sampler, share, strength

    def sample(
        self,
        prompts: Sequence[Prompt],
        samples: int | Sequence[int],
        temperature: float | Sequence[float],
        seed: int,
    ) -> list[list[Response]]:
        """As ``Sampler.sample``; the clean samples of a prompt come first."""
        counts, strength = sample_counts(len(prompts), samples), self._strength()
        distorted = [
            int(self._share * count) if prompt.images else 0
            for prompt, count in zip(prompts, counts, strict=True)
        ]
        groups: list[list[Response]] = [[] for _ in prompts]
        # One call for each number of samples, as a call has one list of temperatures.
        for count, noised in sorted({*zip(counts, distorted, strict=True)}):
            own = [
                i
                for i, pair in enumerate(zip(counts, distorted, strict=True))
                if pair == (count, noised)
            ]
            temperatures = per_sample_temperatures(count, temperature)
            clean = [prompts[i] for i in own]
            other = [with_noise(prompt, strength, seed) for prompt in clean]
            split = count - noised
            first = self._sampler.sample(clean, split, temperatures[:split], seed)
            rest = self._sampler.sample(
                other, noised, temperatures[split:], mix(seed, OTHER_NUMBERS)
            )
            for i, plain, marked in zip(own, first, rest, strict=True):
                groups[i] = [*plain, *(replace(each, distorted=True) for each in marked)]
        return groups


def with_noise(prompt: Prompt, strength: float, seed: int) -> Prompt:
    """The prompt with noise over its images; the key, and so what is drawn, stays the same."""
    return replace(prompt, images=_Noisy(prompt.images, strength, (seed, named(prompt.key))))


def fading(strength: float, progress: float) -> float:
    """The strength after a part of a run: NoisyRollout's sigmoid, strength at 0 and nearly 0 at 1.

    strength (1 - 1 / (1 + e^(-30 (progress - 2 / 3)))).

    >>> [round(fading(0.25, part), 3) for part in (0.0, 0.5, 2 / 3, 1.0)]
    [0.25, 0.248, 0.125, 0.0]
    """
    return strength * (1 - 1 / (1 + exp(-STEEPNESS * (progress - MIDDLE))))


class _Noisy(Sequence[Image.Image]):
    """Images with noise, made when they are looked at."""

    def __init__(
        self, images: Sequence[Image.Image], strength: float, seed: tuple[int, int]
    ) -> None:
        self._images, self._strength, self._seed = images, strength, seed

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        rng = np.random.default_rng([*self._seed, place])
        return noisy(self._images[place], self._strength, rng)
