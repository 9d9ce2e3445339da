"""The speed of the sampler relative to ``generate``, on the same model in the same run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

from mstar.agents.explore.base import LADDER
from mstar.agents.policy.embedded import build_processor, train_tokenizer
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt

SIZE, PATCH = 112, 16  # pixels; 49 image tokens
TEXT = "How many bars are higher than the red one? "  # one token a letter
LETTERS = (68, 74, 80, 86)  # of the prompts: about 137 tokens with the image


def bench_sampler(samples: int = 16, repeats: int = 3) -> list[dict[str, Any]]:
    """Time both on a random LLaVA of 6.6 M weights, 4 prompts x `samples`, one torch thread.

    Args:
        samples: responses to each prompt.
        repeats: of each measurement, taken in turns; the fastest counts.

    Returns:
        One row a case: 16 and 64 new tokens with no end, and up to 64 with an end about every 32.
        ``speedup`` is the time of ``generate(num_return_sequences=samples)`` over the sampler's,
        each from prompts to tokens; ``ladder_ratio`` is the sampler's time with the log-probability
        of every response at ten temperatures over that without it; ``*_prompts_read`` are rows that
        the text model prefilled. Times are CPU seconds of this process, which neighbours on the
        machine disturb least.
    """
    policy = reference_policy()
    vocabulary = policy.network.config.text_config.vocab_size
    never, often = [vocabulary], list(range(5, vocabulary, 32))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            bench_case(policy, samples, limit, ends, repeats)
            for limit, ends in ((16, never), (64, never), (64, often))
        ]
    finally:
        torch.set_num_threads(threads)


def bench_case(
    policy: Policy, samples: int, limit: int, ends: Sequence[int], repeats: int
) -> dict[str, Any]:
    """One row of the benchmark, with at most `limit` new tokens; `ends` are the end tokens."""
    policy.network.generation_config.eos_token_id = list(ends)
    prompts = reference_prompts()
    sampler = LocalSampler(policy, limit, batch_rows=samples * len(prompts))
    seconds: dict[str, list[float]] = {"generate": [], "sampler": [], "ladder": []}
    read: dict[str, int] = {}
    for seed in range(repeats):
        for name in seconds:
            sampler.reset_counts()
            with prompts_read(policy) as rows:
                start = process_time()
                if name == "generate":
                    generate(policy, prompts, samples, limit)
                else:
                    sampler.record_ladder(LADDER if name == "ladder" else ())
                    sampler.sample(prompts, samples, 1.0, seed)
                seconds[name].append(process_time() - start)
            read[name] = sum(rows)
    fastest = {name: min(times) for name, times in seconds.items()}
    return {
        "prompts": len(prompts),
        "samples": samples,
        "new_tokens": limit,
        "ends": "never" if len(ends) == 1 else "about every 32 tokens",
        "generate_cpu_seconds": round(fastest["generate"], 3),
        "sampler_cpu_seconds": round(fastest["sampler"], 3),
        "speedup": round(fastest["generate"] / fastest["sampler"], 2),
        "ladder_ratio": round(fastest["ladder"] / fastest["sampler"], 3),
        "generate_prompts_read": read["generate"],
        "sampler_prompts_read": read["sampler"],
        "sampler_images_encoded": sampler.images_encoded,
        "sampler_tokens": sampler.tokens_generated,
    }


def generate(policy: Policy, prompts: Sequence[Prompt], samples: int, limit: int) -> int:
    """The same work with transformers' ``generate``; returns the number of generated tokens."""
    encoded = policy.encode(prompts)
    texts = policy.network.generate(
        **encoded,
        max_new_tokens=limit,
        num_return_sequences=samples,
        do_sample=True,
        temperature=1.0,
        top_k=0,
    )
    responses = texts[:, encoded["input_ids"].shape[1] :]
    ends = torch.isin(responses, torch.tensor(policy.end_tokens, device=texts.device))
    return int((ends.cumsum(-1) - ends.int() == 0).sum())  # up to the first that ends a response


@contextmanager
def prompts_read(policy: Policy) -> Iterator[list[int]]:
    """Record the number of rows of every forward pass over more than one token, in order."""
    rows: list[int] = []

    def count(module: Any, inputs: Any, named: dict[str, Any]) -> None:
        if named["inputs_embeds"].shape[1] > 1:
            rows.append(len(named["inputs_embeds"]))

    text = policy.network.model.language_model
    hook = text.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield rows
    finally:
        hook.remove()


def reference_prompts() -> list[Prompt]:
    """Four prompts of about 137 tokens, with one image each."""
    rng = np.random.default_rng(0)
    return [
        Prompt(
            (TEXT * 2)[:letters],
            (Image.fromarray(rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)),),
            f"prompt {letters}",
        )
        for letters in LETTERS
    ]


def reference_policy() -> Policy:
    """A LLaVA of 6.6 M random weights with the embedded model's tokenizer and template."""
    tokenizer = train_tokenizer([], vocabulary=640)
    processor = build_processor(tokenizer)
    processor.patch_size = PATCH
    processor.image_processor.size = {"height": SIZE, "width": SIZE}
    text = LlamaConfig(
        vocab_size=640,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=4,
        tie_word_embeddings=True,
    )
    vision = SiglipVisionConfig(
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        vision_use_head=False,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return Policy(model, processor)
