"""Updates do not visit all modules, and learn the same."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import pytest
import torch
from closeness import same_weights
from tiny_runs import sft_examples, weights

from mstar.agents import sft_trainer
from mstar.agents.checkpoint_writer import WritesBehind
from mstar.agents.policy.policy import Policy
from mstar.agents.settings import OptimConfig
from mstar.agents.sft_trainer import LiveTrainer


def tune(policy: Policy, folder: Path, updates: int = 2, lora: bool = True) -> Policy:
    """A policy after a round of updates, whose gradients are clipped."""
    tuned = policy.with_lora(4) if lora else policy
    config = OptimConfig(updates=updates, batch=2, learning_rate=1e-2, warmup=0)
    live = LiveTrainer(tuned, config, folder, rounds=1, seed=0)
    live.fine_tune(sft_examples(0, 2 * updates))
    live.close()
    return tuned


@pytest.mark.parametrize("lora", [True, False])
def test_updates_are_those_of_the_trainer_itself(
    policy: Policy, loaded: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: bool
) -> None:
    torch.manual_seed(0)
    short = tune(policy, tmp_path / "short", lora=lora)

    class Plain(WritesBehind, sft_trainer.SFTTrainer):
        """The trainer without short steps."""

    monkeypatch.setattr(sft_trainer, "FineTuner", Plain)
    torch.manual_seed(0)
    other = Policy(copy.deepcopy(loaded.model), loaded.processor)
    plain = tune(other, tmp_path / "plain", lora=lora)
    assert same_weights(weights(short), weights(plain))
    assert not same_weights(weights(policy), weights(loaded))


def test_an_update_more_visits_no_module_more(
    policy: Policy, loaded: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits: Counter[str] = Counter()
    inner = torch.nn.ModuleList  # of the layers: only a visit to all modules comes there
    for name in ("train", "named_modules"):
        plain = getattr(torch.nn.Module, name)

        def counted(self: torch.nn.Module, *given: object, name: str = name, plain=plain, **more):  # type: ignore[no-untyped-def]
            visits[name] += isinstance(self, inner)
            return plain(self, *given, **more)

        monkeypatch.setattr(torch.nn.Module, name, counted)
    tune(policy, tmp_path / "few", updates=2)
    few = dict(visits)
    visits.clear()
    tune(Policy(copy.deepcopy(loaded.model), loaded.processor), tmp_path / "many", updates=5)
    assert few == dict(visits)
    assert min(few.values()) > 0


def test_the_model_gets_its_methods_back_and_a_copy_its_own(policy: Policy, tmp_path: Path) -> None:
    config = OptimConfig(updates=2, batch=2, warmup=0)
    live = LiveTrainer(policy, config, tmp_path, rounds=2, seed=0)
    live.fine_tune(sft_examples(0))
    model = policy.model
    twin = copy.deepcopy(model)
    model.eval()
    twin.train()
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in twin.modules())
    weight = next(twin.parameters())
    weight.grad = torch.zeros_like(weight)
    model.zero_grad()
    assert weight.grad is not None
    twin.zero_grad()
    assert weight.grad is None
    live.close()
    assert {"train", "zero_grad"}.isdisjoint(vars(model))
