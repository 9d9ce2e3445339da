"""Published families at tiny size load, sample and train, or are refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import same_weights
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_architectures import FORMS, save_architecture
from tiny_models import Architecture, save_tiny_model
from tiny_runs import TINY, agent_of, tiny_agent, weights

from mstar.agents.config import Recipe
from mstar.agents.online import scoring
from mstar.agents.policy import EMBEDDED, TORCHVISION
from mstar.agents.policy.backends import torchvision_available
from mstar.agents.policy.packing import can_pack, packed
from mstar.agents.policy.pixels import PixelBounds, image_tokens, pixel_unit
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import IGNORED, continued
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.seeds import named
from mstar.envs.problem import Prompt
from mstar.envs.task import Task
from mstar.experiments.cli import main as cli
from mstar.experiments.run.train import load_policy, sampling_warnings
from mstar.rewards.base import Attempt, Scores
from mstar.rewards.panel import RewardPanel

# Their images are read by torchvision alone; see docs/architectures.md.
WITH_TORCHVISION = ("cohere2_vision", "lfm2_vl", "llama4", "molmo2")
REFUSED = ("paligemma",)
# Layers with a window, with a state, with images of their own, or with a loss of their experts.
IN_ROWS_OF_THEIR_OWN = (
    "qwen3_vl_moe",
    "glm4v_moe",
    "qwen3_5",
    "qwen3_5_moe",
    "gemma3",
    "gemma4",
    "aya_vision",
    "cohere2_vision",
    "lfm2_vl",
    "llama4",
    "mllama",
    "molmo2",
)
LOADED = [
    name for name in FORMS if name not in REFUSED and (TORCHVISION or name not in WITH_TORCHVISION)
]
FILES = ("preprocessor_config.json", "processor_config.json", "tokenizer.json")

Save = Callable[[str], str]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Saves a family once, and returns its folder."""
    root, done = tmp_path_factory.mktemp("families"), dict[str, str]()

    def save(name: str) -> str:
        if name not in done:
            done[name] = str(save_architecture(name, root / name))
        return done[name]

    return save


class Parity:
    """Right are the responses whose hash is even, so that those to one prompt differ."""

    name = "correctness"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        return np.array([named(each.response) % 2 for each in attempts], np.float32)


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


PROMPTS = [
    Prompt("how many?", (noise(40, 40),), "one"),
    Prompt("which one is it?", (noise(64, 40), noise(30, 60), noise(50, 50)), "three"),
]


def answers(policy: Policy) -> list[tuple[int, ...]]:
    """Greedy responses to two images."""
    task = Task(source="BarChart", size=96, seed=9)
    prompts = [Prompt(p.question, (p.images[0].render(96),), p.id) for p in task.draw(2)]
    return [group[0].tokens for group in LocalSampler(policy, 6).sample(prompts, 1, 0.0, 0)]


def packed_and_apart(
    policy: Policy, responses: Sequence[tuple[int, ...]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of responses, and of their reverses, in packed rows and in their own."""
    groups = [[response, response[::-1], response[:1]] for response in responses]
    prompts = [prompt for prompt in PROMPTS for _ in range(3)]
    flat = [response for group in groups for response in group]
    found = []
    for inputs in (packed(policy, PROMPTS, groups), continued(policy, prompts, flat)):
        labels = inputs.pop("labels")[:, 1:]
        with torch.no_grad():
            logs = policy.network(**inputs).logits[:, :-1].log_softmax(-1)
        chosen = logs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        found.append(chosen[labels != IGNORED])
    return found[0], found[1]


def read_together(policy: Policy) -> Mapping[str, torch.Tensor]:
    """The prompts as one batch of the processor's own, which reads them once for every batch."""
    batch: Mapping[str, torch.Tensor] = policy.processor.apply_chat_template(
        [policy.messages(prompt) for prompt in PROMPTS],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    )
    return batch


# transformers' image processors read Pillow images as NumPy 2 does not like.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", LOADED)
def test_a_family_is_sampled_as_generate_does_and_scored_as_it_was_sampled(
    saved: Save, name: str
) -> None:
    policy = Policy.load(saved(name), device="cpu")
    sampler = LocalSampler(policy, 4)
    for prompt, (greedy,) in zip(PROMPTS, sampler.sample(PROMPTS, 1, 0.0, 0), strict=True):
        read = policy.encode([prompt])
        with torch.no_grad():
            whole = policy.network.generate(**read, max_new_tokens=4, do_sample=False)
        assert tuple(whole[0, read["input_ids"].shape[1] :].tolist()) == greedy.tokens
    drawn = [response for (response,) in sampler.sample(PROMPTS, 1, 1.0, 1)]
    inputs = continued(policy, PROMPTS, [response.tokens for response in drawn])
    labels = inputs.pop("labels")[:, 1:]
    with torch.no_grad():
        logs = policy.network(**inputs).logits[:, :-1].log_softmax(-1)
    found = logs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    sums = found.masked_fill(labels == IGNORED, 0).sum(1).tolist()
    assert sums == pytest.approx([response.logprob for response in drawn], abs=1e-3)
    if name not in IN_ROWS_OF_THEIR_OWN:
        found, expected = packed_and_apart(policy, [response.tokens for response in drawn])
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    assert can_pack(policy) == (name not in IN_ROWS_OF_THEIR_OWN)
    together, alone = read_together(policy), policy.encode(PROMPTS)
    assert together.keys() == alone.keys()
    mask = together["attention_mask"] == 1
    with torch.no_grad():
        read, expected = (policy.network(**each).logits[mask] for each in (alone, together))
    assert torch.equal(read, expected)


@pytest.mark.skipif(TORCHVISION, reason="torchvision is there")
@pytest.mark.parametrize("name", WITH_TORCHVISION)
def test_a_family_that_needs_torchvision_is_refused_in_a_sentence(saved: Save, name: str) -> None:
    with pytest.raises(ValueError, match="pip install torchvision"):
        Policy.load(saved(name), device="cpu")


@pytest.mark.parametrize("name", REFUSED)
def test_a_family_that_no_trainer_can_follow_is_refused_in_a_sentence(
    saved: Save, name: str
) -> None:
    with pytest.raises(ValueError, match="attend to each other in both directions"):
        Policy.load(saved(name), device="cpu")


def test_a_torchvision_that_cannot_be_imported_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cli, "run_command", lambda *_: torchvision_available())
    assert cli.main(["train"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mstar: torchvision is installed but cannot be imported")
    assert said.count("\n") == 1
    assert "uninstall it" in said


@pytest.mark.parametrize(
    ("architecture", "rank"),
    [("idefics3", 0), ("qwen2_5_vl", 0), ("llava", 4), ("idefics3", 4), ("qwen2_5_vl", 4)],
)
def test_a_round_trains_and_its_checkpoint_loads_again(
    tmp_path: Path, architecture: Architecture, rank: int
) -> None:
    model = save_tiny_model(architecture, tmp_path / "model")
    recipe = TINY.replace(model=str(model), lora_rank=rank)
    policy = load_policy(recipe)
    base = weights(policy)
    evolving = tiny_agent(policy, tmp_path / "trainer", lora_rank=rank, rounds=1)
    *_, done = evolving.learn()
    evolving.close()
    assert done.finetuned is not None
    assert done.finetuned.loss > 0
    assert not same_weights(weights(policy), base)
    if rank:
        frozen = {name for name in base if "lora_" not in name}
        assert all(torch.equal(base[name], weights(policy)[name]) for name in frozen)
        assert not any("vision" in name or "visual" in name for name in base.keys() - frozen)
    again = load_policy(recipe, done.finetuned.checkpoint)
    assert same_weights(weights(again), weights(policy))
    assert answers(again) == answers(policy)
    alone = Policy.load(str(done.finetuned.checkpoint), device="cpu")
    assert answers(alone) == answers(policy)
    for file in FILES:  # by which other programs read it
        if (model / file).exists():
            assert (done.finetuned.checkpoint / file).read_bytes() == (model / file).read_bytes()


# One for each way in which a head or a model may compute otherwise: capped logits and token types
# (Gemma 3), experts (Qwen3-VL-MoE), cross-attention (Llama 3.2), positions on a grid (Qwen2.5-VL).
@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("gemma3", "grpo"),
        ("qwen3_vl_moe", "grpo"),
        ("mllama", "rloo"),
        ("qwen2_5_vl", "online-dpo"),
    ],
)
def test_a_family_trains_online_on_the_log_probabilities_that_were_sampled(
    saved: Save, tmp_path: Path, name: str, agent: str
) -> None:
    policy = Policy.load(saved(name), device="cpu")
    base = weights(policy)
    # Of four responses to each of four problems some differ in parity, and so in their rewards.
    changes = {"agent": agent, "rounds": 1, "samples": 4, "batch": 4, "minibatches": 1}
    changes |= {"held_out": 1, "held_out_samples": 1}
    learner = agent_of(policy, tmp_path, RewardPanel([Parity()]), **changes)
    *_, done = learner.learn()
    learner.close()
    assert learner.trainer.compared
    assert done.finetuned is not None
    assert not same_weights(weights(policy), base)


def test_a_model_that_computes_otherwise_in_packed_rows_gets_rows_of_their_own(
    saved: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Layers with a window are known by their cache; here they are not.
    monkeypatch.setattr(scoring, "can_pack", lambda policy: True)
    packs = []
    for name in ("gemma3", "qwen2_5_vl"):
        policy = Policy.load(saved(name), device="cpu")
        changes = {"agent": "grpo", "rounds": 1, "samples": 4, "batch": 4, "minibatches": 1}
        learner = agent_of(policy, tmp_path / name, RewardPanel([Parity()]), **changes)
        *_, done = learner.learn()
        learner.close()
        assert done.finetuned is not None
        packs.append((learner.trainer.packs, done.finetuned.prompts))
    assert packs == [(False, 1), (True, 1 / 4)]


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_a_trainer_with_other_log_probabilities_is_refused_with_both_numbers(
    saved: Save, tmp_path: Path, agent: str
) -> None:
    policy = Policy.load(saved("aya_vision"), device="cpu")
    learner = agent_of(policy, tmp_path, RewardPanel([Parity()]), agent=agent, rounds=1)
    with pytest.raises(ValueError, match=r"-\d+\.\d\d and the \D* -\d+\.\d\d.*logit_scale"):
        list(learner.learn())
    learner.close()


def test_a_comparison_catches_inputs_that_are_left_out(
    saved: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy.load(saved("qwen2_5_vl"), device="cpu")
    learner = agent_of(policy, tmp_path, RewardPanel([Parity()]), agent="rloo", rounds=1)
    whole = learner.bridge.continued
    left_out = ("mm_token_type_ids", "image_grid_thw", "pixel_values")

    def without_images(*given: object) -> Mapping[str, torch.Tensor]:
        return {name: value for name, value in whole(*given).items() if name not in left_out}

    monkeypatch.setattr(learner.bridge, "continued", without_images)
    with pytest.raises(ValueError, match="more than rounding"):
        list(learner.learn())


def test_what_chooses_experts_gets_no_lora(saved: Save) -> None:
    policy = Policy.load(saved("qwen3_vl_moe"), device="cpu").with_lora(2)
    adapted = [name for name, _ in policy.model.named_parameters() if "lora_" in name]
    assert adapted
    assert not any(".gate." in name or ".router." in name for name in adapted)


def test_an_adapter_without_all_its_weights_is_refused(saved: Save, tmp_path: Path) -> None:
    policy = Policy.load(saved("llava"), device="cpu").with_lora(2)
    policy.save(tmp_path)
    Policy.load(str(tmp_path), device="cpu")
    whole = load_file(tmp_path / "adapter_model.safetensors")
    renamed = {name.replace("self_attn", "attention"): weight for name, weight in whole.items()}
    half = dict(list(whole.items())[::2])
    for damaged in (renamed, half, {}):
        save_file(damaged, tmp_path / "adapter_model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ValueError, match=r"adapter .* missing, such as base_model"):
            Policy.load(str(tmp_path), device="cpu")
        with pytest.raises(ValueError, match=r"adapter .* missing, such as base_model"):
            policy.load_weights(tmp_path)


def test_a_checkpoint_that_lacks_a_weight_is_refused(saved: Save, tmp_path: Path) -> None:
    policy = Policy.load(saved("llava"), device="cpu")  # its head is tied, and not missing
    policy.save(tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    lacking = next(name for name in whole if "down_proj" in name)
    rest = {name: weight for name, weight in whole.items() if name != lacking}
    save_file(rest, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"1 missing, such as .*down_proj"):
        Policy.load(str(tmp_path), device="cpu")
    with pytest.raises(ValueError, match=r"1 missing, such as .*down_proj"):
        policy.load_weights(tmp_path)


def test_the_embedded_model_is_named_as_published_and_loads_by_the_old_names(
    tmp_path: Path,
) -> None:
    policy = Policy.load(str(EMBEDDED), device="cpu")
    policy.save(tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    tower = [name for name in written if name.startswith("vision_tower.")]
    assert tower
    assert all(name.startswith("vision_tower.vision_model.") for name in tower)
    old = {
        name.replace("vision_tower.vision_model.", "vision_tower."): weight
        for name, weight in written.items()
    }
    save_file(old, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert same_weights(weights(Policy.load(str(tmp_path), device="cpu")), weights(policy))


def test_a_text_with_its_first_token_gets_no_second_one(saved: Save) -> None:
    processor = Policy.load(saved("gemma3"), device="cpu").processor
    first = processor.tokenizer.bos_token_id
    for text, count in (("<bos>how many?", 1), ("how many?", 1)):
        (ids,) = processor(text=[text])["input_ids"]
        assert ids.count(first) == count


def test_what_a_generation_config_asks_for_in_vain_is_said(saved: Save) -> None:
    policy = Policy.load(saved("llava"), device="cpu")
    assert sampling_warnings(policy) == []
    policy.network.generation_config.repetition_penalty = 1.05
    policy.network.generation_config.suppress_tokens = [7]
    (said,) = sampling_warnings(policy)
    assert "repetition_penalty 1.05, suppress_tokens [7]" in said


def test_lora_starts_from_the_seed_of_the_recipe(tmp_path: Path) -> None:
    model = str(save_tiny_model("llava", tmp_path / "model"))
    one, other, again = (
        weights(load_policy(TINY.replace(model=model, lora_rank=2, seed=seed)))
        for seed in (1, 2, 1)
    )
    assert same_weights(one, again)
    assert not same_weights(one, other)


PLACED = Prompt(
    "like picture 2 or picture 1?", (noise(40, 40), noise(64, 40)), "placed", ((18, 27), (5, 14))
)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
def test_images_stand_inside_the_text_that_a_policy_reads(saved: Save, name: str) -> None:
    policy = Policy.load(saved(name), device="cpu")
    media = policy.media_tokens

    def read(prompt: Prompt) -> tuple[list[str], torch.Tensor]:
        """The texts between images, and the pixels."""
        encoded = policy.encode([prompt])
        ids = [-1 if token in media else token for token in encoded["input_ids"][0].tolist()]
        runs = [list(run) for image, run in groupby(ids, lambda token: token == -1) if not image]
        texts = [policy.processor.tokenizer.decode(run, skip_special_tokens=True) for run in runs]
        return texts, encoded["pixel_values"]

    texts, pixels = read(PLACED)
    assert [text for text in texts if text] == ["like ", " or ", "?"]
    swapped = replace(PLACED, images=PLACED.images[::-1], places=((0, 0), (0, 0)))
    assert torch.equal(pixels, read(swapped)[1])  # the image that stands first is read first
    encoded = policy.encode([PLACED])
    (greedy,) = LocalSampler(policy, 4).sample([PLACED], 1, 0.0, 0)[0]
    with torch.no_grad():
        whole = policy.network.generate(**encoded, max_new_tokens=4, do_sample=False)
    assert tuple(whole[0, encoded["input_ids"].shape[1] :].tolist()) == greedy.tokens
    (turn,) = policy.messages(PLACED, "image_pil")
    assert [part["type"] for part in turn["content"]] == ["text", "image_pil"] * 2 + ["text"]


def test_a_template_that_writes_images_first_gets_a_text_that_calls_them_by_number(
    saved: Save,
) -> None:
    policy = Policy.load(saved("llava"), device="cpu")
    policy.processor.chat_template = (
        "{% for message in messages %}{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<image>{% endif %}{% endfor %}"
        "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
    )
    ids = policy.encode([PLACED])["input_ids"][0]
    assert policy.processor.tokenizer.decode(ids).endswith("<image>like picture 2 or picture 1?")
    told = policy.messages(replace(PLACED, system="Be brief."))
    assert [turn["role"] for turn in told] == ["system", "user"]
    assert "Be brief." in policy.processor.tokenizer.decode(
        policy.encode([replace(PLACED, system="Be brief.")])["input_ids"][0]
    )
    (turn,) = policy.messages(PLACED)
    assert [part.get("image") for part in turn["content"]] == [*PLACED.images, None]


# Bounds on the pixels of images


@pytest.mark.parametrize(
    ("bounds", "unit", "size", "fitted"),
    [
        (PixelBounds(), 28, (301, 57), (301, 57)),
        (PixelBounds(most=10_000), 1, (400, 100), (200, 50)),
        (PixelBounds(most=10_000), 28, (400, 100), (196, 28)),
        (PixelBounds(least=10_000), 28, (40, 40), (112, 112)),
        (PixelBounds(100, 10_000), 1, (90, 90), (90, 90)),
    ],
)
def test_an_image_is_brought_within_bounds_in_whole_units(
    bounds: PixelBounds, unit: int, size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert bounds.fitted(Image.new("RGB", size), unit).size == fitted


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_bounds_decide_how_many_tokens_an_image_costs(saved: Save) -> None:
    large = Prompt("?", (noise(96, 96),), "large")
    plain = Policy.load(saved("qwen2_5_vl"), device="cpu")
    unit = pixel_unit(plain.processor.image_processor)

    def cost(policy: Policy) -> int:
        counted = image_tokens(policy.processor, policy.pixels, large.images[0].size)
        longer = policy.encode([large])["input_ids"].shape[1]
        empty = policy.encode([replace(large, images=())])["input_ids"].shape[1]
        assert counted == longer - empty
        return counted

    few, most, many = (
        cost(Policy.load(saved("qwen2_5_vl"), device="cpu", pixels=pixels))
        for pixels in (
            PixelBounds(most=2 * 2 * unit * unit),
            PixelBounds(least=6 * 6 * unit * unit),  # more than the checkpoint allows
            PixelBounds(),
        )
    )
    assert few < many < most
    assert most - few == 6 * 6 - 2 * 2
    policy = replace(plain, pixels=PixelBounds(most=2 * 2 * unit * unit))
    (turn,) = policy.messages(large, "image_pil")  # what an engine of its own gets
    assert turn["content"][0]["image_pil"].size == (2 * unit, 2 * unit)
    assert policy.with_lora(2).pixels == policy.pixels


def test_envs_tell_the_tokens_of_images(
    saved: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise(90, 90).save(tmp_path / "a.png")
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "How many?", "image": "a.png", "answer": "3"}')
    model = ["--model", saved("qwen2_5_vl"), "--max-pixels", "1100"]
    assert cli.main(["envs", "validate", str(path), *model]) == 0
    (told,) = set(re.findall("image tokens of 90 x 90 pixels: (.*)", capsys.readouterr().out))
    assert cli.main(["envs", "show", str(path), "--count", "1", *model]) == 0
    assert f"image tokens: {told}" in capsys.readouterr().out
    with pytest.raises(ValueError, match="must not be larger"):
        Recipe.of(min_pixels=2, max_pixels=1)
