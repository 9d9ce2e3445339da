"""Sampling completions of given prefixes: each prompt and each prefix is prefilled once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.policy.turns import padded
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.decoding import Prefill, extend
from mstar.agents.sampling.fixed_decoding import Room
from mstar.agents.sampling.local import Draw, LocalSampler
from mstar.envs.problem import Prompt


def complete(
    sampler: LocalSampler,
    prompts: Sequence[Prompt],
    prefixes: Sequence[Sequence[str]],
    samples: int,
    seed: int,
    temperature: float = 1.0,
) -> list[list[list[Response]]]:
    """Sample `samples` completions of each prefix of a response to each prompt.

    What is drawn depends on the seed, the prompt's key, the prefix and the index of the sample;
    see ``LocalSampler``.

    Args:
        sampler: whose policy completes; its limits hold for each completion.
        prompts: N prompts.
        prefixes: N lists of texts, none of them empty.
        samples: completions of each prefix.
        seed: of the sampling.
        temperature: >= 0; 0 is greedy.

    Returns:
        For each prompt and prefix its completions, without the prefix.

    Raises:
        ValueError: a prefix without a token, or not one list of prefixes for each prompt.
    """
    if len(prompts) != len(prefixes):
        raise ValueError(f"{len(prefixes)} lists of prefixes for {len(prompts)} prompts")
    results: list[list[list[Response]]] = [[[] for _ in texts] for texts in prefixes]
    counts = [samples * len(texts) for texts in prefixes]
    with torch.no_grad(), sampler.ready():
        for batch in sampler.batches(prompts, counts):
            texts = [(i, place) for i in batch for place in range(len(prefixes[i]))]
            owners = [place for place, i in enumerate(batch) for _ in prefixes[i]]
            start = sampler.prefill([prompts[i] for i in batch])
            start = _append(sampler, start, owners, [prefixes[i][place] for i, place in texts])
            draws = [
                Draw(owner, temperature, sampler.uniforms(seed, key, sample))
                for owner, (i, place) in enumerate(texts)
                for key in (f"{prompts[i].key}\n{prefixes[i][place]}",)
                for sample in range(samples)
            ]
            room = Room.of([[(draw.owner, draw.temperature) for draw in draws]], sampler.batch_rows)
            (responses,) = sampler.decode([(start, draws)], room)
            for draw, response in zip(draws, responses, strict=True):
                i, place = texts[draw.owner]
                results[i][place].append(response)
    return results


def _append(
    sampler: LocalSampler, start: Prefill, owners: Sequence[int], texts: Sequence[str]
) -> Prefill:
    """The prompts `owners`, each followed by its text."""
    tokenizer, device = sampler.policy.processor.tokenizer, sampler.policy.device
    ids = [
        tokenizer(sampler.policy.plain(text), add_special_tokens=False)["input_ids"]
        for text in texts
    ]
    if not all(ids):
        raise ValueError("a prefix is empty; sample from the prompt itself instead")
    tokens, given = (each.to(device) for each in padded(ids))
    return extend(
        sampler.policy.model, start, torch.tensor(list(owners), device=device), tokens, given
    )
