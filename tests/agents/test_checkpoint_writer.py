"""A checkpoint is written while the policy is measured, whole before its round is committed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from tiny_runs import Even, agent_of, sft_examples, weights

from mstar.agents import checkpoint_writer
from mstar.agents.agent import Agent
from mstar.agents.checkpoint_writer import CheckpointWriter
from mstar.agents.policy.policy import Policy
from mstar.agents.settings import OptimConfig
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import Round
from mstar.rewards.panel import RewardPanel

SECONDS = 60.0  # after which a test that waits has failed


def learner(policy: Policy, folder: Path, agent: str = "continuous") -> Agent:
    return agent_of(policy, folder, RewardPanel([Even()]), agent=agent, rounds=1, samples=4)


def same_after_loading(policy: Policy, checkpoint: Path) -> None:
    before = weights(policy)
    policy.load_weights(checkpoint)
    assert all(torch.equal(before[name], now) for name, now in weights(policy).items())


def two_rounds(agent: Agent) -> Round:
    """The round that trains."""
    _, done = agent.learn()
    agent.close()
    return done


def test_the_files_are_those_that_a_trainer_writes_itself(loaded: Policy, tmp_path: Path) -> None:
    def written(folder: Path, writer: CheckpointWriter | None) -> dict[str, Any]:
        policy = Policy(copy.deepcopy(loaded.model), loaded.processor)
        optim = OptimConfig(updates=1, batch=2, warmup=0)
        live = LiveTrainer(policy, optim, folder, rounds=1, seed=0, writer=writer)
        checkpoint = live.fine_tune(sft_examples(0)).checkpoint
        if writer is not None:
            writer.wait()
        live.close()
        return {
            path.name: torch.load(path, weights_only=False)
            if path.suffix in (".pt", ".bin", ".pth")
            else path.read_bytes()
            for path in checkpoint.iterdir()
        }

    own, behind = written(tmp_path / "own", None), written(tmp_path / "behind", CheckpointWriter())
    assert own.keys() == behind.keys() >= {"model.safetensors", "optimizer.pt", "scheduler.pt"}
    assert own["model.safetensors"] == behind["model.safetensors"]
    assert own["config.json"] == behind["config.json"]
    assert own["scheduler.pt"] == behind["scheduler.pt"]
    first, second = own["optimizer.pt"], behind["optimizer.pt"]
    assert first["param_groups"] == second["param_groups"]
    assert len(first["state"]) == len(second["state"]) > 0
    for number, moments in first["state"].items():
        assert all(torch.equal(moments[name], second["state"][number][name]) for name in moments)


@pytest.mark.parametrize("agent", ["continuous", "grpo", "online-dpo"])
def test_a_policy_is_measured_before_its_checkpoint_is_written_and_the_round_waits_for_both(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    learning, measuring = learner(policy, tmp_path, agent), Event()
    rounds = learning.learn()
    next(rounds)
    evaluate, write = learning.monitor.evaluate, learning.writer.write
    names: list[str] = []

    def evaluated(*given: Any) -> Any:
        measuring.set()
        return evaluate(*given)

    def written_later(path: Path, function: Callable[[], None]) -> None:
        def when_measured() -> None:
            assert measuring.wait(SECONDS)
            function()

        names.append(path.name)
        write(path, when_measured)

    monkeypatch.setattr(learning.monitor, "evaluate", evaluated)
    monkeypatch.setattr(learning.writer, "write", written_later)
    done = next(rounds)
    assert done.finetuned is not None
    checkpoint = done.finetuned.checkpoint
    assert names == [checkpoint.name, "optimizer.pt"]
    assert (checkpoint / "optimizer.pt").is_file()
    learning.close()
    same_after_loading(policy, checkpoint)


def test_what_cannot_be_written_ends_the_round_with_its_name(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("No space left on device")

    writer = CheckpointWriter()
    writer.write(tmp_path / "model.safetensors", full)
    with pytest.raises(OSError, match=r"model\.safetensors could not be written: No space"):
        writer.wait()
    writer.wait()  # it has been told

    learning = learner(policy, tmp_path)
    rounds = learning.learn()
    next(rounds)
    monkeypatch.setattr(type(policy.model), "save_pretrained", full)
    with pytest.raises(OSError, match=r"checkpoint-\d+ could not be written: No space left"):
        next(rounds)
    learning.close()


@pytest.mark.parametrize("rank", [0, 2])
def test_what_is_small_or_has_no_room_is_written_at_once(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    adapted = policy.with_lora(rank) if rank else policy
    if not rank:
        monkeypatch.setattr(checkpoint_writer, "free_memory", lambda: 1000)
    learning = learner(adapted, tmp_path)

    def refuse(path: Path, _: Callable[[], None]) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(learning.writer, "write", refuse)
    done = two_rounds(learning)
    assert done.finetuned is not None
    same_after_loading(adapted, done.finetuned.checkpoint)


def test_free_memory_is_that_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "meminfo"
    monkeypatch.setattr(checkpoint_writer, "MEMORY", host)
    monkeypatch.setattr(checkpoint_writer, "CONTAINER", tmp_path)
    assert checkpoint_writer.free_memory() == 0
    host.write_text("MemTotal: 9 kB\nMemAvailable: 5 kB\n")
    assert checkpoint_writer.free_memory() == 5 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert checkpoint_writer.free_memory() == 5 * 1024
    (tmp_path / "memory.max").write_text("4000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert checkpoint_writer.free_memory() == 3000
    (tmp_path / "memory.current").write_text("5000\n")
    assert checkpoint_writer.free_memory() == 0
