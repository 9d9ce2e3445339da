"""The local sampler equals plain ``generate``, for a fraction of the work."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bfloat16 import needs_bfloat16
from closeness import double_precision, within_rounding
from PIL import Image
from tiny_models import ARCHITECTURES, save_tiny_model

from mstar.agents.policy.forward import evaluating
from mstar.agents.policy.merging import merged
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.decoding import prefill
from mstar.agents.sampling.likelihood import log_probabilities
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.sampling.prefix_cache import SharedPrompts
from mstar.envs.problem import Prompt

NEW = 16  # tokens
Load = Callable[..., Policy]


@pytest.fixture(scope="module", autouse=True)
def exact_tokens() -> Iterator[None]:
    """The sampler and ``generate`` round differently; see ``closeness``."""
    with double_precision():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: save_tiny_model(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def load(folders: dict[str, Path]) -> Load:
    read: dict[str, Policy] = {}

    def loaded(name: str, attention: str = "sdpa", **options: Any) -> Policy:
        key = f"{name} {options}"
        if key not in read:
            read[key] = Policy.load(str(folders[name]), device="cpu", **options)
        policy = Policy(copy.deepcopy(read[key].model), read[key].processor)
        policy.network.set_attn_implementation(attention)
        if attention == "eager":  # it masks with the lowest float64, for a softmax in float32
            policy.model.float()
        return policy

    return loaded


@pytest.fixture(scope="module")
def llava(load: Load) -> Policy:
    return load("llava")


def picture(seed: int, width: int = 40, height: int = 40) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def questions(count: int = 4, most_images: int = 2) -> list[Prompt]:
    """Prompts of different lengths, with 0 to `most_images` images of different sizes."""
    return [
        Prompt(
            "how many? " * (1 + 2 * i % 5),
            tuple(picture(10 * i + j, 40 + 20 * i) for j in range((i + 1) % (most_images + 1))),
            f"question {i}",
        )
        for i in range(count)
    ]


def generated(policy: Policy, prompt: Prompt) -> tuple[int, ...]:
    """The greedy response of plain ``generate`` to one prompt."""
    encoded = policy.encode([prompt])
    written = policy.model.generate(**encoded, max_new_tokens=NEW, do_sample=False)
    return tuple(written[0, encoded["input_ids"].shape[1] :].tolist())


def assert_greedy(policy: Policy, prompts: list[Prompt], found: list[list[Response]]) -> None:
    """No token is likelier than one that was written, by more than rounding."""
    for prompt, group in zip(prompts, found, strict=True):
        for response in group:
            logs = whole_text(policy, prompt, response.tokens)
            written = logs.gather(-1, torch.tensor(response.tokens)[:, None])[:, 0]
            assert written.tolist() == within_rounding(logs.max(-1).values.tolist())
            assert response.finished or len(response.tokens) == NEW


def tokens(found: list[list[Response]]) -> list[list[tuple[int, ...]]]:
    return [[response.tokens for response in group] for group in found]


def ending_early(policy: Policy, share: float) -> Policy:
    """The policy with a share of its tokens made end tokens: responses stop after 1 / share."""
    vocabulary = policy.network.config.get_text_config().vocab_size
    policy.network.generation_config.eos_token_id = list(range(0, vocabulary, round(1 / share)))
    return policy


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_samples_equal_those_of_generate(load: Load, name: str, attention: str) -> None:
    policy = load(name, attention)
    prompts = questions()
    found = LocalSampler(policy, NEW).sample(prompts, 3, 0.0, seed=0)
    assert_greedy(policy, prompts, found)
    if attention == "sdpa":
        assert tokens(found) == [[generated(policy, prompt)] * 3 for prompt in prompts]
    assert len({response.tokens for group in found for response in group}) == len(prompts)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_samples_of_different_lengths_equal_those_of_generate(load: Load, name: str) -> None:
    policy = ending_early(load(name), 1 / 8)
    prompts = questions(8)
    found = LocalSampler(policy, NEW).sample(prompts, 2, 0.0, seed=0)
    assert tokens(found) == [[generated(policy, prompt)] * 2 for prompt in prompts]
    assert len({len(group[0].tokens) for group in found}) > 3


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_draws_do_not_depend_on_batches_order_or_other_samples(load: Load, name: str) -> None:
    policy = ending_early(load(name), 1 / 10)
    prompts = questions()
    together = tokens(LocalSampler(policy, NEW, batch_rows=64).sample(prompts, 6, 1.2, seed=3))
    apart = tokens(LocalSampler(policy, NEW, batch_rows=4).sample(prompts[::-1], 6, 1.2, seed=3))
    fewer = tokens(LocalSampler(policy, NEW).sample(prompts[:2], [2, 5], 1.2, seed=3))
    assert apart[::-1] == together
    assert fewer == [together[0][:2], together[1][:5]]


def test_seed_key_and_sample_change_the_draw(llava: Policy) -> None:
    sampler = LocalSampler(llava, NEW)
    prompt = questions()[0]
    renamed = Prompt(prompt.text, prompt.images, "another key")
    (first,) = tokens(sampler.sample([prompt], 2, 1.0, seed=0))
    (again,) = tokens(sampler.sample([prompt], 2, 1.0, seed=0))
    (other_seed,) = tokens(sampler.sample([prompt], 2, 1.0, seed=1))
    (other_key,) = tokens(sampler.sample([renamed], 2, 1.0, seed=0))
    assert again == first
    assert len({first[0], first[1], other_seed[0], other_key[0]}) == 4


def test_every_image_is_encoded_once_and_every_prompt_prefilled_once(llava: Policy) -> None:
    seen = {"images": 0, "prompts": 0}

    def tower(module: Any, inputs: Any, named: Any) -> None:
        seen["images"] += len(inputs[0] if inputs else named["pixel_values"])

    def text(module: Any, inputs: Any, named: Any) -> None:
        rows, length = named["inputs_embeds"].shape[:2]
        seen["prompts"] += rows if length > 1 else 0

    network = llava.network.model
    hooks = [
        network.vision_tower.register_forward_pre_hook(tower, with_kwargs=True),
        network.language_model.register_forward_pre_hook(text, with_kwargs=True),
    ]
    sampler = LocalSampler(llava, NEW, batch_rows=8)
    prompts = questions()
    found = sampler.sample(prompts, 12, 1.0, seed=0)
    for hook in hooks:
        hook.remove()
    images = sum(len(prompt.images) for prompt in prompts)
    assert seen == {"images": images, "prompts": len(prompts)}
    assert (sampler.images_encoded, sampler.prompts_prefilled) == (images, len(prompts))
    assert sampler.responses == 12 * len(prompts)
    assert sampler.tokens_generated == sum(len(r.tokens) for group in found for r in group)
    lengths = [len(llava.encode([prompt])["input_ids"][0]) for prompt in prompts]
    assert sampler.prompt_tokens == sum(lengths)
    sampler.reset_counts()
    assert sampler.responses == sampler.prompt_tokens == 0


def test_each_sample_has_its_own_temperature(llava: Policy) -> None:
    sampler = LocalSampler(llava, NEW)
    prompts = questions(3)
    swept = tokens(sampler.sample(prompts, 4, [0.0, 0.7, 1.0, 0.0], seed=0))
    assert sampler.prompts_prefilled == 3
    assert [[group[0], group[3]] for group in swept] == [
        [generated(llava, prompt)] * 2 for prompt in prompts
    ]
    for place, temperature in ((1, 0.7), (2, 1.0)):
        alone = tokens(sampler.sample(prompts, 4, temperature, seed=0))
        assert [group[place] for group in swept] == [group[place] for group in alone]


def test_prompts_may_ask_for_different_numbers_of_samples(llava: Policy) -> None:
    sampler = LocalSampler(llava, NEW)
    found = sampler.sample(questions(4), [3, 0, 1, 7], 1.0, seed=0)
    assert [len(group) for group in found] == [3, 0, 1, 7]
    assert sampler.prompts_prefilled == 3


def test_draws_follow_the_distribution_of_the_policy(llava: Policy) -> None:
    prompt, temperature, samples = questions()[0], 0.8, 4000
    with torch.no_grad():
        logits = llava.model(**llava.encode([prompt])).logits[0, -1]
    expected = (logits / temperature).softmax(-1).numpy()
    (group,) = LocalSampler(llava, 1, batch_rows=500).sample([prompt], samples, temperature, 0)
    counts = np.bincount([response.tokens[0] for response in group], minlength=len(expected))
    # 5 standard deviations of a binomial count, on each token of the vocabulary.
    spread = np.sqrt(samples * expected * (1 - expected))
    assert (np.abs(counts - samples * expected) <= 5 * spread + 1).all()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_statistics_equal_those_of_a_forward_pass_over_the_whole_text(
    load: Load, name: str
) -> None:
    policy = ending_early(load(name), 1 / 8)
    prompts = questions()
    found = LocalSampler(policy, NEW).sample(prompts, 3, 1.3, seed=1)
    asked = [prompt for prompt in prompts for _ in range(3)]
    flat = [response for group in found for response in group]
    expected = log_probabilities(policy, asked, flat, batch_rows=7)
    assert [r.logprob for r in flat] == within_rounding(expected)
    for prompt, response in zip(asked[::4], flat[::4], strict=True):
        logs = whole_text(policy, prompt, response.tokens)
        chosen = float(logs.gather(-1, torch.tensor(response.tokens)[:, None]).sum())
        entropy = float(-(logs.exp() * logs).sum(-1).mean())
        certainty = float((-np.log(logs.shape[-1]) - logs).mean())
        measured = (response.logprob, response.entropy, response.certainty)
        assert measured == within_rounding((chosen, entropy, certainty))


def test_a_ladder_holds_the_log_probabilities_at_its_temperatures(load: Load) -> None:
    policy, prompts = ending_early(load("llava"), 1 / 8), questions()[:3]
    plain, sampler = LocalSampler(policy, NEW), LocalSampler(policy, NEW)
    sampler.record_ladder((0.5, 1.0, 1.6))
    asked = prompts, 3, [0.0, 0.7, 1.6], 1
    for prompt, group, same in zip(
        prompts, sampler.sample(*asked), plain.sample(*asked), strict=True
    ):
        assert [r.tokens for r in group] == [r.tokens for r in same]
        assert not any(r.ladder for r in same)
        assert [sorted(r.ladder) for r in group] == [
            [0.5, 1.0, 1.6],
            [0.5, 0.7, 1.0, 1.6],
            [0.5, 1.0, 1.6],
        ]
        for response in group:
            logs = whole_text(policy, prompt, response.tokens)
            chosen = torch.tensor(response.tokens)[:, None]
            for temperature, found in response.ladder.items():
                expected = (logs / temperature).log_softmax(-1).gather(-1, chosen).sum()
                assert found == within_rounding(float(expected))
            assert response.ladder[1.0] == within_rounding(response.logprob)


def whole_text(policy: Policy, prompt: Prompt, written: tuple[int, ...]) -> torch.Tensor:
    """Log-probabilities (T, V) at each generated token, without a cache."""
    encoded = dict(policy.encode([prompt]))
    new = torch.tensor([written])
    for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
        if name in encoded:
            more = new if name == "input_ids" else torch.full_like(new, name == "attention_mask")
            encoded[name] = torch.cat([encoded[name], more.to(encoded[name])], dim=1)
    with torch.no_grad():
        logits = policy.model(**encoded).logits[0, -len(written) - 1 : -1]
    return logits.log_softmax(-1)


def test_another_image_changes_the_log_probability(llava: Policy) -> None:
    prompt = questions()[0]
    (group,) = LocalSampler(llava, NEW).sample([prompt], 2, 1.0, seed=0)
    swapped = Prompt(prompt.text, (picture(99),), prompt.key)
    own = log_probabilities(llava, [prompt] * 2, group)
    other = log_probabilities(llava, [swapped] * 2, group)
    assert min(abs(a - b) for a, b in zip(own, other, strict=True)) > 0.1


def test_a_response_holds_the_end_token_but_its_text_does_not(llava: Policy) -> None:
    prompts = questions(8)
    found = LocalSampler(llava, 60).sample(prompts, 8, 1.0, seed=0)
    end = llava.processor.tokenizer.eos_token_id
    ended = [r for group in found for r in group if r.finished]
    cut = [r for group in found for r in group if not r.finished]
    assert ended
    assert cut
    assert all(r.tokens[-1] == end and r.tokens.count(end) == 1 for r in ended)
    assert all(end not in r.tokens and len(r.tokens) == 60 for r in cut)
    assert not any("<eos>" in r.text for r in ended)


def test_dropping_finished_rows_does_not_change_results(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("llava", "qwen2_vl", "llava_window"):
        policy = ending_early(load(name), 1 / 8)
        monkeypatch.setattr("mstar.agents.sampling.decoding.COMPACT_AT", 0.0)
        never = LocalSampler(policy, NEW).sample(questions(), 6, 1.0, seed=0)
        monkeypatch.setattr("mstar.agents.sampling.decoding.COMPACT_AT", 1.0)
        always = LocalSampler(policy, NEW).sample(questions(), 6, 1.0, seed=0)
        assert tokens(always) == tokens(never)
    copying = ending_early(load("qwen2_vl", "eager"), 1 / 8)
    assert_greedy(copying, questions(), LocalSampler(copying, NEW).sample(questions(), 2, 0.0, 0))


def test_a_long_response_outgrows_the_first_block_of_the_cache(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mstar.agents.sampling.prefix_cache.BLOCK", 5)
    for attention in ("sdpa", "eager"):
        policy = load("llava", attention)
        (prompt, *_) = questions()
        found = LocalSampler(policy, NEW).sample([prompt], 2, 0.0, seed=0)
        assert_greedy(policy, [prompt], found)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's
def test_lora_is_sampled_from_and_loads_from_its_folder(
    load: Load, folders: dict[str, Path], tmp_path: Path
) -> None:
    plain = load("llava")
    prompts = questions(3)
    before = tokens(LocalSampler(plain, NEW).sample(prompts, 2, 0.0, seed=0))
    policy = plain.with_lora(4)
    assert tokens(LocalSampler(policy, NEW).sample(prompts, 2, 0.0, seed=0)) == before
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    moved = tokens(LocalSampler(policy, NEW).sample(prompts, 2, 0.0, seed=0))
    assert moved == [[generated(policy, prompt)] * 2 for prompt in prompts]
    assert moved != before
    assert not any("vision" in n for n, w in policy.model.named_parameters() if w.requires_grad)
    policy.save(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    for loaded in (
        Policy.load(str(tmp_path / "adapter"), device="cpu"),
        load("llava", adapter=str(tmp_path / "adapter")),
    ):
        assert tokens(LocalSampler(loaded, NEW).sample(prompts, 2, 0.0, seed=0)) == moved


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=needs_bfloat16)])
def test_merging_is_undone_to_the_bit(load: Load, dtype: str) -> None:
    policy = load("llava", dtype=dtype).with_lora(4)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    before = {name: weight.clone() for name, weight in policy.model.state_dict().items()}
    places = [weight.data_ptr() for weight in policy.model.parameters()]
    merged_name = next(name for name in before if name.endswith("base_layer.weight"))
    encoded = policy.encode(questions(2))
    with torch.no_grad(), evaluating(policy.model):
        apart = policy.model(**encoded).logits
        with merged(policy.model):
            together = policy.model(**encoded).logits
            weight = policy.model.state_dict()[merged_name].clone()
            assert [each.data_ptr() for each in policy.model.parameters()] == places
        again = policy.model(**encoded).logits
    assert not torch.equal(weight, before[merged_name])
    if dtype == "float32":
        torch.testing.assert_close(together, apart)
    assert torch.equal(again, apart)
    after = policy.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_saved_policy_loads_unchanged(load: Load, name: str, tmp_path: Path) -> None:
    policy = load(name)
    policy.save(tmp_path)
    again = Policy.load(str(tmp_path), device="cpu")
    prompts = questions(2)
    found = [LocalSampler(p, 8).sample(prompts, 1, 1.0, seed=0) for p in (policy, again)]
    assert found[0] == found[1]


@needs_bfloat16
def test_a_model_in_half_precision_is_sampled_from(load: Load) -> None:
    policy = load("llava", dtype="bfloat16")
    found = LocalSampler(policy, NEW).sample(questions(3), 4, 1.0, seed=0)
    assert all(np.isfinite([r.logprob, r.entropy, r.certainty]).all() for g in found for r in g)


def test_sampling_leaves_a_model_in_training_mode(load: Load) -> None:
    policy = load("llava")
    policy.model.train()
    LocalSampler(policy, 2).sample(questions(1), 1, 1.0, seed=0)
    assert policy.model.training


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a folder with a config"):
        Policy.load(str(tmp_path / "nothing"))


def test_a_text_only_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="is a 'llama', which does not read images"):
        Policy.load(str(tmp_path))


def test_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["llava"].iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="no weights in safetensors"):
        Policy.load(str(tmp_path))


@pytest.mark.parametrize(
    ("samples", "temperature", "message"),
    [
        ([1, 2], 1.0, "samples is \\[1, 2\\] for 3 prompts"),
        (-1, 1.0, "0 or more"),
        (3, [1.0, 0.5], "2 temperatures were given for 3 samples"),
        (1, -0.5, "temperature is -0.5"),
        (1, float("nan"), "temperature is nan"),
    ],
)
def test_invalid_samples_and_temperatures_are_refused(
    llava: Policy, samples: Any, temperature: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LocalSampler(llava, 4).sample(questions(3), samples, temperature, seed=0)


def test_a_model_that_bypasses_the_attention_interface_is_refused(llava: Policy) -> None:
    read = prefill(llava.network, llava.encode(questions(1)))
    shared = SharedPrompts(read.cache, None, torch.tensor([0, 0]))
    with (
        pytest.raises(RuntimeError, match="--attention eager"),
        shared.attention(),
    ):
        pass


def test_the_head_reads_the_last_tokens_of_all_prompts_in_one_product(llava: Policy) -> None:
    """With frozen weights torch would multiply a slice of longer rows one by one."""
    read: list[torch.Tensor] = []
    head = llava.network.get_output_embeddings()
    handle = head.register_forward_hook(lambda _, inputs, __: read.append(inputs[0]))
    prefill(llava.model, llava.encode(questions()))
    handle.remove()
    assert [(*each.shape[:2], each.is_contiguous()) for each in read] == [(4, 1, True)]
