"""LoRA and full fine-tuning, bf16 and gradient checkpointing: each trains, and resumes."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from bfloat16 import needs_bfloat16
from killed_runs import after_fine_tuning, came_to, kill, run, unbroken
from peft.tuners.lora import LoraLayer
from tiny_runs import TINY, Even, agent_of, sft_examples, weights

from mstar.agents.policy.policy import Policy
from mstar.agents.settings import OptimConfig
from mstar.agents.sft_trainer import LiveTrainer
from mstar.experiments.run.train import load_policy
from mstar.rewards.panel import RewardPanel

Seen = set[tuple[bool, torch.dtype]]

HALF: list[dict[str, Any]] = [
    {"bf16": True},
    {"dtype": "bfloat16"},
    {"bf16": True, "gradient_checkpointing": True},
]


def watch(policy: Policy) -> Seen:
    """What the text model computes in, by whether it trains; filled while it works."""
    seen: Seen = set()
    layer = policy.network.model.language_model.layers[0].mlp
    layer.register_forward_hook(lambda _, __, out: seen.add((torch.is_grad_enabled(), out.dtype)))
    return seen


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
@pytest.mark.parametrize("lora_rank", [0, 2])
@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        *(pytest.param(changes, marks=needs_bfloat16) for changes in HALF),
    ],
)
def test_every_memory_saving_option_trains_and_its_checkpoint_loads(
    model: str, tmp_path: Path, agent: str, lora_rank: int, changes: dict[str, Any]
) -> None:
    recipe = TINY.replace(model=model, agent=agent, lora_rank=lora_rank, **changes)
    policy = load_policy(recipe)
    before, seen = weights(policy), watch(policy)
    rates = {"learning_rate": 1e-2, "online_learning_rate": 1e-2, "warmup": 0}
    settings = {"agent": agent, "rounds": 1, "prompts": 2, "samples": 4, **changes, **rates}
    settings |= {"held_out": 1, "held_out_samples": 1}
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), **settings)
    _, done = learner.learn()
    learner.close()
    assert done.finetuned is not None
    assert math.isfinite(done.finetuned.loss)
    plain = torch.bfloat16 if recipe.model.dtype == "bfloat16" else torch.float32
    # It is sampled as it is, and trained in the precision that was asked for.
    assert {dtype for trains, dtype in seen if not trains} <= {plain, torch.bfloat16}
    assert (False, plain) in seen
    assert {d for trains, d in seen if trains} == {torch.bfloat16 if recipe.optim.bf16 else plain}
    after = weights(policy)
    moved = {name for name in before if not torch.equal(after[name], before[name])}
    assert moved
    assert all("lora_" in name for name in moved) == bool(lora_rank)
    again = weights(load_policy(recipe, done.finetuned.checkpoint))
    assert all(torch.equal(again[name], after[name]) for name in again)  # TRL adds a reference
    assert {weight.dtype for name, weight in after.items() if "lora_" not in name} == {plain}


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_gradient_checkpointing_computes_every_layer_once_more(
    loaded: Policy, tmp_path: Path, agent: str
) -> None:
    def passes(checkpointing: bool) -> int:
        """How often a layer computes with gradients in a round."""
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        counted: list[bool] = []
        layer = policy.network.model.language_model.layers[0].mlp
        # Computing again stops at the last thing needed, so what counts is where it goes in.
        layer.register_forward_pre_hook(lambda *_: counted.append(torch.is_grad_enabled()))
        changes = {"agent": agent, "rounds": 1, "gradient_checkpointing": checkpointing}
        learner = agent_of(policy, tmp_path / str(checkpointing), RewardPanel([Even()]), **changes)
        list(learner.learn())
        learner.close()
        return sum(counted)

    assert passes(True) == 2 * passes(False) > 0


@needs_bfloat16
@pytest.mark.parametrize(
    "changes",
    [
        {"bf16": True},
        {"bf16": True, "agent": "grpo", "minibatches": 2},
        {"bf16": True, "lora_rank": 2, "agent": "iterative-rft"},
    ],
)
def test_a_killed_run_in_bf16_resumes_to_the_same_result(
    model: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = TINY.replace(model=model, rounds=2, prompts=2, max_new_tokens=3, **changes)
    kill(recipe, tmp_path, after_fine_tuning, 2)
    assert came_to(run(recipe, tmp_path)) == unbroken(recipe)


@pytest.mark.parametrize(("lora_rank", "least", "most"), [(0, 0.0, 0.1), (2, 0.9, 1.0)])
def test_bfloat16_weights_lose_small_updates_and_lora_does_not(
    model: str, tmp_path: Path, lora_rank: int, least: float, most: float
) -> None:
    policy = load_policy(TINY.replace(model=model, dtype="bfloat16", lora_rank=lora_rank))
    before = policy.weights()
    live = LiveTrainer(
        policy,
        OptimConfig(updates=3, batch=2, learning_rate=1e-5, schedule="constant", warmup=0),
        tmp_path,
        rounds=1,
        seed=0,
    )
    live.fine_tune(sft_examples(0))
    live.close()
    after = policy.weights()
    moved = sum(int((after[name] != before[name]).sum()) for name in after)
    assert least <= moved / sum(weight.numel() for weight in after.values()) <= most


@needs_bfloat16
def test_lora_reads_its_inputs_as_they_are_under_autocast_and_computes_the_same(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.load(model, device="cpu", dtype="bfloat16").with_lora(2)
    layers = [each for each in policy.model.modules() if isinstance(each, LoraLayer)]
    for layer in layers:
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.1)
    inputs = policy.encode([sft_examples(1)[0].prompt])

    def step() -> tuple[set[torch.dtype], list[torch.Tensor]]:
        read: set[torch.dtype] = set()
        hooks = [
            layer.lora_A["default"].register_forward_pre_hook(
                lambda _, given: read.add(given[0].dtype)
            )
            for layer in layers
        ]
        with torch.autocast("cpu", torch.bfloat16):
            policy.model(**inputs, labels=inputs["input_ids"]).loss.backward()
        for hook in hooks:
            hook.remove()
        gradients = [w.grad.clone() for w in policy.model.parameters() if w.grad is not None]
        policy.model.zero_grad()
        return read, gradients

    read, gradients = step()
    assert read == {torch.bfloat16}
    with torch.no_grad():
        policy.model(**inputs)  # without autocast the factors' precision is still met
    for layer in layers:
        monkeypatch.setattr(layer, "_cast_input_dtype", lambda values, dtype: values.to(dtype))
    read_by_peft, by_peft = step()
    assert read_by_peft == {torch.float32}
    assert gradients
    assert all(torch.equal(own, peft) for own, peft in zip(gradients, by_peft, strict=True))
