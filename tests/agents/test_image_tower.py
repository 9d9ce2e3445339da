"""The image tower attends in few calls, and runs without gradients while it is frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_architectures import save_architecture

from mstar.agents.policy import image_tower
from mstar.agents.policy.image_tower import (
    first_equal,
    image_towers,
    run_frozen_towers_without_gradients,
)
from mstar.agents.policy.policy import Policy
from mstar.envs.problem import Prompt


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


ALIKE = [Prompt("?", (noise(112, 112),), "a"), Prompt("?", (noise(112, 112),), "b")]
MIXED = [Prompt("?", (noise(84, 84), noise(140, 56)), "a"), Prompt("?", (noise(84, 84),), "b")]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The sizes of the batches of attention in image towers."""
    batches: list[int] = []
    plain = image_tower.scaled_dot_product_attention

    def attend(query: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        batches.append(len(query))
        return plain(query, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(image_tower, "scaled_dot_product_attention", attend)
        yield batches


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_pieces_of_one_length_attend_together_as_each_does_alone(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.load(str(save_architecture(family, tmp_path)), device="cpu")
    (tower,) = image_towers(policy.network)
    for prompts in (ALIKE, MIXED):
        encoded = policy.encode(prompts)
        with counted(monkeypatch) as batches, torch.no_grad():
            together = policy.network(**encoded).logits
        assert max(batches) > 1
        assert tower.config._attn_implementation == image_tower.BY_LENGTH
        tower.config._attn_implementation = "sdpa"
        with torch.no_grad():
            alone = policy.network(**encoded).logits
        tower.config._attn_implementation = image_tower.BY_LENGTH
        shown = encoded["attention_mask"].bool()
        torch.testing.assert_close(together[shown], alone[shown], rtol=1e-4, atol=1e-5)


def test_images_of_one_size_cost_one_call_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.load(str(save_architecture("qwen2_5_vl", tmp_path)), device="cpu")
    with counted(monkeypatch) as batches, torch.no_grad():
        policy.network(**policy.encode(ALIKE))
    assert len(batches) == len(policy.network.model.visual.blocks)


def test_a_frozen_tower_makes_no_gradients_and_the_others_the_same_ones(tmp_path: Path) -> None:
    policy = Policy.load(str(save_architecture("qwen2_5_vl", tmp_path)), device="cpu").with_lora(2)
    network, encoded = policy.network, policy.encode(ALIKE)
    network.gradient_checkpointing_enable()  # makes all inputs ask for gradients
    network.train()
    (tower,) = image_towers(policy.model)

    def step() -> tuple[bool, list[torch.Tensor]]:
        seen: list[bool] = []
        hook = tower.register_forward_hook(
            lambda _module, _given, out: seen.append(out.pooler_output.requires_grad)
        )
        torch.manual_seed(0)
        policy.model(**encoded, labels=encoded["input_ids"]).loss.backward()
        hook.remove()
        gradients = [w.grad.clone() for w in policy.model.parameters() if w.grad is not None]
        policy.model.zero_grad()
        return seen[0], gradients

    asked, before = step()
    run_frozen_towers_without_gradients(policy.model)
    asks, after = step()
    assert (asked, asks) == (True, False)
    assert before
    torch.testing.assert_close(after, before)


def test_a_tower_that_is_trained_keeps_its_gradients(tmp_path: Path) -> None:
    policy = Policy.load(str(save_architecture("qwen2_5_vl", tmp_path)), device="cpu")
    run_frozen_towers_without_gradients(policy.model)
    encoded = policy.encode(ALIKE)
    policy.model(**encoded, labels=encoded["input_ids"]).loss.backward()
    assert all(weight.grad is not None for weight in policy.network.model.visual.parameters())


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_a_frozen_tower_reads_each_image_of_a_batch_once(family: str, tmp_path: Path) -> None:
    policy = Policy.load(str(save_architecture(family, tmp_path)), device="cpu")
    policy.freeze_image_tower()
    (tower,) = image_towers(policy.network)
    read: list[int] = []
    tower.patch_embed.register_forward_pre_hook(lambda _, given: read.append(len(given[0])))
    one, two = MIXED  # three images, two of which are equal

    def logits(prompts: list[Prompt]) -> torch.Tensor:
        encoded = policy.encode(prompts)
        with torch.no_grad():
            values: torch.Tensor = policy.network(**encoded).logits
        return values[encoded["attention_mask"].bool()]

    batches = [[one, two, one], [two, one], [two, two]]
    before = [logits(batch) for batch in batches]
    alone = read.copy()
    run_frozen_towers_without_gradients(policy.model)
    for batch, expected in zip(batches, before, strict=True):
        torch.testing.assert_close(logits(batch), expected, rtol=1e-4, atol=1e-5)
    once = read[len(alone) :]
    large, small = alone[1] - alone[2], alone[2] // 2  # patches of an image
    assert alone == [2 * large + 3 * small, large + 2 * small, 2 * small]
    assert once == [large + small, large + small, small]


def test_images_that_differ_in_one_number_are_not_equal() -> None:
    image = torch.arange(6.0).reshape(2, 3)
    swapped = image.flip(0)  # the same sum
    shapes = [(1, 1, 2)] * 4
    assert first_equal([image, swapped, image.clone(), image + 1], shapes) == [0, 1, 0, 3]
    assert first_equal([image, image], [(1, 1, 2), (1, 2, 1)]) == [0, 1]


def test_no_policy_attends_by_kernels_that_compile_a_plan_for_every_length(loaded: Policy) -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    Policy(loaded.model, loaded.processor)
    assert not torch.backends.cuda.cudnn_sdp_enabled()
