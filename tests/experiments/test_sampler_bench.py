"""The benchmark of the sampler on a model of one's own."""

from __future__ import annotations

import pytest

from mstar.experiments.bench.model_sampler import SamplerBench, bench_model, sizes


def test_a_model_is_sampled_in_every_shape_beside_generate_and_with_lora(model: str) -> None:
    bench = SamplerBench(
        model=model,
        dtype="float32",
        lora_rank=2,
        size=32,
        shapes=("2x2x6", "1x2x8"),
        beside=("1x2x8",),
    )
    rows = list(bench_model(bench))
    assert [(row["sampler"], row["shape"]) for row in rows] == [
        ("sampler", "2x2x6"),
        ("sampler", "1x2x8"),
        ("generate", "1x2x8"),
        ("sampler, LoRA of 2", "2x2x6"),
    ]
    assert rows[-1]["weights"] > rows[0]["weights"]
    for row in rows:
        prompts, samples, limit = sizes(row["shape"])
        seconds = prompts * samples * limit / row["tokens_per_second"]
        assert row["step_ms"] * limit / 1000 <= seconds * 1.1 + 0.001  # both are rounded
        assert row["seconds"]["decode"] > 0
        assert row["peak_share"] is row["peak_gigabytes"] is None  # not known of this processor


def test_responses_may_end_and_wait_for_rows(model: str) -> None:
    bench = SamplerBench(
        model=model,
        size=32,
        shapes=("4x4x12",),
        beside=("4x4x12",),
        rows=8,
        mean_length=4,
    )
    for row in bench_model(bench):
        assert row["step_ms"] is None
        seconds = sum(row["seconds"][part] for part in ("prefill", "decode"))
        assert row["tokens_per_second"] * seconds < 4 * 4 * 12  # some have ended before the limit


@pytest.mark.parametrize("shape", ["16x16", "16x0x8", "16 x 16 x 128", "ax1x1"])
def test_a_shape_that_is_not_three_numbers_is_refused(shape: str) -> None:
    with pytest.raises(ValueError, match="is not prompts x samples x tokens"):
        SamplerBench(shapes=("2x2x6", shape))
