"""The memory of a run as it is estimated, held to what torch keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_architectures import save_architecture
from tiny_runs import noise

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import continued
from mstar.envs.problem import Prompt
from mstar.experiments.estimate.memory import Memory, empty_policy, longest, memory_of

NEW, ROWS = 24, 2


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_architecture("qwen2_5_vl", tmp_path_factory.mktemp("model"))


def recipe_of(model: Path, **changes: Any) -> Recipe:
    return Recipe.of(model=str(model), max_new_tokens=NEW, batch=ROWS, **changes)


def estimated(recipe: Recipe, processes: int = 1) -> tuple[Policy, list[Prompt], Memory]:
    policy = empty_policy(recipe)
    prompts = [Prompt("how many?", (noise(seed),), str(seed)) for seed in range(ROWS)]
    return policy, prompts, memory_of(recipe, policy, longest(policy, prompts), processes)


def kept_bytes(policy: Policy, prompts: list[Prompt]) -> int:
    """What autograd keeps of a forward pass without the head, weights not counted."""
    weights = {each.untyped_storage().data_ptr() for each in policy.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    inputs = continued(policy, prompts, [[100] * NEW] * len(prompts))
    del inputs["labels"]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = policy.network.model(**inputs, use_cache=False)  # alive while kept is summed
    assert out is not None
    return sum(kept.values())


@pytest.mark.usefixtures("usual_rounding")
@pytest.mark.parametrize(
    "changes",
    [{}, {"lora_rank": 4}, {"dtype": "bfloat16"}, {"image_tower": "trained"}],
    ids=["full", "lora", "bfloat16", "tower"],
)
def test_estimated_activations_are_about_those_that_torch_keeps(
    qwen: Path, changes: dict[str, Any]
) -> None:
    recipe = recipe_of(qwen, **changes)
    _, prompts, memory = estimated(recipe)
    policy = Policy.load(str(qwen), dtype=recipe.model.dtype)
    if recipe.model.lora_rank:
        policy = policy.with_lora(recipe.model.lora_rank)
    elif not recipe.model.trains_image_tower:
        policy.freeze_image_tower()
    policy.model.train()
    assert 0.7 < memory.activations / kept_bytes(policy, prompts) < 1.3
    weights = list(policy.model.parameters())
    assert memory.weights == sum(w.numel() * w.element_size() for w in weights)
    trained = [w for w in weights if w.requires_grad]
    assert memory.gradients == sum(w.numel() * w.element_size() for w in trained)


def test_what_saves_memory_lowers_the_estimate_where_it_does(qwen: Path) -> None:
    _, _, plain = estimated(recipe_of(qwen))
    for changes, less in [
        ({"gradient_checkpointing": True}, "activations"),
        ({"micro_batch": 1}, "activations"),
        ({"optimizer": "adafactor"}, "moments"),
        ({"lora_rank": 4}, "gradients"),
        ({"dtype": "bfloat16"}, "weights"),
        ({"batch_rows": 1}, "cache"),
    ]:
        _, _, other = estimated(recipe_of(qwen, **changes))
        assert getattr(other, less) < getattr(plain, less), changes
    _, _, adapted = estimated(recipe_of(qwen, lora_rank=4))
    _, _, quantized = estimated(recipe_of(qwen, lora_rank=4, quantize="4bit"))
    assert quantized.weights < adapted.weights
    _, _, shared = estimated(recipe_of(qwen), processes=2)
    assert (shared.weights, shared.whole) == (plain.weights // 2, plain.weights)
    assert shared.activations == plain.activations // 2


def test_a_base_policy_is_counted_where_an_online_agent_loads_one(qwen: Path) -> None:
    groups = {"samples": 2, "minibatches": 1}
    for changes, loaded in [
        ({"agent": "grpo"}, True),
        ({"agent": "grpo", "kl_coefficient": 0.0}, False),
        ({"agent": "grpo", "lora_rank": 4}, False),
        ({"agent": "online-dpo", "lora_rank": 4}, True),
        ({"agent": "continuous"}, False),
    ]:
        _, _, memory = estimated(recipe_of(qwen, **changes, **groups))
        assert (memory.reference > 0) == loaded, changes
