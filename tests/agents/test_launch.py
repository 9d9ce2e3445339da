"""Launches with sharding options that a run does not support are refused early."""

from __future__ import annotations

import pytest

from mstar.agents.agent import Agent
from mstar.agents.catalog import agent_class
from mstar.agents.config import Recipe

SERVED = Recipe.of(server="http://localhost:8000", rank="reward", guards="watch")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("FSDP_VERSION", "1"),
        ("FSDP_STATE_DICT_TYPE", "SHARDED_STATE_DICT"),
        ("FSDP_OFFLOAD_PARAMS", "true"),
        ("FSDP_CPU_RAM_EFFICIENT_LOADING", "True"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "true"),
    ],
)
def test_unsupported_fsdp_options_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    Agent.check(Recipe())
    monkeypatch.setenv(name, given)
    with pytest.raises(ValueError, match=f"{name.lower()}: {given}.*launch with fsdp2.yaml"):
        Agent.check(Recipe())
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    Agent.check(Recipe())


def test_deepspeed_needs_a_server_and_one_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(recipe: Recipe) -> None:
        agent_class(recipe.run.agent).check(recipe)

    agents: dict[str, bool] = {"continuous": True, "grpo": True, "rest-em": False}
    check(Recipe())
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    for agent, runs in agents.items():
        recipe = SERVED.replace(agent=agent)
        if runs:
            check(recipe)
        else:
            with pytest.raises(ValueError, match=f"agent '{agent}'. FSDP2 has no such limits"):
                check(recipe)
    for refused in (SERVED.replace(server=""), SERVED.replace(guards="act")):
        with pytest.raises(ValueError, match="under DeepSpeed only its trainer"):
            check(refused)
