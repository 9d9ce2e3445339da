"""What tests of several files need: one torch thread, and a tiny policy of their own."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_models import save_tiny_model

from mstar.agents.policy.policy import Policy


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny LLaVA with random weights."""
    return str(save_tiny_model("llava", tmp_path_factory.mktemp("models") / "llava"))


@pytest.fixture(scope="session")
def loaded(model: str) -> Policy:
    """That model; whoever trains takes ``policy``, a copy."""
    return Policy.load(model, device="cpu")


@pytest.fixture
def policy(loaded: Policy) -> Policy:
    return Policy(copy.deepcopy(loaded.model), loaded.processor)
