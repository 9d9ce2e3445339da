"""Going on from the beginning of a response: the prompt is read once, each beginning once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mstar.agents.policy.forward import evaluating
from mstar.agents.sampling.decoding import Read, read_on
from mstar.agents.sampling.local import LocalSampler, Prompt, Response, Row, draws


def complete(
    sampler: LocalSampler,
    prompts: Sequence[Prompt],
    beginnings: Sequence[Sequence[str]],
    samples: int,
    seed: int,
    temperature: float = 1.0,
) -> list[list[list[Response]]]:
    """Write `samples` endings to each beginning of a response to each prompt.

    What is drawn depends on the seed, the prompt's key, the beginning and the number of the
    sample; see ``LocalSampler``.

    Args:
        sampler: whose policy writes, and whose limits hold for each ending.
        prompts: N prompts.
        beginnings: N times any number of texts, none of them empty.
        samples: endings of each beginning.
        seed: of the sampling.
        temperature: of the sampling; 0 takes the likeliest token.

    Returns:
        For each prompt and beginning, its endings, without the beginning.

    Raises:
        ValueError: a beginning without a token, or not one list of them for each prompt.
    """
    if len(prompts) != len(beginnings):
        raise ValueError(f"{len(beginnings)} lists of beginnings for {len(prompts)} prompts")
    found: list[list[list[Response]]] = [[[] for _ in texts] for texts in beginnings]
    counts = [samples * len(texts) for texts in beginnings]
    with torch.no_grad(), evaluating(sampler.policy.model):
        for batch in sampler.batches(prompts, counts):
            texts = [(i, place) for i in batch for place in range(len(beginnings[i]))]
            owners = [place for place, i in enumerate(batch) for _ in beginnings[i]]
            read = sampler.read([prompts[i] for i in batch])
            begun = _begin(sampler, read, owners, [beginnings[i][place] for i, place in texts])
            rows = [
                Row(owner, temperature, draws(seed, key, sample, sampler.max_new_tokens))
                for owner, (i, place) in enumerate(texts)
                for key in (f"{prompts[i].key}\n{beginnings[i][place]}",)
                for sample in range(samples)
            ]
            for row, response in zip(rows, sampler.write(begun, rows), strict=True):
                i, place = texts[row.owner]
                found[i][place].append(response)
    return found


def _begin(sampler: LocalSampler, read: Read, owners: Sequence[int], texts: Sequence[str]) -> Read:
    """The prompts with the beginnings behind them."""
    tokenizer, device = sampler.policy.processor.tokenizer, sampler.policy.device
    ids = [
        tokenizer(sampler.policy.plain(text), add_special_tokens=False)["input_ids"]
        for text in texts
    ]
    if not all(ids):
        raise ValueError("a beginning is empty; sample from the prompt itself instead")
    longest = max(map(len, ids))
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=device)
    given = torch.tensor([[j < len(row) for j in range(longest)] for row in ids]).to(read.mask)
    place = torch.tensor(list(owners), device=device)
    return read_on(sampler.policy.model, read, place, tokens, given)
