"""Decoding in fixed buffers gives what decoding in growing ones does, with and without graphs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from closeness import double_precision, within_rounding
from PIL import Image
from tiny_models import save_tiny_model

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling import fixed_decoding
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.drawing import BLOCK, draw_tokens, inverse_of_cumulative
from mstar.agents.sampling.fixed_decoding import Room
from mstar.agents.sampling.graphs import StepGraphs
from mstar.agents.sampling.local import Draw, LocalSampler
from mstar.envs.problem import Prompt

NEW = 28  # tokens
Load = Callable[[str], Policy]
Rows = list[list[Response]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """A tiny policy in double precision, of which about every 12th token ends a response."""
    read: dict[str, Policy] = {}

    def loaded(name: str) -> Policy:
        if name not in read:
            folder = save_tiny_model(name, tmp_path_factory.mktemp(name))  # type: ignore[arg-type]
            read[name] = Policy.load(str(folder), device="cpu")
        policy = Policy(copy.deepcopy(read[name].model), read[name].processor)
        vocabulary = policy.network.config.get_text_config().vocab_size
        policy.network.generation_config.eos_token_id = list(range(0, vocabulary, 12))
        return policy

    with double_precision():
        yield loaded


def questions(count: int = 4) -> list[Prompt]:
    """Prompts of different lengths, with 0 to 2 images of different sizes."""
    rng = np.random.default_rng(0)
    return [
        Prompt(
            "how many? " * (1 + 2 * i % 5),
            tuple(
                Image.fromarray(rng.integers(0, 255, (40 + 20 * i, 40, 3), dtype=np.uint8))
                for _ in range((i + 1) % 3)
            ),
            f"question {i}",
        )
        for i in range(count)
    ]


def both(
    policy: Policy,
    prompts: Sequence[Prompt],
    samples: Any,
    temperature: Any,
    ladder: Sequence[float] = (),
) -> tuple[Rows, Rows]:
    """Responses out of growing and out of fixed buffers."""
    found = []
    for fixed in (False, True):
        sampler = LocalSampler(policy, NEW)
        sampler.fixed_buffers = fixed
        sampler.record_ladder(ladder)
        found.append(sampler.sample(prompts, samples, temperature, seed=3))
    return found[0], found[1]


def assert_same(expected: Rows, found: Rows) -> None:
    """The same tokens, and the same statistics up to rounding."""
    assert [len(group) for group in found] == [len(group) for group in expected]
    pairs = zip(chain.from_iterable(expected), chain.from_iterable(found), strict=True)
    for plain, fixed in pairs:
        assert (fixed.tokens, fixed.finished) == (plain.tokens, plain.finished)
        assert fixed.ladder.keys() == plain.ladder.keys()
        for name in ("logprob", "entropy", "certainty"):
            assert getattr(fixed, name) == within_rounding(getattr(plain, name))
        for temperature, total in plain.ladder.items():
            assert fixed.ladder[temperature] == within_rounding(total)


@pytest.fixture
def short_buckets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Buckets of 8 tokens and more, and the rows and lengths that are decoded."""
    monkeypatch.setattr(fixed_decoding, "LENGTH", 8)
    seen: list[tuple[int, int]] = []
    run = StepGraphs.run

    def noted(self: StepGraphs, key: Any, step: Callable[[], None]) -> None:
        seen.append(key)
        run(self, key, step)

    monkeypatch.setattr(StepGraphs, "run", noted)
    return seen


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
def test_fixed_buffers_change_neither_tokens_nor_statistics(
    load: Load, name: str, short_buckets: list[tuple[int, int]]
) -> None:
    assert_same(*both(load(name), questions(), 8, 1.0))
    rows, lengths = zip(*dict.fromkeys(short_buckets), strict=True)
    assert rows[0] == 32
    assert rows[-1] < 32  # ended responses have left
    assert lengths[0] == 8
    assert lengths[-1] > 16  # three buckets of lengths


@pytest.mark.parametrize(
    ("samples", "temperature", "ladder"),
    [
        ([1, 7, 0, 3], 1.0, ()),
        (4, [0.0, 0.7, 1.0, 1.6], ()),
        (2, [0.0, 0.0], ()),
        (3, [0.0, 1.0, 1.3], (0.5, 1.0, 1.6)),
    ],
)
def test_uneven_groups_temperatures_and_ladders_are_the_same_in_fixed_buffers(
    load: Load, samples: Any, temperature: Any, ladder: tuple[float, ...]
) -> None:
    assert_same(*both(load("llava"), questions(), samples, temperature, ladder))


def test_one_prompt_may_have_all_responses_of_a_batch(load: Load) -> None:
    assert_same(*both(load("qwen2_5_vl"), questions(1), 40, 1.0))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's
def test_lora_is_sampled_from_in_fixed_buffers(load: Load) -> None:
    policy = load("llava").with_lora(4)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    assert_same(*both(policy, questions(2), 4, 1.0))


def test_buffers_are_used_again_and_freed_at_the_end(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    create = fixed_decoding.FixedBatch.__init__
    monkeypatch.setattr(
        fixed_decoding.FixedBatch,
        "__init__",
        lambda self, *given: (made.append(self), create(self, *given))[1],
    )
    sampler = LocalSampler(load("llava"), NEW, batch_rows=8)
    sampler.fixed_buffers = True
    long = Prompt("how many? " * 40, (), "long")
    prompts = [questions(2)[1], long] + [Prompt("how many?", (), f"{i}") for i in range(4)]
    found = sampler.sample(prompts, 4, 1.0, seed=3)
    plain = LocalSampler(sampler.policy, NEW, batch_rows=8).sample(prompts, 4, 1.0, seed=3)
    assert_same(plain, found)
    (used,) = made  # the first group has the prompt with an image and the long one
    assert used.shape.prompt_length > 64
    assert sampler._fixed._batch is None


@pytest.mark.parametrize("samples", [1, 4, [2, 5, 1, 0]])
def test_responses_that_wait_take_the_rows_of_those_that_ended(
    load: Load, short_buckets: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch, samples: Any
) -> None:
    monkeypatch.setattr(fixed_decoding, "ASK_EVERY", 2)
    prompts = questions(12)
    counts = samples * 3 if isinstance(samples, list) else [samples] * 12
    sampler = LocalSampler(load("llava"), NEW, batch_rows=8)
    expected = sampler.sample(prompts, counts, 1.0, seed=3)
    sampler.reset_counts()
    sampler.fixed_buffers = True
    for batch in sampler.batches(prompts, counts):  # each on its own
        sampler.sample([prompts[i] for i in batch], [counts[i] for i in batch], 1.0, seed=3)
    alone, responses = len(short_buckets), sampler.responses
    found = sampler.sample(prompts, counts, 1.0, seed=3)
    assert_same(expected, found)
    assert sampler.responses == 2 * responses
    assert responses == sum(counts)
    assert {rows for rows, _ in short_buckets} == {8}
    assert len(short_buckets) - alone < 0.8 * alone


def test_a_group_that_is_too_long_for_the_buffers_waits_for_its_own(load: Load) -> None:
    policy = load("llava")
    sampler = LocalSampler(policy, NEW, batch_rows=8)
    prompts = [Prompt("how many? " * count, (), str(count)) for count in (1, 2, 60, 3)]
    expected = sampler.sample(prompts, 4, 1.0, seed=3)
    sampler.fixed_buffers = True
    draws = [
        Draw(0, 1.0, sampler.uniforms(3, prompt.key, sample))
        for prompt in prompts
        for sample in range(4)
    ]
    with torch.no_grad(), sampler.ready():
        groups = (
            (sampler.prefill([prompt]), draws[4 * i : 4 * i + 4])
            for i, prompt in enumerate(prompts)
        )
        found = list(sampler.decode(groups, Room.of([[(0, 1.0)] * 4] * 4, 8)))
    assert_same(expected, found)


def test_layers_that_forget_are_decoded_in_growing_buffers(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed_decoding.FixedDecoder, "decode", None)
    plain, fixed = both(load("llava_window"), questions(2), 2, 1.0)
    assert fixed == plain


def test_a_token_is_drawn_where_the_cumulative_distribution_passes_the_number() -> None:
    for vocabulary in (7, BLOCK, 3 * BLOCK, 3 * BLOCK + 5):
        probabilities = torch.rand(200, vocabulary, generator=torch.manual_seed(vocabulary))
        probabilities[:, ::3] = 0.0  # never drawn
        probabilities /= probabilities.sum(-1, keepdim=True)
        uniforms = torch.linspace(0, 1, 201, dtype=torch.float64)[:-1]
        bounds = probabilities.double().cumsum(-1)
        drawn = inverse_of_cumulative(probabilities, uniforms)
        rows = torch.arange(200)
        assert (probabilities[rows, drawn] > 0).all()
        target = uniforms * bounds[:, -1]
        assert (bounds[rows, drawn] >= target - 1e-6).all()
        assert (bounds[rows, drawn] - probabilities[rows, drawn] <= target + 1e-6).all()


def test_a_draw_does_not_depend_on_the_rows_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.manual_seed(0)
    logits, uniforms = torch.randn(11, 300, generator=generator), torch.rand(11).double()
    temperatures = torch.tensor([0.0, 1.0, 0.5] * 3 + [1.0, 2.0])
    asked = logits, temperatures, uniforms, (0.5,)
    together = draw_tokens(*asked, greedy=True, tempered=True)
    monkeypatch.setattr("mstar.agents.sampling.drawing.ROWS", 4)
    apart = draw_tokens(*asked, greedy=True, tempered=True)
    assert torch.equal(apart[0], together[0])
    torch.testing.assert_close(apart[1], together[1])


def test_steps_that_are_not_captured_are_run_each_time() -> None:
    graphs, ran = StepGraphs(torch.device("cpu")), []
    for key in ("a", "b", "a", "a"):
        graphs.run(key, lambda key=key: ran.append(key))  # type: ignore[misc]
    assert ran == ["a", "b", "a", "a"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
def test_graphs_replay_what_is_run_eagerly(
    load: Load, name: str, short_buckets: list[tuple[int, int]]
) -> None:
    policy = load(name)
    policy.model.to("cuda")
    graphed = LocalSampler(policy, NEW)
    assert graphed.fixed_buffers
    found = graphed.sample(questions(), 8, 1.0, seed=3)
    assert graphed._fixed._graphs is not None
    assert graphed._fixed._graphs.capturing
    eager = LocalSampler(policy, NEW)
    eager.fixed_buffers = False
    assert_same(eager.sample(questions(), 8, 1.0, seed=3), found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_a_model_that_waits_for_the_gpu_is_sampled_eagerly_with_a_warning(load: Load) -> None:
    policy = load("llava")
    policy.model.to("cuda")
    expected = LocalSampler(policy, NEW).sample(questions(2), 4, 1.0, seed=3)
    policy.network.lm_head.register_forward_hook(
        lambda module, given, out: out.sum().item() and None
    )
    sampler = LocalSampler(policy, NEW)
    with pytest.warns(UserWarning, match="cannot be captured"):
        found = sampler.sample(questions(2), 4, 1.0, seed=3)
    assert_same(expected, found)
