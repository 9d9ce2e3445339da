"""What tests of several files need: one torch thread, and a tiny policy of their own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from accelerate.utils import imports
from tiny_models import save_tiny_model

from mstar.agents import agent
from mstar.agents.policy.policy import Policy


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@contextmanager
def packages_looked_up_once() -> Iterator[None]:
    """Look up once whether a package is installed: accelerate reads its metadata every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "_is_package_available", cache(imports._is_package_available))
        yield


@pytest.fixture(autouse=True, scope="session")
def known_packages() -> Iterator[None]:
    with packages_looked_up_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def kept_memory() -> Iterator[None]:
    """Give back no memory: in a process of a thousand tiny runs, looking for it takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "give_back", lambda: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def other_rounding(request: pytest.FixtureRequest) -> Iterator[None]:
    seed = request.config.getoption("--rounding")
    if seed is None:
        yield
        return
    plain = torch.nn.functional.linear

    @cache
    def order(terms: int) -> torch.Tensor:
        return torch.randperm(terms, generator=torch.Generator().manual_seed(seed))

    def linear(given: Any, weight: Any, bias: Any = None) -> torch.Tensor:
        places = order(weight.shape[1])
        return plain(given[..., places], weight[:, places], bias)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "linear", linear)
        yield


@pytest.fixture
def usual_rounding(request: pytest.FixtureRequest) -> None:
    """For tests that compare with another process, or count what torch keeps of a pass."""
    if request.config.getoption("--rounding") is not None:
        pytest.skip("the option --rounding changes this process alone, and what a pass keeps")


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
