"""A launch that would cut the weights in a way that the run cannot go on with is refused early."""

from __future__ import annotations

import pytest

from mstar.agents.config import AgentName, Recipe
from mstar.agents.policy.launch import check_launch
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.catalog import sampler_of

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
def test_fsdp_is_as_a_run_needs_it(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    sampler_of(policy, Recipe())
    monkeypatch.setenv(name, given)
    with pytest.raises(ValueError, match=f"{name.lower()}: {given}.*launch with fsdp2.yaml"):
        sampler_of(policy, Recipe())
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    sampler_of(policy, Recipe())


def test_deepspeed_needs_a_server_and_one_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    agents: dict[AgentName, bool] = {"continuous": True, "grpo": True, "rest-em": False}
    check_launch(Recipe())
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    for agent, runs in agents.items():
        recipe = SERVED.replace(agent=agent)
        if runs:
            check_launch(recipe)
        else:
            with pytest.raises(ValueError, match=f"agent '{agent}'. FSDP2 has no such limits"):
                check_launch(recipe)
    for refused in (SERVED.replace(server=""), SERVED.replace(guards="act")):
        with pytest.raises(ValueError, match="DeepSpeed keeps the weights to itself"):
            check_launch(refused)
