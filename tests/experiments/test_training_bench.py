"""The benchmark of training, and the trials of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_architectures import save_architecture
from torch.utils.flop_counter import FlopCounterMode

from mstar.experiments.bench import stopwatch
from mstar.experiments.bench.architectures import TRAINED_BY, check_sampling, outcome, try_models
from mstar.experiments.bench.device import peak_of
from mstar.experiments.bench.stopwatch import Stopwatch
from mstar.experiments.bench.train import (
    TRAINING,
    TrainBench,
    addmm_operations,
    bench_train,
)


def test_the_time_of_an_inner_part_is_not_that_of_the_outer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Worker:
        def work(self) -> str:
            return "done"

    ticks = iter([0.0, 1.0, 3.0, 7.0])  # outer begins, inner begins, inner ends, outer ends
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: next(ticks))
    watch, plain = Stopwatch(), Worker.work
    with watch.calls("inner", Worker, "work"), watch.part("outer"):
        assert Worker().work() == "done"
    assert watch.seconds == {"outer": 5.0, "inner": 2.0}
    assert Worker.work is plain


def test_training_is_timed_beside_a_plain_loop_over_the_same_tokens(model: str) -> None:
    bench = TrainBench(
        model=model,
        dtype="float32",
        lora_rank=2,
        gradient_checkpointing=False,
        size=96,
        batch=4,
        updates=1,
        new_tokens=3,
    )
    tuned, online = bench_train(bench)
    assert (tuned["work"], online["work"]) == ("fine-tuning", "grpo")
    for row in (tuned, online):
        assert row["responses"] == 4
        assert row["peak_share"] is row["peak_gigabytes"] is None  # not known of this processor
        spent = sum(row["seconds"].get(part, 0.0) for part in TRAINING)
        rounded = 0.0005 * len(TRAINING)  # at most, of the seconds of all parts
        slack = rounded * row["tokens_per_second"]
        tokens = row["tokens_per_second"] * spent
        assert tokens == pytest.approx(row["tokens"], rel=0.01, abs=slack)
        assert min(row["seconds"][p] for p in ("forward and backward", "trainer start")) > 0
    plain = tuned["plain_operations_per_token"]
    assert tuned["operations_per_token"] == pytest.approx(plain, rel=0.05)
    assert 0 < online["operations_per_token"] < 0.8 * online["plain_operations_per_token"]
    assert "sampling" in online["seconds"]
    assert "sampling" not in tuned["seconds"]


def test_products_whose_precision_is_named_are_counted_too() -> None:
    bias, left, right = (torch.empty(shape, device="meta") for shape in ((3, 5), (3, 4), (4, 5)))
    half = torch.bfloat16
    mapping = {torch.ops.aten.addmm: addmm_operations}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        torch.addmm(bias, left, right)
        torch.addmm(bias, left.to(half), right.to(half), out_dtype=torch.float32)
    assert counter.get_total_flops() == 2 * (2 * 3 * 4 * 5)


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40", None),
        ("cpu", None),
    ],
)
def test_the_peak_of_a_device_goes_by_its_name(device: str, peak: float | None) -> None:
    assert peak_of(device) == peak


def test_a_model_is_tried_and_what_it_cannot_do_is_told(tmp_path: Path) -> None:
    model = str(save_architecture("paligemma", tmp_path / "refused"))
    (row,) = try_models([model])
    assert row.keys() == {"model", "sample", *TRAINED_BY}
    assert "attend to each other in both directions" in row["grpo"]
    llava = str(save_architecture("llava", tmp_path / "llava"))
    assert outcome(check_sampling, llava) == "yes"

    def fails(_: Any) -> None:
        raise ValueError("it differs")

    assert outcome(fails, llava) == "ValueError: it differs"
