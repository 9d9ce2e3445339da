"""How many responses a prompt gets, and how hot each is sampled."""

from __future__ import annotations

from collections.abc import Sequence


def sample_counts(prompts: int, samples: int | Sequence[int]) -> list[int]:
    """How many responses each prompt gets."""
    counts = [samples] * prompts if isinstance(samples, int) else list(samples)
    if len(counts) != prompts or any(count < 0 for count in counts):
        raise ValueError(
            f"samples is {samples} for {prompts} prompts; give one number, or one for each "
            "prompt, 0 or more"
        )
    return counts


def ladder(count: int, temperature: float | Sequence[float]) -> list[float]:
    """The temperature of each of a prompt's `count` samples."""
    steps = list(temperature) if isinstance(temperature, Sequence) else [temperature] * count
    if len(steps) != count:
        raise ValueError(
            f"{len(steps)} temperatures were given for {count} samples of a prompt; give one "
            "number, or one for each sample"
        )
    if any(not 0 <= step < float("inf") for step in steps):
        raise ValueError(f"temperature is {temperature}; it must be 0 or more, and finite")
    return steps
