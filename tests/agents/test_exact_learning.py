"""What is learned is what was drawn: the ids of the prompt, then those of the response."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_models import save_tiny_model
from tiny_runs import Even, agent_of, noise
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast
from transformers.image_utils import make_flat_list_of_images
from trl import SFTTrainer

from mstar.agents.online.trl_bridge import TrlBridge
from mstar.agents.policy.embedded import ASSISTANT, END, PAD, USER
from mstar.agents.policy.encoding import EncodedPrompts, collated
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.processors import KeptProcessor
from mstar.agents.policy.turns import IGNORED, continued, whole_turns
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.local import LocalSampler
from mstar.agents.settings import OptimConfig
from mstar.agents.sft_trainer import LiveTrainer
from mstar.agents.types import SFTExample
from mstar.envs.problem import Prompt
from mstar.rewards.panel import RewardPanel

USER_TURN = (
    "{%- for m in messages if m['role'] == 'user' -%}<user>"
    "{%- for part in m['content'] -%}"
    "{%- if part['type'] == 'image' -%}IMAGE{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endfor -%}"
)
ANSWER = "{%- for m in messages if m['role'] == 'assistant' -%}"
SAID = "{{ m['content'][0]['text'] }}"
# How chat templates of the kinds that are about write an answer, and how they start one.
TEMPLATES = {
    "blank in front": USER_TURN + ANSWER + "{{ '\nAssistant: ' }}" + SAID + "{{ '<eos>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '\nAssistant:' }}{%- endif -%}",
    "newline behind": USER_TURN + ANSWER + "<assistant>{{ '\n' }}" + SAID + "{{ '<eos>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<assistant>{{ '\n' }}{%- endif -%}",
    "no end": USER_TURN + ANSWER + "<assistant>" + SAID + "{{ ' ' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}<assistant>{%- endif -%}",
    "thinking": USER_TURN + ANSWER + "<assistant>{{ m['content'][0]['text'] | trim }}<eos>"
    "{%- endfor -%}{%- if add_generation_prompt -%}<assistant><think>{{ '\n' }}{%- endif -%}",
}
# Architecture and template of each policy here; None is the template of the embedded model.
FORMS = {
    "llava": ("llava", None),
    "llava-thinking": ("llava", "thinking"),
    "llava-no-end": ("llava", "no end"),
    "idefics3": ("idefics3", "blank in front"),
    "qwen2_5_vl": ("qwen2_5_vl", "newline behind"),
}
IMAGE_MARKS = {"qwen2_5_vl": "<|vision_start|><|image_pad|><|vision_end|>"}


def policy_of(folder: Path, architecture: Any, template: str | None) -> Policy:
    """A tiny policy with a template of one kind."""
    policy = Policy.load(str(save_tiny_model(architecture, folder)), device="cpu")
    if template is not None:
        mark = IMAGE_MARKS.get(architecture, "<image>")
        policy.processor.chat_template = TEMPLATES[template].replace("IMAGE", mark)
    return policy


@pytest.fixture(scope="module", params=FORMS)
def untrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return policy_of(tmp_path_factory.mktemp("form") / "model", *FORMS[request.param])


@pytest.fixture
def form(untrained: Policy) -> Policy:
    return Policy(copy.deepcopy(untrained.model), untrained.processor)


def picture(seed: int) -> Image.Image:
    """An image whose two sides depend on the seed."""
    return noise(seed).resize((30 + 30 * (seed % 3), 60 - 15 * (seed % 2)))


def prompts(count: int) -> list[Prompt]:
    """Prompts of different lengths, with one to three images of different sizes."""
    return [
        Prompt(
            "how many?" + " and how" * (i % 3), [picture(i + j) for j in range(1 + i % 3)], f"{i}"
        )
        for i in range(count)
    ]


def odd_responses(policy: Policy, count: int) -> list[tuple[int, ...]]:
    """Random bytes, blanks at both ends, special tokens and their look-alikes; half without end."""
    tokenizer, chance = policy.processor.tokenizer, random.Random(3)
    special = {*policy.media_tokens, *policy.end_tokens}
    drawn = [i for i in range(len(tokenizer)) if i not in special]
    texts = [
        " 7",
        "7 ",
        "\n\n7\n",
        "<think>7</think>",
        "<eos",
        "< user >",
        "\u00e9\u4e03",
        "Answer: 7",
    ]
    found: list[tuple[int, ...]] = []
    for i in range(count):
        ids = [chance.choice(drawn) for _ in range(chance.randrange(1, 9))]
        if i % 2:
            ids = tokenizer(chance.choice(texts), add_special_tokens=False)["input_ids"] + ids[:2]
        found.append(tuple(ids) if i % 4 < 2 else (*ids, policy.end_tokens[0]))
    return found


def trainer_of(
    policy: Policy,
    folder: Path,
    updates: int,
    batch: int,
    rounds: int = 1,
    learning_rate: float = 3e-3,
) -> LiveTrainer:
    optim = OptimConfig(
        updates=updates, batch=batch, learning_rate=learning_rate, schedule="constant", warmup=0
    )
    return LiveTrainer(policy, optim, folder, rounds=rounds, seed=0)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The inputs of every training step where the trainer would compute its loss from them."""
    batches: list[dict[str, torch.Tensor]] = []

    def compute_loss(trainer: Any, model: Any, inputs: Any, **named: Any) -> Any:
        batches.append(inputs)
        return 0.0 * next(model.parameters()).sum()

    monkeypatch.setattr(SFTTrainer, "compute_loss", compute_loss)
    return batches


def rows_of(batches: list[dict[str, torch.Tensor]]) -> Iterator[tuple[list[int], list[int]]]:
    """Of each row that was trained on: the ids without padding, and the labels."""
    for batch in batches:
        rows = zip(batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True)
        for ids, mask, labels in rows:
            assert (labels[mask == 0] == -100).all()
            yield ids[mask == 1].tolist(), labels[mask == 1].tolist()


def test_the_trainer_learns_the_tokens_that_were_drawn_and_nothing_else(
    form: Policy,
    tmp_path: Path,
    seen: list[dict[str, torch.Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = prompts(4)
    read: list[list[int]] = []
    plain = LocalSampler.prefill

    def prefill(sampler: LocalSampler, batch: Any) -> Any:
        encoded = sampler.policy.encode(batch)
        read.append(encoded["input_ids"][0, encoded["attention_mask"][0] == 1].tolist())
        return plain(sampler, batch)

    monkeypatch.setattr(LocalSampler, "prefill", prefill)
    for prompt in asked:
        LocalSampler(form, max_new_tokens=1).sample([prompt], 1, 1.0, 0)
    responses = odd_responses(form, 200)
    examples = [SFTExample(asked[i % 4], tokens) for i, tokens in enumerate(responses)]
    live = trainer_of(form, tmp_path / "trainer", updates=10, batch=20)
    live.fine_tune(examples)
    live.close()
    rows = list(rows_of(seen))
    assert len(rows) == 200
    for i, (ids, labels) in enumerate(rows):
        prompt, response = read[i % 4], list(responses[i])
        assert ids == prompt + response
        assert labels == [-100] * len(prompt) + response


def drawn(
    policy: Policy, asked: list[Prompt], temperature: float, limit: int = 8
) -> list[Response]:
    groups = LocalSampler(policy, max_new_tokens=limit).sample(asked, 1, temperature, 5)
    return [group[0] for group in groups]


def test_the_loss_is_the_log_probability_that_sampling_measured(
    form: Policy, tmp_path: Path
) -> None:
    asked = prompts(6)  # other images for each row, so that each needs its own inputs
    responses = drawn(form, asked, 1.0)
    responses = [r for r in responses if form.media_tokens.isdisjoint(r.tokens)]
    assert len(responses) == 6
    live = trainer_of(form, tmp_path / "trainer", updates=1, batch=6)
    result = live.fine_tune(
        [SFTExample(p, r.tokens) for p, r in zip(asked, responses, strict=True)]
    )
    live.close()
    measured = sum(r.logprob for r in responses) / sum(len(r.tokens) for r in responses)
    assert result.loss == pytest.approx(-measured, rel=1e-4)


def test_learning_its_own_greedy_answers_leaves_them_as_they_are(
    form: Policy, tmp_path: Path
) -> None:
    asked = prompts(2)
    solutions = whole_turns(form, ["red: 3", "7 or 8 "])
    first = trainer_of(form, tmp_path / "first", updates=30, batch=2)
    first.fine_tune([SFTExample(p, s) for p, s in zip(asked, solutions, strict=True)])
    first.close()
    assert [r.tokens for r in drawn(form, asked, 0.0, limit=16)] == solutions  # known by heart
    # A small rate: where next to nothing is left to learn, Adam makes whole steps of rounding.
    live = trainer_of(form, tmp_path / "second", updates=2, batch=4, rounds=6, learning_rate=1e-4)
    for _ in range(6):
        own = [*drawn(form, asked, 0.0, limit=16), *drawn(form, asked, 0.0, limit=4)]
        assert [response.finished for response in own] == [True, True, False, False]
        live.fine_tune(
            [SFTExample(p, r.tokens) for p, r in zip([*asked, *asked], own, strict=True)]
        )
    live.close()
    assert [r.tokens for r in drawn(form, asked, 0.0, limit=16)] == solutions


@pytest.mark.parametrize("agent", ["grpo", "rloo", "online-dpo"])
def test_online_trainers_learn_the_tokens_that_were_drawn(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    thinking = TEMPLATES["thinking"].replace("IMAGE", "<image>")
    monkeypatch.setattr(policy.processor, "chat_template", thinking)
    read: list[list[int]] = []
    plain, plain_packed = TrlBridge.continued, TrlBridge.packed

    def recorded(bridge: TrlBridge, *given: Any) -> dict[str, torch.Tensor]:
        inputs = plain(bridge, *given)
        rows = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        read.extend(row[mask == 1].tolist() for row, mask in rows)
        return inputs

    def packed(bridge: TrlBridge, *given: Any) -> dict[str, torch.Tensor]:
        inputs = plain_packed(bridge, *given)
        for row, (mask,), labels in zip(
            inputs["input_ids"], inputs["attention_mask"], inputs["labels"], strict=True
        ):
            learned = labels != IGNORED
            ends = learned & ~learned.roll(-1)
            # What the last token of a response attends to is what the response is read with.
            read.extend(row[mask[end]].tolist() for end in ends.nonzero()[:, 0])
        return inputs

    monkeypatch.setattr(TrlBridge, "continued", recorded)
    monkeypatch.setattr(TrlBridge, "packed", packed)
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), agent=agent, rounds=1)
    *_, done = learner.learn()
    learner.close()
    prompts = [policy.encode([r.prompt])["input_ids"][0].tolist() for r in done.rollouts]
    drawn = [learner.bridge.learnable(r) for r in done.rollouts]  # up to an image token
    sampled = [prompt + tokens for prompt, tokens in zip(prompts, drawn, strict=True)]
    # A pair without a preference is masked out, so that its prompt alone is left.
    learned = [row for row in read if row not in prompts]
    assert learned
    assert [row for row in learned if row not in sampled] == []
    if agent != "online-dpo":  # which learns from pairs that differ
        assert [row for row in sampled if row not in learned] == []


@pytest.mark.parametrize("agent", ["continuous", "grpo"])
def test_the_processor_reads_a_prompt_once_in_a_round(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    read: list[bytes] = []
    plain = KeptProcessor.__call__

    def counted(processor: KeptProcessor, images: Any = None, text: Any = None, **how: Any) -> Any:
        read.extend(image.tobytes() for image in make_flat_list_of_images(images or []))
        return plain(processor, images, text, **how)

    monkeypatch.setattr(KeptProcessor, "__call__", counted)
    learner = agent_of(policy, tmp_path, RewardPanel([Even()]), agent=agent, rounds=1)
    before, done = learner.learn()
    learner.close()
    assert done.finetuned is not None
    asked = {r.prompt.key: r.prompt.images[0].tobytes() for r in done.rollouts}
    assert len(asked) == 4
    assert [read.count(image) for image in asked.values()] == [1] * 4
    measured = len(read) - 4  # by the evaluations before and after, which share no prompts
    assert measured == before.metrics.problems + done.metrics.problems


def test_indices_of_patches_count_on_from_one_prompt_to_the_next() -> None:
    row = {
        "input_ids": torch.zeros(1, 2, dtype=torch.int64),
        "pixel_values": torch.zeros(2, 4, 3),
        "image_token_pooling": torch.tensor([[0, 7], [5, -1]]),
    }
    indices = collated([row, row], fill=0)["image_token_pooling"]
    assert indices.tolist() == [[0, 7], [5, -1], [8, 15], [13, -1]]


def test_encodings_are_kept_as_long_as_their_prompts_and_within_their_room() -> None:
    asked = prompts(3)
    made: list[str] = []

    def encode(prompt: Prompt) -> dict[str, torch.Tensor]:
        made.append(prompt.key)
        return {"input_ids": torch.zeros(1, 10, dtype=torch.int64)}

    encoded = EncodedPrompts(room=2 * 80)
    for _ in range(2):
        for prompt in asked:
            encoded.get(prompt, encode)
    assert made == ["0", "1", "2", "2"]
    del asked[0], prompt
    for prompt in asked:
        encoded.get(prompt, encode)
    assert made == ["0", "1", "2", "2", "2"]
    encoded.get(asked[1], encode)
    assert made == ["0", "1", "2", "2", "2"]


@pytest.mark.parametrize(
    ("template", "turn"),
    [
        (None, "7\nAnswer: 7<eos>"),
        ("blank in front", " 7\nAnswer: 7<eos>"),
        ("newline behind", "7\nAnswer: 7<eos>"),
        ("no end", "7\nAnswer: 7<eos>"),
        ("thinking", "7\nAnswer: 7<eos>"),
    ],
)
def test_a_solution_is_one_whole_turn_as_the_template_writes_it(
    loaded: Policy, monkeypatch: pytest.MonkeyPatch, template: str | None, turn: str
) -> None:
    if template is not None:
        monkeypatch.setattr(loaded.processor, "chat_template", TEMPLATES[template])
    (tokens,) = whole_turns(loaded, ["7\nAnswer: 7"])
    assert loaded.processor.tokenizer.decode(tokens) == turn
    assert tokens[-1] in loaded.end_tokens


def test_a_solution_gets_no_blank_that_the_tokenizer_puts_before_any_text(
    loaded: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [PAD, END, USER, ASSISTANT, "<image>", *"\u2581?7abc"]
    sentencepiece = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=[]))
    sentencepiece.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    sentencepiece.decoder = decoders.Replace("\u2581", " ")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=sentencepiece, eos_token=END)
    assert tokenizer.tokenize("7") == ["\u2581", "7"]
    template = (
        "{% for m in messages %}{{ ' a ' if m['role'] == 'user' else ' b ' }}"
        "{{ m['content'][0]['text'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ ' b' }}{% endif %}"
    )
    monkeypatch.setattr(loaded.processor, "tokenizer", tokenizer)
    monkeypatch.setattr(loaded.processor, "chat_template", template)
    (tokens,) = whole_turns(loaded, ["7 7"])
    assert tokenizer.convert_ids_to_tokens(tokens) == ["\u2581", "7", "\u2581", "7", END]


def test_what_a_model_takes_for_each_token_goes_on_over_the_response(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "qwen2_5_vl", None)
    asked = prompts(3)
    batch = continued(policy, asked, [(9, 9, 9), (9,), (9, 9)])
    encoded = policy.encode(asked)
    assert batch.keys() == {*encoded, "labels"}
    for row, length in enumerate((3, 1, 2)):
        given = batch["attention_mask"][row] == 1
        before = encoded["attention_mask"][row] == 1
        assert given.tolist() == sorted(given.tolist(), reverse=True)
        kinds = encoded["mm_token_type_ids"][row][before].tolist() + [0] * length
        assert batch["mm_token_type_ids"][row][given].tolist() == kinds
    for name in ("pixel_values", "image_grid_thw"):
        assert torch.equal(batch[name], encoded[name])
