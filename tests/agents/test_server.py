"""Sampling by a vLLM server, against a stand-in: the same HTTP, a tiny policy, no NCCL."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from closeness import same_weights, within_rounding
from tiny_runs import Even, agent_of, noise, weights
from vllm_stand_in import StandIn, serving, wire

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.sampling.server import ServerSampler
from mstar.agents.sampling.vllm_client import Server, server_at
from mstar.envs.problem import Prompt
from mstar.experiments.cli.main import main
from mstar.rewards.panel import RewardPanel

NEW = 6  # tokens of a response


@pytest.fixture
def stand_in(loaded: Policy) -> StandIn:
    return StandIn(Policy(copy.deepcopy(loaded.model), loaded.processor))


@pytest.fixture
def exact_tokens(policy: Policy, stand_in: StandIn) -> None:
    """The stand-in answers prompt by prompt and rounds differently; see ``closeness``."""
    for each in (policy, stand_in.policy):
        each.model.double()


@pytest.fixture
def url(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The stand-in's address; TRL's NCCL transfer is replaced by one within this process."""

    wire(monkeypatch, stand_in)
    server_at.cache_clear()
    yield from serving(stand_in)
    server_at.cache_clear()


def questions(count: int = 3) -> list[Prompt]:
    return [Prompt(f"what is {i}? ", (noise(i),), f"key {i}") for i in range(count)]


def server_of(url: str) -> Server:
    return Server(url, pauses=(0.0, 0.0))


@pytest.mark.usefixtures("exact_tokens")
def test_text_and_images_reach_the_server_unchanged(policy: Policy, url: str) -> None:
    sampler = ServerSampler(policy, server_of(url), NEW)
    local = LocalSampler(policy, NEW)
    prompts = [*questions(2), Prompt("only <image> words", (), "text")]
    prompts.append(Prompt("is picture 1 red?", (noise(3),), "placed", ((3, 12),)))
    found = sampler.sample(prompts, 2, 0.0, seed=0)
    expected = local.sample(prompts, 2, 0.0, seed=0)
    for mine, theirs in zip(found, expected, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert (one.text, one.tokens, one.finished) == (
                other.text,
                other.tokens,
                other.finished,
            )
            assert one.logprob == within_rounding(other.logprob)
            assert math.isnan(one.entropy)
            assert math.isnan(one.certainty)
    counted = ("images_encoded", "prompts_prefilled", "prompt_tokens", "tokens_generated")
    for name in (*counted, "responses"):
        assert getattr(sampler, name) == getattr(local, name), name


def test_each_sample_has_the_temperature_that_it_was_given(
    policy: Policy, url: str, stand_in: StandIn
) -> None:
    found = ServerSampler(policy, server_of(url), NEW).sample(
        questions(2), 5, [0.0, 0.7, 0.7, 1.3, 0.0], seed=0
    )
    assert [len(group) for group in found] == [5, 5]
    assert found[0][0] == found[0][4] or found[0][0].tokens == found[0][4].tokens
    heats = sorted((body["temperature"], body["n"]) for body in stand_in.asked)
    assert heats == sorted(2 * [(0.0, 1), (0.7, 2), (1.3, 1), (0.0, 1)])
    for body in stand_in.asked:  # the plain distribution, whatever the checkpoint's defaults are
        assert (body["top_p"], body["top_k"], body["min_p"]) == (1.0, 0, 0.0)
        assert body["repetition_penalty"] == 1.0


def test_seed_key_and_sample_decide_what_is_drawn(policy: Policy, url: str) -> None:
    sampler = ServerSampler(policy, server_of(url), NEW)

    def drawn(prompts: Sequence[Prompt], seed: int) -> list[list[tuple[int, ...]]]:
        return [[r.tokens for r in group] for group in sampler.sample(prompts, 3, 1.0, seed)]

    first = drawn(questions(3), 0)
    assert drawn(questions(3)[::-1], 0)[::-1] == first
    assert drawn(questions(3), 1) != first
    assert len({tokens for group in first for tokens in group}) == 9
    assert sampler.sample([], 3, 1.0, 0) == []
    assert drawn(questions(3)[:1], 0) == first[:1]


@pytest.mark.usefixtures("exact_tokens")
@pytest.mark.parametrize(
    ("lora_rank", "way"), [(0, "nccl"), (2, "nccl"), (0, "folder"), (2, "folder")]
)
def test_the_server_receives_the_weights_before_it_samples(
    policy: Policy, url: str, stand_in: StandIn, lora_rank: int, way: str, tmp_path: Path
) -> None:
    if lora_rank:
        policy = policy.with_lora(lora_rank)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in policy.model.parameters():
            weight += 0.05 * torch.randn_like(weight)
    before = weights(policy)
    sampler = ServerSampler(policy, server_of(url), NEW, way, str(tmp_path))
    found = sampler.sample(questions(3), 1, 0.0, seed=0)
    expected = LocalSampler(policy, NEW).sample(questions(3), 1, 0.0, seed=0)
    assert [group[0].tokens for group in found] == [group[0].tokens for group in expected]
    update = ["/start_weight_update", "/update_weights", "/finish_weight_update"]
    update = update if way == "nccl" else ["/collective_rpc"]
    # What it had computed of prompts and images with older weights is dropped.
    update += ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"]
    assert stand_in.paths[: len(update)] == update
    after = weights(policy)
    assert same_weights(after, before)  # LoRA is merged on the way, and exactly undone
    sampler.sample(questions(3), 1, 1.0, seed=0)
    assert stand_in.paths.count(update[0]) == 1, "weights are sent only when they have changed"
    if not lora_rank:
        received = weights(stand_in.policy)
        for name, weight in after.items():  # a folder is read as float32
            torch.testing.assert_close(received[name].float(), weight.float(), rtol=0, atol=0)


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_an_agent_learns_with_a_server_that_receives_its_weights(
    policy: Policy, url: str, stand_in: StandIn, tmp_path: Path, agent: str
) -> None:
    before = weights(policy)
    rates = {"learning_rate": 1e-2, "online_learning_rate": 1e-2, "warmup": 0}
    changes = {"agent": agent, "rounds": 2, "prompts": 2, "samples": 4, "minibatches": 4, **rates}
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), server=url, **changes)
    rounds = list(learner.learn())
    learner.close()
    assert [done.number for done in rounds] == [0, 1, 2]
    assert not same_weights(weights(policy), before)
    assert same_weights(weights(stand_in.policy), weights(policy))  # measured as it was left
    assert rounds[-1].cost.responses > 0
    assert {r.version for r in rounds[2].rollouts} == {1}


@pytest.mark.usefixtures("exact_tokens")
def test_a_server_with_other_weights_is_refused(
    policy: Policy, url: str, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = ServerSampler(policy, server_of(url), NEW)
    sampler.sample(questions(2), 1, 1.0, seed=0)
    monkeypatch.setattr(stand_in.policy.__class__, "set_weights", lambda *_: None)  # none arrive
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    with pytest.raises(
        ValueError, match=r"log-probability -.* and the policy -.*weights did not arrive"
    ):
        sampler.sample(questions(2), 1, 1.0, seed=0)


def test_a_server_that_reads_prompts_otherwise_is_refused(
    policy: Policy, url: str, stand_in: StandIn
) -> None:
    template = policy.processor.chat_template
    stand_in.policy = Policy(stand_in.policy.model, copy.deepcopy(policy.processor))
    stand_in.policy.processor.chat_template = template + "!"
    with pytest.raises(ValueError, match=r"reads the prompt 'what is 0\? ' as \d+ tokens"):
        ServerSampler(policy, server_of(url), NEW).sample(questions(1), 1, 1.0, seed=0)


def test_requests_to_a_busy_server_are_retried(policy: Policy, url: str, stand_in: StandIn) -> None:
    sampler = ServerSampler(policy, server_of(url), NEW)
    stand_in.failures += [503, 500]
    assert len(sampler.sample(questions(1), 1, 1.0, seed=0)[0]) == 1
    stand_in.failures += [503] * 3
    with pytest.raises(ConnectionError, match="answered 503 to /v1/chat"):
        sampler.sample(questions(1), 1, 1.0, seed=0)


def test_a_refused_request_is_not_retried(policy: Policy, url: str, stand_in: StandIn) -> None:
    sampler = ServerSampler(policy, server_of(url), NEW)
    stand_in.failures += [400]
    with pytest.raises(ConnectionError, match=r"answered 400 to .*not now"):
        sampler.sample(questions(1), 1, 1.0, seed=0)
    assert stand_in.paths == ["/start_weight_update"]


def test_fewer_responses_than_requested_are_an_error_and_not_wrong_answers(
    policy: Policy, url: str, stand_in: StandIn
) -> None:
    stand_in.short = 1
    with pytest.raises(ConnectionError, match=r"asked for 4 responses .* and returned 3"):
        ServerSampler(policy, server_of(url), NEW).sample(questions(1), 4, 1.0, seed=0)


def test_without_a_server_the_error_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("mstar.agents.sampling.vllm_client.time.sleep", waited.append)
    nobody = "http://127.0.0.1:9"  # the port of discard, where nothing listens
    words = ["train", "smoke", "--server", nobody, "--rank", "reward"]
    words += ["--out", str(tmp_path / "run")]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert f"mstar: no vLLM server can be reached at {nobody}" in told
    assert "VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config" in told
    assert waited == [1.0, 2.0, 4.0, 8.0]


def test_log_probabilities_of_another_temperature_are_refused(url: str, stand_in: StandIn) -> None:
    stand_in.logprobs_mode = "processed_logprobs"
    with pytest.raises(ValueError, match="start it with --logprobs-mode raw_logprobs"):
        Server(url)


def test_weights_need_a_gpu_and_vllm_on_this_side(stand_in: StandIn) -> None:
    for url in serving(stand_in):
        with pytest.raises(
            ValueError, match=r"the policy is on cpu: .*give --weight-transfer folder"
        ):
            Server(url).join(torch.device("cpu"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"server": "localhost:8000", "rank": "reward"},
            "an address such as http://localhost:8000",
        ),
        ({"server": "http://localhost:8000"}, "give another --rank, such as reward"),
        ({"engine": "vllm"}, "give another --rank, such as reward"),
        ({"engine": "server"}, "give the engine 'server' an address"),
        ({"engine": "vlm"}, "unknown engine 'vlm'; did you mean 'vllm'"),
    ],
)
def test_a_recipe_with_a_server_is_checked(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe.of(**changes)
