"""Three rounds of the live trainer are one long training, and its thread never hangs."""

from __future__ import annotations

import copy
import math
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from closeness import assert_weights_agree, same_weights
from tiny_runs import noise, sft_examples, weights

from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import whole_turns
from mstar.agents.settings import OptimConfig
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import SFTExample
from mstar.envs.problem import Prompt


def live_trainer(
    policy: Policy,
    folder: Path,
    rounds: int = 3,
    resume: Path | None = None,
    **optim: Any,
) -> LiveTrainer:
    plain: dict[str, Any] = {
        "updates": 2,
        "batch": 2,
        "learning_rate": 1e-2,
        "schedule": "cosine",
        "warmup": 2,
    }
    config = OptimConfig(**{**plain, **optim})
    return LiveTrainer(policy, config, folder, rounds=rounds, seed=0, resume=resume)


def rates(live: LiveTrainer) -> list[float]:
    """The learning rate after each update of the last round; a trainer keeps no more."""
    assert live.trainer is not None
    logs = live.trainer.state.log_history
    return [log["learning_rate"] for log in logs if "learning_rate" in log]


def moments(live: LiveTrainer) -> list[dict[str, torch.Tensor]]:
    """What Adam keeps of each weight."""
    assert live.trainer is not None
    return list(live.trainer.optimizer.state.values())


def trainer_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "live-trainer"]


@pytest.fixture
def exact(policy: Policy) -> Policy:
    """Batches of other sizes round differently; see ``closeness``."""
    policy.model.double()
    return policy


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_three_rounds_are_one_long_training(
    policy: Policy, loaded: Policy, tmp_path: Path, schedule: str
) -> None:
    live = live_trainer(policy, tmp_path / "rounds", schedule=schedule)
    used = []
    for number in (1, 2, 3):
        result = live.fine_tune(sft_examples(4 * number))
        used += rates(live)
        assert live.trainer is not None
        assert live.trainer.state.global_step == result.updates == 2 * number
        assert {int(kept["step"]) for kept in moments(live)} == {2 * number}
        assert math.isfinite(result.loss)
        assert result.loss > 0
    once = Policy(copy.deepcopy(loaded.model), loaded.processor)
    straight = live_trainer(once, tmp_path / "straight", schedule=schedule, rounds=1, updates=6)
    straight.fine_tune(sft_examples(4, 12))
    assert used == rates(straight)
    assert used[:3] == [0.0, 5e-3, 1e-2]
    assert 1e-2 > used[3] > used[4] > used[5] > 0
    assert result.learning_rate == pytest.approx(0, abs=1e-9)
    for kept, expected in zip(moments(live), moments(straight), strict=True):
        assert torch.equal(kept["exp_avg"], expected["exp_avg"])
        assert torch.equal(kept["exp_avg_sq"], expected["exp_avg_sq"])
    assert same_weights(weights(policy), weights(once))
    assert not same_weights(weights(policy), weights(loaded))
    live.close()
    straight.close()


def test_the_warm_up_comes_once(policy: Policy, tmp_path: Path) -> None:
    live = live_trainer(policy, tmp_path, schedule="constant_with_warmup", warmup=3)
    used = []
    for number in (1, 2, 3):
        result = live.fine_tune(sft_examples(number))
        used += rates(live)
    live.close()
    assert used == pytest.approx([0, 1e-2 / 3, 2e-2 / 3, 1e-2, 1e-2, 1e-2])
    assert result.learning_rate == 1e-2


def test_resuming_from_a_checkpoint_gives_the_weights_of_an_uninterrupted_run(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    live = live_trainer(policy, tmp_path / "first")
    kept = shutil.move(live.fine_tune(sft_examples(0)).checkpoint, tmp_path / "kept")
    live.fine_tune(sft_examples(4))
    live.fine_tune(sft_examples(8))
    again = Policy(copy.deepcopy(loaded.model), loaded.processor)
    again.load_weights(kept)
    resumed = live_trainer(again, tmp_path / "second", resume=Path(kept))
    assert [resumed.fine_tune(sft_examples(start)).updates for start in (4, 8)] == [4, 6]
    assert same_weights(weights(again), weights(policy))
    assert rates(resumed) == rates(live)
    for one, other in zip(moments(resumed), moments(live), strict=True):
        assert torch.equal(one["exp_avg"], other["exp_avg"])
    live.close()
    resumed.close()


def test_fewer_examples_than_slots_are_repeated_and_more_are_cut(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    few = live_trainer(policy, tmp_path / "few", rounds=1)
    few.fine_tune(sft_examples(0, 2))
    other = Policy(copy.deepcopy(loaded.model), loaded.processor)
    many = live_trainer(other, tmp_path / "many", rounds=1)
    many.fine_tune([*sft_examples(0, 2), *sft_examples(0, 2), *sft_examples(9, 5)])
    assert same_weights(weights(policy), weights(other))


def test_a_round_with_few_examples_makes_few_updates_if_it_may_not_repeat_them(
    policy: Policy, loaded: Policy, tmp_path: Path
) -> None:
    once = {"updates": 4, "schedule": "constant", "max_epochs": 1}
    live = live_trainer(policy, tmp_path / "first", **once)
    first = live.fine_tune(sft_examples(0, 3))
    kept = shutil.move(first.checkpoint, tmp_path / "kept")
    second = live.fine_tune(sft_examples(3, 5))
    assert [(done.updates, done.examples) for done in (first, second)] == [(2, 4), (5, 6)]
    again = Policy(copy.deepcopy(loaded.model), loaded.processor)
    again.load_weights(kept)
    resumed = live_trainer(again, tmp_path / "second", resume=Path(kept), **once)
    assert resumed.fine_tune(sft_examples(3, 5)).updates == 5
    assert same_weights(weights(again), weights(policy))
    live.close()
    resumed.close()


def test_a_round_needs_an_example(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one example"):
        live_trainer(policy, tmp_path).fine_tune([])
    assert trainer_threads() == []


def test_what_the_trainer_raises_reaches_the_caller_every_time(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = live_trainer(policy, tmp_path)
    live.fine_tune(sft_examples(0))

    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError("no room for the batch")

    monkeypatch.setattr(live.trainer, "training_step", fail)
    for _ in range(2):
        with pytest.raises(MemoryError, match="no room"):
            live.fine_tune(sft_examples(4))
    live.close()
    assert trainer_threads() == []


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_an_update_after_which_weights_are_not_finite_ends_the_round(
    policy: Policy, tmp_path: Path, lora_rank: int
) -> None:
    policy = policy.with_lora(lora_rank) if lora_rank else policy
    live = live_trainer(policy, tmp_path, updates=1, learning_rate=1e39, warmup=0)
    with pytest.raises(FloatingPointError, match="weights are not finite after update 1"):
        live.fine_tune(sft_examples(0, 2))  # the loss before the update is finite
    live.close()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_closing_between_rounds_ends_the_thread(policy: Policy, tmp_path: Path) -> None:
    live = live_trainer(policy, tmp_path)
    live.fine_tune(sft_examples(0))
    trained = weights(policy)
    assert trainer_threads() == ["live-trainer"]
    live.close()
    live.close()
    assert trainer_threads() == []
    assert same_weights(weights(policy), trained)
    with pytest.raises(RuntimeError, match="was closed"):
        live.fine_tune(sft_examples(4))


def test_no_round_comes_after_the_last(policy: Policy, tmp_path: Path) -> None:
    live = live_trainer(policy, tmp_path, rounds=1)
    live.fine_tune(sft_examples(0))
    with pytest.raises(RuntimeError, match="all 1 rounds"):
        live.fine_tune(sft_examples(4))
    live.close()


def test_lora_trains_and_keeps_the_adapter_alone(policy: Policy, tmp_path: Path) -> None:
    adapted = policy.with_lora(4)
    before = weights(adapted)
    live = live_trainer(adapted, tmp_path, rounds=1)
    checkpoint = live.fine_tune(sft_examples(0)).checkpoint
    live.close()
    moved = {n for n, weight in weights(adapted).items() if not torch.equal(weight, before[n])}
    assert moved
    assert all("lora_" in name for name in moved)
    assert (checkpoint / "adapter_model.safetensors").exists()
    assert not (checkpoint / "model.safetensors").exists()


def test_a_prompt_and_a_solution_that_name_the_image_token_can_be_trained_on(
    policy: Policy, tmp_path: Path
) -> None:
    live = live_trainer(policy, tmp_path, rounds=1)
    (tokens,) = whole_turns(policy, ["it is <image> 3"])
    example = SFTExample(Prompt("what <image> is it? ", (noise(0),), "0"), tokens)
    assert math.isfinite(live.fine_tune([example]).loss)
    live.close()


@pytest.mark.parametrize("lora_rank", [0, 2])
def test_a_micro_batch_changes_the_memory_and_not_the_gradients(
    exact: Policy, tmp_path: Path, lora_rank: int
) -> None:
    learned = []
    for micro_batch in (0, 2, 1):
        policy = Policy(copy.deepcopy(exact.model), exact.processor)
        torch.manual_seed(0)  # the same factors at the start
        policy = policy.with_lora(lora_rank) if lora_rank else policy
        live = live_trainer(policy, tmp_path / str(micro_batch), batch=4, micro_batch=micro_batch)
        result = live.fine_tune(sft_examples(8))
        live.close()
        assert result.updates == 2
        assert result.micro_batch == (micro_batch or 4)
        learned.append(weights(policy))
    for found in learned[1:]:
        assert_weights_agree(found, learned[0], learning_rate=1e-2)


def test_a_round_that_is_out_of_memory_begins_anew_with_half_the_micro_batch(
    exact: Policy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = Policy(copy.deepcopy(exact.model), exact.processor)
    live = live_trainer(plain, tmp_path / "plain", batch=4)
    for number in (1, 2):
        live.fine_tune(sft_examples(4 * number))
    live.close()
    expected = weights(plain)

    small = Policy(copy.deepcopy(exact.model), exact.processor)
    calls = 0

    def limited(module: Any, args: Any, kwargs: Any) -> None:
        nonlocal calls
        calls += module.training
        # Memory runs out in the second update of the second round, and for more than two rows.
        if module.training and calls > 3 and len(kwargs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    small.model.register_forward_pre_hook(limited, with_kwargs=True)
    live = live_trainer(small, tmp_path / "small", batch=4)
    first = live.fine_tune(sft_examples(4))
    kept = tmp_path / "kept"
    shutil.move(first.checkpoint, kept)
    second = live.fine_tune(sft_examples(8), kept)
    live.close()
    assert (first.micro_batch, second.micro_batch) == (4, 2)
    assert second.updates == 4
    assert "out of memory: the micro-batch is now 2 responses" in caplog.text
    assert_weights_agree(weights(small), expected, learning_rate=1e-2)


def test_without_a_smaller_micro_batch_the_error_says_what_saves_memory(
    policy: Policy, tmp_path: Path
) -> None:
    def never(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    policy.model.register_forward_pre_hook(never)
    live = live_trainer(policy, tmp_path, batch=2)
    with pytest.raises(MemoryError, match=r"micro-batch of 1 .*--gradient-checkpointing"):
        live.fine_tune(sft_examples(2))
    live.close()
