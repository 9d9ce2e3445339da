"""vLLM itself, in this process; skipped where it is not installed, for it takes 4 GB."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_architectures
import torch
from tiny_runs import noise

from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.colocated import ColocatedSampler
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.problem import Prompt

pytest.importorskip("vllm", reason="needs vLLM: pip install 'mstar-rl[vllm]'")

NEW = 12  # tokens of a response
FAMILIES = ("embedded", "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3")
PROMPTS = [
    Prompt("How many bars are red?", (noise(0),), "one"),
    Prompt("What do both show?", (noise(1), noise(2)), "two"),
    Prompt("What is 3 + 4?", (), "none"),
]


@pytest.fixture(params=FAMILIES)
def policy(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Policy:
    """A policy from a folder that ``Policy.save`` wrote, which is the one that vLLM reads."""
    if request.param == "embedded":
        return Policy.load(str(EMBEDDED), device="cpu")
    # vLLM's attention on CPUs takes heads of a width of 32 and more.
    monkeypatch.setattr(tiny_architectures, "WIDTH", 128)
    monkeypatch.setattr(tiny_architectures, "SECTIONS", [4, 6, 6])
    monkeypatch.setitem(tiny_architectures.MROPE, "mrope_section", [4, 6, 6])
    monkeypatch.setitem(tiny_architectures.QWEN3_TOWER, "out_hidden_size", 128)
    base = tiny_architectures.save_architecture(request.param, tmp_path / "base")
    Policy.load(str(base), device="cpu").save(tmp_path / "saved")
    return Policy.load(str(tmp_path / "saved"), device="cpu")


def test_vllm_answers_as_the_policy_does_before_and_after_it_has_learned(policy: Policy) -> None:
    vllm = ColocatedSampler(policy, NEW, rows=8, gpu_memory=0.4)
    for _ in range(2):
        found = vllm.sample(PROMPTS, 1, 0.0, seed=0)
        expected = LocalSampler(policy, NEW).sample(PROMPTS, 1, 0.0, seed=0)
        for (ours,), (theirs,) in zip(expected, found, strict=True):
            assert theirs.tokens == ours.tokens
            assert theirs.logprob == pytest.approx(ours.logprob, abs=1e-3)
        with torch.no_grad():
            for name, weight in policy.model.named_parameters():
                # On CPUs vLLM keeps old weights of an output layer that is tied to the embeddings.
                if "layers" in name and weight.ndim == 2:
                    weight += 0.01 * torch.randn_like(weight)
