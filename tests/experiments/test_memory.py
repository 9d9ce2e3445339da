"""The memory of a run as it is estimated, held to what torch keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from stored_results import RESULTS
from stored_results import packed as stored
from tiny_architectures import save_architecture
from tiny_runs import noise

from mstar.agents.config import Recipe
from mstar.agents.policy.packing import packed
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import continued
from mstar.envs.problem import Prompt
from mstar.experiments.bench import memory as bench
from mstar.experiments.bench.memory import memory_table
from mstar.experiments.estimate import estimate as whole
from mstar.experiments.estimate import pilot
from mstar.experiments.estimate.memory import (
    Memory,
    PromptShape,
    empty_policy,
    longest,
    memory_of,
)

NEW, ROWS = 24, 2
GRAPHS = "CUDA graphs"


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_architecture("qwen2_5_vl", tmp_path_factory.mktemp("model"))


def recipe_of(model: Path, **changes: Any) -> Recipe:
    return Recipe.of(model=str(model), max_new_tokens=NEW, batch=ROWS, **changes)


def estimated(
    recipe: Recipe, device: str = "cuda", processes: int = 1
) -> tuple[Policy, list[Prompt], Memory]:
    policy = empty_policy(recipe)
    prompts = [Prompt("how many?", (noise(seed),), str(seed)) for seed in range(ROWS)]
    found = memory_of(recipe, policy, longest(policy, prompts), device, processes)
    return policy, prompts, found


def kept_bytes(policy: Policy, inputs: dict[str, torch.Tensor]) -> int:
    """What autograd keeps of a forward pass without the head, weights not counted."""
    weights = {each.untyped_storage().data_ptr() for each in policy.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

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
    inputs = continued(policy, prompts, [[100] * NEW] * len(prompts))
    assert 0.7 < memory.activations / kept_bytes(policy, inputs) < 1.3
    weights = list(policy.model.parameters())
    assert memory.weights == sum(w.numel() * w.element_size() for w in weights)
    trained = [w for w in weights if w.requires_grad]
    assert memory.gradients == sum(w.numel() * w.element_size() for w in trained)


@pytest.mark.usefixtures("usual_rounding")
def test_a_prompt_that_responses_share_is_estimated_once(qwen: Path) -> None:
    recipe = recipe_of(qwen, agent="grpo", samples=ROWS, minibatches=1)
    _, prompts, memory = estimated(recipe)
    policy = Policy.load(str(qwen))
    policy.freeze_image_tower()
    policy.model.train()
    _, _, apart = estimated(recipe.replace(agent="continuous"))
    responses = [[100] * NEW] * ROWS
    together = kept_bytes(policy, packed(policy, prompts[:1], [responses]))
    alone = kept_bytes(policy, continued(policy, [prompts[0]] * ROWS, responses))
    assert 0.7 < memory.activations / together < 1.3
    assert together < 0.95 * alone
    assert memory.activations < 0.95 * apart.activations


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
    assert adapted.merged > 0
    assert plain.merged == quantized.merged == 0
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


def test_gradients_and_activations_are_never_there_as_a_whole_unless_passes_add_up(
    qwen: Path,
) -> None:
    _, _, one = estimated(recipe_of(qwen))
    _, _, two = estimated(recipe_of(qwen, micro_batch=1))
    held = one.weights + one.moments
    assert one.training == held + max(one.activations + one.passing, one.gradients)
    assert two.training == held + two.activations + two.passing + two.gradients


def test_where_the_host_is_the_device_its_copies_count(qwen: Path) -> None:
    _, _, gpu = estimated(recipe_of(qwen))
    _, _, cpu = estimated(recipe_of(qwen), "cpu")
    assert (gpu.copies, gpu.first) == (0, 0)
    assert (cpu.copies, cpu.first) == (cpu.weights + cpu.moments, cpu.gradients)
    # Without Triton, TRL's head makes several tensors of the logits of all positions.
    assert cpu.passing > 4 * gpu.passing


def qwen_3b(lora_rank: int) -> Policy:
    """The shape of Qwen2.5-VL-3B."""
    text = {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
    }
    tower = {"hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 2048}
    config = tf.Qwen2_5_VLConfig(text_config=text, vision_config=tower, tie_word_embeddings=True)
    with torch.device("meta"):
        model = tf.AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
        policy = Policy(model, None)
        return policy.with_lora(lora_rank) if lora_rank else policy


def test_what_a_run_took_stands_beside_what_was_counted_and_what_its_pilot_took(
    qwen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process each for the pilot and the run; here the pilot in this one, and no run."""
    trained: list[Recipe] = []
    monkeypatch.setattr(bench, "train", lambda recipe, *_: trained.append(recipe))
    monkeypatch.setattr(bench, "_alone", lambda measured, recipe: measured(recipe))
    settings = bench.MemoryBench(model=(str(qwen),), lora_rank=2, batch=4, new_tokens=4)
    (row,) = settings.measure(print)
    assert trained == [settings.recipe(str(qwen))]
    assert 0 < row["libraries"] < row["estimated"]
    assert row["expected"] >= row["libraries"]
    beside = row["expected"] - row["libraries"]
    assert row["libraries"] + beside / whole.LATER == pytest.approx(row["peak"], rel=0.01)
    assert row["expected_error"] == pytest.approx(row["expected"] / row["peak"] - 1, abs=2e-3)
    assert f"| {row['expected']:.2f} | {100 * row['expected_error']:+.1f} %" in memory_table([row])
    assert "| — | — |" in memory_table([{**row, "expected": None}])


def test_a_smaller_pilot_is_scaled_up_beside_the_libraries(
    qwen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pilot, "PROMPTS", 32)
    monkeypatch.setattr(whole, "pick_device", lambda _: torch.device("cpu"))
    recipe = recipe_of(qwen, env="mstar/Dice-v1", prompts=64, samples=8, batch_rows=512)
    memory = whole._memory_of(recipe, "cpu")
    small = whole._memory_of(pilot.pilot_recipe(recipe), "cpu")
    assert small.most < memory.most
    took = pilot.Pilot([], 2.0, 0.0, 0.0, 0, 100 + 2 * small.most)
    expected = whole._expected_memory(recipe, took, memory, 100, "cpu")
    assert expected == int(100 + 2 * whole.LATER * memory.most)
    assert whole._expected_memory(recipe, took, memory, 100, "cuda") is None


def test_what_glibc_keeps_is_counted_unless_it_is_told_to_give_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    for name in whole.GIVING_BACK:
        monkeypatch.delenv(name, raising=False)
    assert whole.kept_bytes(1000) == int(whole.KEPT * 1000)
    for name in whole.GIVING_BACK:
        monkeypatch.setenv(name, "1048576")
    assert whole.kept_bytes(1000) == 0
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert whole.kept_bytes(1000) == 0


@pytest.mark.skipif(not (RESULTS / "gpu").exists(), reason="results are no part of the wheel")
def test_what_a_gpu_took_is_estimated_within_a_tenth() -> None:
    """The rows of one H200: seven of sampling in CUDA graphs, four of training."""
    rows = stored("gpu")
    plain, adapted = qwen_3b(0), qwen_3b(16)
    plain.freeze_image_tower()
    sampled = [row for row in rows["sampler.jsonl"] if row.get("variant", "").startswith(GRAPHS)]
    assert len(sampled) == 7
    for row in sampled:
        prompts, samples, new = map(int, row["shape"].split("x"))
        lora_rank = 16 * ("LoRA" in row["variant"])
        recipe = Recipe.of(
            dtype="bfloat16",
            lora_rank=lora_rank,
            prompts=prompts,
            samples=samples,
            batch_rows=prompts * samples,
            max_new_tokens=new,
        )
        found = memory_of(recipe, adapted if lora_rank else plain, PromptShape(430, 1024))
        taken = found.whole + found.merged + found.cache + found.drawing
        assert taken / 1e9 == pytest.approx(row["peak_gigabytes"], rel=0.1), row["variant"]
    for row in (*rows["train.jsonl"], *rows["train-without-cudnn.jsonl"]):
        recipe = Recipe.of(
            agent="grpo" if row["work"] == "grpo" else "continuous",
            dtype="bfloat16",
            bf16=True,
            lora_rank=row["lora"],
            image_tower="frozen",
            gradient_checkpointing=row["checkpointing"],
            prompts=16,
            samples=4,
            batch=16,
            minibatches=4,
            max_new_tokens=128,
            kl_coefficient=0.0,
        )
        prompt = PromptShape(row["tokens"] // row["responses"] - 128, 1024)
        found = memory_of(recipe, adapted if row["lora"] else plain, prompt)
        # A round of GRPO samples as well.
        taken = max(found.training, found.sampling if recipe.learns_online else 0)
        assert taken / 1e9 == pytest.approx(row["peak_gigabytes"], rel=0.1), row["work"]
