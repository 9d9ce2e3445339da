"""A base model in 4 bits under LoRA is sampled, trained, saved and loaded, or refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tiny_architectures import save_architecture
from tiny_runs import TINY, Even, agent_of, weights
from transformers.utils import is_bitsandbytes_available

from mstar.agents.config import Recipe
from mstar.agents.policy import quantization
from mstar.agents.policy.image_tower import image_towers
from mstar.agents.policy.launch import check_launch
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.quantization import is_quantized
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.experiments.estimate.memory import PromptShape, empty_policy, memory_of
from mstar.experiments.run.train import load_policy
from mstar.rewards.panel import RewardPanel

needs_bitsandbytes = pytest.mark.skipif(
    not is_bitsandbytes_available(), reason="needs bitsandbytes"
)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_architecture("qwen2_5_vl", tmp_path_factory.mktemp("quantized")))


def test_what_cannot_be_in_4_bits_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match=r"cannot be trained; give a --lora-rank"):
        Recipe.of(quantize="4bit")
    with pytest.raises(ValueError, match=r"engine 'vllm' takes whole weights"):
        Recipe.of(quantize="4bit", lora_rank=2, engine="vllm", rank="reward")
    recipe = Recipe.of(quantize="4bit", lora_rank=2)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match=r"this launch shards weights.*multi-gpu\.yaml"):
        check_launch(recipe, one_trainer=True)


def test_4_bits_without_their_package_are_refused_with_what_to_install(
    qwen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "is_bitsandbytes_available", lambda: False)
    with pytest.raises(ValueError, match=r"needs bitsandbytes.*pip install mstar-rl\[bnb\]"):
        Policy.load(qwen, device="cpu", quantize="4bit")


@needs_bitsandbytes
def test_the_linear_layers_of_the_text_model_alone_are_in_4_bits(qwen: str) -> None:
    plain = Policy.load(qwen, device="cpu")
    policy = Policy.load(qwen, device="cpu", quantize="4bit")
    (tower,) = image_towers(policy.network)
    assert not any(map(is_quantized, tower.parameters()))
    layers = policy.network.model.language_model.layers
    quantized = [name for name, weight in layers.named_parameters() if is_quantized(weight)]
    assert len(quantized) == 7 * len(layers)
    assert not is_quantized(policy.network.lm_head.weight)
    assert policy.size == plain.size
    recipe = Recipe.of(model=qwen, quantize="4bit", lora_rank=2)
    kept = sum(each.nbytes for each in policy.with_lora(2).model.parameters())
    counted = memory_of(recipe, empty_policy(recipe), PromptShape(8, 8)).weights
    # What is counted on top are the scales, which are no parameters.
    assert kept <= counted < 1.05 * kept


@needs_bitsandbytes
def test_what_is_sampled_beside_4_bits_is_what_generate_says(qwen: str) -> None:
    policy = Policy.load(qwen, device="cpu", quantize="4bit").with_lora(2)
    for name, factor in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(factor, std=0.3)
    prompt = Prompt("how many?", (), "p")
    (sampled,) = LocalSampler(policy, 6).sample([prompt], 1, 0.0, 0)[0]
    inputs = policy.encode([prompt])
    generated = policy.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    ids = tuple(generated[0, inputs["input_ids"].shape[1] :].tolist())
    assert sampled.tokens == ids[: len(sampled.tokens)]
    assert len(sampled.tokens) > 0


@needs_bitsandbytes
@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_lora_beside_4_bits_trains_in_float32_and_loads_again(
    qwen: str, tmp_path: Path, agent: str
) -> None:
    recipe = TINY.replace(model=qwen, agent=agent, lora_rank=2, quantize="4bit")
    policy = load_policy(recipe)
    before = weights(policy)
    rates = {"learning_rate": 1e-2, "online_learning_rate": 1e-2, "warmup": 0}
    learner = agent_of(
        policy, tmp_path, RewardPanel([Even()]), agent=agent, rounds=1, samples=4, **rates
    )
    _, done = learner.learn()
    learner.close()
    assert done.finetuned is not None
    assert math.isfinite(done.finetuned.loss)
    after = weights(policy)
    moved = {name for name in before if not torch.equal(after[name], before[name])}
    assert moved
    assert all("lora_" in name for name in moved)
    assert {after[name].dtype for name in moved} == {torch.float32}
    again = weights(load_policy(recipe, done.finetuned.checkpoint))
    assert all(torch.equal(again[name], after[name]) for name in again)
