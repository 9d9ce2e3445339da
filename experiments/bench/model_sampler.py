"""The speed of the sampler on a model of one's own, beside ``generate``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image

from mstar.agents.policy.image_tower import IMAGE_TOWER
from mstar.agents.policy.policy import Policy, Precision
from mstar.agents.sampling import local
from mstar.agents.sampling.fixed_decoding import FixedBatch
from mstar.agents.sampling.graphs import StepGraphs
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.experiments.bench.base import Bench
from mstar.experiments.bench.device import peak_gigabytes, peak_of, reset_peak_memory
from mstar.experiments.bench.sampler import TEXT, bench_sampler, generate
from mstar.experiments.bench.stopwatch import Stopwatch
from mstar.experiments.rows import Row

WARM_UP = 4  # tokens

# Calls whose time is counted apart, and the parts that they belong to.
PARTS = (
    ("encode", Policy, "encode"),
    ("prefill", local, "prefill"),
    ("decode", local, "decode"),
    ("decode", FixedBatch, "_steps"),
    ("capture", StepGraphs, "_captured"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerBench(Bench):
    """Time the sampler beside transformers' generate, on the same model.

    Without a model, on a random LLaVA of 6.6 M weights, for which the other options do not matter.

    Attributes:
        model: a folder or hub name.
        dtype: of the weights.
        lora_rank: of the LoRA with which the first shape is sampled again; 0 leaves that out.
        size: side of the images, in pixels.
        shapes: prompts x samples x tokens, such as 16x16x128.
        beside: shapes that ``generate`` samples as well.
        rows: responses decoded together, of which a shape then has more: as responses end, others
            take their rows. 0: all.
        mean_length: tokens of a response; each token ends it by a chance of 1 in as many. 0: none
            ends before the limit.

    Raises:
        ValueError: a shape is not three numbers above 0.
    """

    model: str = ""
    dtype: Precision = "float32"
    lora_rank: int = 0
    size: int = 112
    shapes: tuple[str, ...] = ("16x16x128", "64x16x128", "16x16x512")
    beside: tuple[str, ...] = ("16x16x128", "64x16x128")
    rows: int = 0
    mean_length: int = 0

    def __post_init__(self) -> None:
        for shape in (*self.shapes, *self.beside):
            sizes(shape)

    def measure(self, say: Callable[[str], None]) -> Iterable[Row]:
        """A row for each shape and way of sampling."""
        return bench_model(self) if self.model else bench_sampler()


def bench_model(bench: SamplerBench, policy: Policy | None = None) -> Iterator[dict[str, Any]]:
    """Sample random prompts, each with one image, at temperature 1.

    Every shape is sampled with a few tokens first, by which all that is loaded once is loaded.

    Args:
        bench: what is sampled.
        policy: to use instead of the model that `bench` names.

    Yields:
        A row for each shape and sampler. ``seconds`` has the wall time of the parts: reading the
        prompts on the CPU (in the warm-up), prefilling them, decoding, and capturing CUDA graphs.
        ``step_ms`` is the time of a token of all rows in decoding, with that of the captures, where
        all rows are decoded together and to the limit; ``tokens_per_second`` counts all that was
        timed. ``peak_share`` is the share of the device's
        bfloat16 rate while decoding, by 2 operations a weight of the text model and token, None
        where the rate is not known; ``peak_gigabytes`` the most memory of a GPU. ``generate`` is
        timed as a whole, so that its ``step_ms`` holds its prefilling.
    """
    policy = policy or Policy.load(bench.model, dtype=bench.dtype)
    vocabulary = policy.network.config.get_text_config().vocab_size
    ends = policy.network.generation_config.eos_token_id
    policy.network.generation_config.eos_token_id = (
        list(range(0, vocabulary, bench.mean_length)) if bench.mean_length else [vocabulary]
    )
    try:
        for shape in bench.shapes:
            yield _timed(bench, policy, shape, "sampler")
            if shape in bench.beside:
                yield _timed(bench, policy, shape, "generate")
        if bench.lora_rank:
            adapted = policy.with_lora(bench.lora_rank)
            yield _timed(bench, adapted, bench.shapes[0], f"sampler, LoRA of {bench.lora_rank}")
    finally:
        policy.network.generation_config.eos_token_id = ends


def _timed(bench: SamplerBench, policy: Policy, shape: str, how: str) -> dict[str, Any]:
    prompts, samples, limit = sizes(shape)
    asked, watch = random_prompts(prompts, bench.size), Stopwatch()
    reset_peak_memory(policy.device)
    with ExitStack() as parts:
        for part in PARTS:
            parts.enter_context(watch.calls(*part))
        _run(bench, policy, asked, samples, WARM_UP, how)
        encode = watch.seconds["encode"]
        watch.seconds.clear()
        with watch.part("rest"):
            start = perf_counter()
            tokens = _run(bench, policy, asked, samples, limit, how)
        seconds = perf_counter() - start
    if how == "generate":
        watch.seconds["decode"] = seconds
    watch.seconds["encode"] = encode
    decoding = watch.seconds["decode"] + watch.seconds["capture"]
    device = torch.cuda.get_device_name() if policy.device.type == "cuda" else policy.device.type
    peak, even = peak_of(device), not (bench.rows or bench.mean_length)
    operations = 2 * text_weights(policy) * tokens
    return {
        "sampler": how,
        "shape": shape,
        "device": device,
        "weights": policy.size,
        "step_ms": round(1000 * decoding / limit, 2) if even else None,
        "tokens_per_second": round(tokens / seconds),
        "peak_share": None if peak is None else round(operations / decoding / peak, 3),
        "peak_gigabytes": peak_gigabytes(policy.device),
        "seconds": {
            part: round(watch.seconds[part], 3)
            for part in ("encode", "prefill", "decode", "capture")
        },
    }


def _run(
    bench: SamplerBench,
    policy: Policy,
    prompts: Sequence[Prompt],
    samples: int,
    limit: int,
    how: str,
) -> int:
    """Sample, and return the number of generated tokens."""
    if how == "generate":
        with torch.no_grad():
            tokens = generate(policy, prompts, samples, limit)
    else:
        sampler = LocalSampler(policy, limit, bench.rows or len(prompts) * samples)
        sampler.sample(prompts, samples, 1.0, seed=0)
        tokens = sampler.tokens_generated
    if policy.device.type == "cuda":
        torch.cuda.synchronize()
    return tokens


def sizes(shape: str) -> tuple[int, int, int]:
    """Prompts, samples and tokens of a shape such as 16x16x128.

    Raises:
        ValueError: it is not three numbers above 0.
    """
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){2}", shape):
        raise ValueError(f"shape {shape!r} is not prompts x samples x tokens, such as 16x16x128")
    prompts, samples, limit = map(int, shape.split("x"))
    return prompts, samples, limit


def text_weights(policy: Policy) -> int:
    """The number of weights that a token of a response is multiplied with."""
    return sum(
        weight.numel()
        for name, weight in policy.network.named_parameters()
        if not re.fullmatch(IMAGE_TOWER, name)
    )


def random_prompts(count: int, size: int) -> list[Prompt]:
    """Prompts of three lengths, with one image each."""
    rng = np.random.default_rng(0)
    return [
        Prompt(
            TEXT * (3 + i % 3),
            (Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8)),),
            f"prompt {i}",
        )
        for i in range(count)
    ]
