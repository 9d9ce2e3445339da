"""The loop trains models of other architectures, and LoRA by one setting."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from closeness import same_weights
from tiny_models import Architecture, save_tiny_model
from tiny_runs import TINY, tiny_agent, weights

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt
from mstar.envs.task import Task
from mstar.experiments.run.train import load_policy


def answers(policy: Policy) -> list[tuple[int, ...]]:
    """Greedy responses to two images."""
    task = Task(source="BarChart", size=96, seed=9)
    prompts = [Prompt(p.question, (p.images[0].render(96),), p.id) for p in task.draw(2)]
    return [group[0].tokens for group in LocalSampler(policy, 6).sample(prompts, 1, 0.0, 0)]


@pytest.mark.parametrize(
    ("architecture", "rank"),
    [("idefics3", 0), ("qwen2_5_vl", 0), ("llava", 4), ("idefics3", 4), ("qwen2_5_vl", 4)],
)
def test_a_round_trains_and_its_checkpoint_loads_again(
    tmp_path: Path, architecture: Architecture, rank: int
) -> None:
    model = str(save_tiny_model(architecture, tmp_path / "model"))
    recipe = TINY.replace(model=model, lora_rank=rank)
    policy = load_policy(recipe)
    base = weights(policy)
    evolving = tiny_agent(policy, tmp_path / "trainer", lora_rank=rank, rounds=1)
    *_, done = evolving.learn()
    evolving.close()
    assert done.finetuned is not None
    assert done.finetuned.loss > 0
    assert not same_weights(weights(policy), base)
    if rank:
        frozen = {name for name in base if "lora_" not in name}
        assert all(torch.equal(base[name], weights(policy)[name]) for name in frozen)
        assert not any("vision" in name or "visual" in name for name in base.keys() - frozen)
    again = load_policy(recipe, done.finetuned.checkpoint)
    assert same_weights(weights(again), weights(policy))
    assert answers(again) == answers(policy)
    alone = Policy.load(str(done.finetuned.checkpoint), device="cpu")
    assert answers(alone) == answers(policy)


def test_lora_starts_from_the_seed_of_the_recipe(tmp_path: Path) -> None:
    model = str(save_tiny_model("llava", tmp_path / "model"))
    one, other, again = (
        weights(load_policy(TINY.replace(model=model, lora_rank=2, seed=seed)))
        for seed in (1, 2, 1)
    )
    assert same_weights(one, again)
    assert not same_weights(one, other)
