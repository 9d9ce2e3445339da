"""A vision-language model made of a language model: assembled, taught to see, and looked at."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_architectures import text_sizes
from tiny_models import byte_tokenizer
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.families.parts.drawing import COLORS, TINT
from mstar.envs.problem import Prompt
from mstar.experiments.cli.main import main
from mstar.experiments.make_vlm import assemble as assembling
from mstar.experiments.make_vlm import make as making
from mstar.experiments.make_vlm import train as training_loop
from mstar.experiments.make_vlm.assemble import Tower, load_language_model
from mstar.experiments.make_vlm.batches import VOCABULARY, Conversations, Readings, in_cells
from mstar.experiments.make_vlm.eyes import tower_of, with_eyes, write_eyes
from mstar.experiments.make_vlm.language import QUESTIONS, REHEARSED, answers, nats
from mstar.experiments.make_vlm.make import MakeVlm, make_vlm
from mstar.experiments.make_vlm.perception import KINDS, READ, draw_reading
from mstar.experiments.make_vlm.train import Training, VlmTrainer
from mstar.experiments.rows import Row, read_rows

# It adds a string to each content, as templates of language models do: parts would be an error.
TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'assistant' %}{{ '<assistant>' + m['content'] }}<eos>"
    "{% else %}{{ '<user>' + m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SMALL = Tower(image_size=48, patch=8, width=24, layers=1, heads=2)
PLAIN: list[Row] = [
    {"question": "Who is there?", "answer": "It is me.", "finished": True},
    {"question": "Why?", "answer": "Because it was", "finished": False},
]
FEW = Training(updates=6, batch=2, share=0.5)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "language"
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**text_sizes(tokenizer)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def assembled(language_model: Path) -> Path:
    out = language_model.parent / "assembled"
    make_vlm(MakeVlm(str(language_model), out, SMALL, train=False), print)
    return out


def trained(assembled: Path, folder: Path) -> tuple[Policy, list[Row]]:
    policy = Policy.load(str(assembled), device="cpu")
    trainer = VlmTrainer(policy, SMALL, FEW, 0, PLAIN, folder, print)
    losses = trainer.run()
    return trainer.policy, losses


# Assembly


def test_the_assembled_model_says_what_the_language_model_says(
    language_model: Path, assembled: Path
) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    language = AutoModelForCausalLM.from_pretrained(language_model, dtype=torch.float32)
    ((said,),) = LocalSampler(policy, 12).sample([Prompt("Say hello.", (), "a")], 1, 0.0, 0)
    asked = policy.processor.tokenizer("<user>Say hello.<assistant>", return_tensors="pt")
    before = len(policy.processor.tokenizer)
    alone = language.generate(**asked, max_new_tokens=12, do_sample=False)
    assert list(said.tokens) == alone[0, asked["input_ids"].shape[1] :].tolist()
    assert before == language.config.vocab_size + 4  # and it never says an image token


def test_an_image_takes_the_tokens_that_the_tower_says(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    image = draw_reading(READ, "train", 0, 0, 96).image
    ids = policy.encode([Prompt("What is it?", (image,), "a")])["input_ids"]
    assert int((ids == policy.network.config.image_token_id).sum()) == SMALL.tokens == 9
    with pytest.raises(ValueError, match="must divide the image size"):
        replace(SMALL, image_size=50)


def test_a_language_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file gone.gguf"):
        load_language_model("gone.gguf")
    with pytest.raises(FileNotFoundError, match="neither a folder with a model in safetensors"):
        load_language_model(str(tmp_path / "no" / "where"))


def test_a_gguf_file_needs_a_package_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.touch()
    monkeypatch.setattr(assembling, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install mstar-rl\[gguf\]"):
        load_language_model(str(path))


# Perception


def test_questions_ask_for_what_is_read_and_not_for_what_is_computed() -> None:
    readings = [draw_reading(READ, "train", 3, index, 96) for index in range(40)]
    again = draw_reading(READ, "train", 3, 7, 96)
    assert (readings[7].questions, readings[7].words) == (again.questions, again.words)
    asked = [question for reading in readings for question in reading.questions]
    assert {each.kind for each in asked} == set(KINDS)
    seen = {each.text for each in asked if each.kind == "value"}
    for name in READ:  # neither the question of a problem nor its computed steps are asked for
        for index in range(5):
            problem = FAMILIES[name](1).problem("train", 3, index)
            assert problem.question not in seen
    for each in asked:
        assert each.answer
        assert "Answer:" not in each.answer
        if each.kind != "describe":  # equations are in the images of one family
            assert " = " not in each.answer
    assert all(len(np.unique(np.array(each.image))) > 1 for each in readings)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_allows_the_kind_of_question_that_is_wanted(kind: str) -> None:
    for index in range(5):
        reading = draw_reading(READ, "train", 0, index, 96, kind)
        assert kind in [question.kind for question in reading.questions]


def test_shapes_are_described_in_the_rows_that_they_are_drawn_in() -> None:
    told = {
        reading.level: next(q.answer for q in reading.questions if q.kind == "describe")
        for reading in (draw_reading(("Counting",), "train", 0, i, 96, "value") for i in range(9))
    }
    assert {level: len(text.splitlines()) for level, text in told.items()} == {1: 3, 2: 4}


def test_train_and_held_out_questions_are_about_other_images() -> None:
    train, held_out = (
        {draw_reading(READ, split, 0, index, 96).image.tobytes() for index in range(60)}
        for split in ("train", "validation")
    )
    assert not train & held_out


def test_the_words_of_an_image_are_where_its_colours_are() -> None:
    """The cell with most of a bar's colour is one that is said to hold the name of the colour."""
    for index in range(8):
        reading = draw_reading(("BarChart",), "train", 0, index, 140, "value")
        held = in_cells(reading.words, 7).reshape(7, 7, -1)
        pixels = np.array(reading.image, float).reshape(7, 20, 7, 20, 3)
        for name in {word for word, _ in reading.words if word in COLORS}:
            far = np.abs(pixels - COLORS[name]).max(-1) > TINT
            row, column = divmod(int(far.sum((1, 3)).argmin()), 7)
            assert held[row, column, VOCABULARY.index(name)]


def test_a_word_is_in_the_cells_that_hold_enough_of_it() -> None:
    held = in_cells([("red 12", (0.0, 0.5, 0.75, 1.0))], 4).reshape(4, 4, -1)
    words = [VOCABULARY.index(word) for word in ("red", "10", "2")]
    where = held[:, :, words].all(-1)
    assert where.tolist() == [[False] * 4] * 2 + [[True, True, True, False]] * 2
    assert held.sum() == 3 * where.sum()
    assert not in_cells([("unheard", (0.0, 0.0, 1.0, 1.0))], 4).any()


def test_conversations_are_written_as_the_policy_is_asked(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    tokenizer = policy.processor.tokenizer
    readings = [draw_reading(READ, "train", 0, index, SMALL.image_size) for index in range(6)]
    batch = Conversations(policy).encode(readings)
    for row, reading in enumerate(readings):
        first = reading.questions[0]
        prompt = policy.encode([Prompt(first.text, (reading.image,), "a")])
        start = prompt["input_ids"].shape[1]
        assert torch.equal(batch["input_ids"][row, :start], prompt["input_ids"][0])
        labels = batch["labels"][row]
        assert (labels[:start] == -100).all()
        said = "".join(f"{question.answer}<eos>" for question in reading.questions)
        assert tokenizer.decode(labels[labels != -100]) == said


def test_an_own_answer_that_was_cut_is_learned_without_an_end(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    tokenizer = policy.processor.tokenizer
    reading = draw_reading(READ, "train", 0, 0, SMALL.image_size)
    batch = Conversations(policy).encode([reading], PLAIN)
    said = [tokenizer.decode(row[row != -100]) for row in batch["labels"]]
    assert said[1:] == ["It is me.<eos>", "Because it was"]
    prompt = policy.encode([Prompt("Who is there?", (), "a")])["input_ids"][0]
    assert torch.equal(batch["input_ids"][1, : len(prompt)], prompt)


def test_what_is_rehearsed_is_not_what_is_tested() -> None:
    assert len(set(REHEARSED)) == len(REHEARSED)
    assert not set(REHEARSED) & set(QUESTIONS)


def test_pixels_are_those_of_the_processor(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    image = draw_reading(READ, "train", 0, 3, SMALL.image_size).image
    own = next(iter(Readings(policy, READ, 4, 0, 0)))["pixels"][3:]
    given = policy.encode([Prompt("?", (image,), "a")])["pixel_values"][0]
    made = training_loop.normalised(own, policy.processor.image_processor)
    torch.testing.assert_close(made, given, rtol=0, atol=1e-6)


def test_images_do_not_depend_on_the_workers_that_draw_them(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    alone = iter(Readings(policy, READ, 2, 0, 0))
    loader = DataLoader(Readings(policy, READ, 2, 0, 1), batch_size=None, num_workers=2)
    next(alone)
    for batch, _ in zip(loader, range(3), strict=False):
        own = next(alone)
        assert all(torch.equal(batch[name], own[name]) for name in own)


# Training


def test_the_language_model_is_frozen_until_the_second_stage(
    assembled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Policy.load(str(assembled), device="cpu").model.state_dict()
    after: dict[str, Any] = {}
    plain: Callable[[VlmTrainer, int, Path | None], None] = VlmTrainer._stage

    def stage(self: VlmTrainer, number: int, saved: Path | None) -> None:
        plain(self, number, saved)
        if number == 0:
            after.update({k: v.clone() for k, v in self.policy.model.state_dict().items()})

    monkeypatch.setattr(VlmTrainer, "_stage", stage)
    policy, losses = trained(assembled, tmp_path)
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert moved
    assert all("vision_model" in name or "connector" in name for name in moved)
    assert [row["stage"] for row in losses] == ["see"] * 3 + ["speak"] * 3
    lora = [
        w
        for name, w in policy.model.named_parameters()
        if "text_model" in name and "lora_B" in name
    ]
    assert any(weight.abs().sum() > 0 for weight in lora)


@pytest.mark.parametrize("killed_after", [2, 4])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    assembled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    monkeypatch.setattr(training_loop, "SAVE_EVERY", -1.0)
    whole, losses = trained(assembled, tmp_path / "whole")
    plain = VlmTrainer._update
    left = [killed_after]

    def update(self: VlmTrainer, *arguments: Any) -> torch.Tensor:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return plain(self, *arguments)

    monkeypatch.setattr(VlmTrainer, "_update", update)
    with pytest.raises(KeyboardInterrupt):
        trained(assembled, tmp_path / "killed")
    left[0] = 100
    resumed, again = trained(assembled, tmp_path / "killed")
    assert [row["loss"] for row in again] == [row["loss"] for row in losses]
    one, two = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_without_a_lora_the_language_model_stays_as_it_is(
    language_model: Path, assembled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LONGEST", 4)
    training = replace(FEW, updates=2, lora_rank=0)
    make_vlm(MakeVlm(str(language_model), tmp_path / "made", SMALL, training, held_out=6), print)
    language = read_rows(tmp_path / "made" / "language.jsonl")
    assert all(row["before"] == row["after"] for row in language)
    assert [row["nats_before"] for row in language] == [row["nats_after"] for row in language]
    assert "are those of the language model" in (tmp_path / "made" / "README.md").read_text()
    before = Policy.load(str(assembled), device="cpu").model.state_dict()
    after = Policy.load(str(tmp_path / "made"), device="cpu").model.state_dict()
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert moved
    assert all("vision_model" in name or "connector" in name for name in moved)


def test_the_lora_and_the_eyes_have_rates_of_their_own(assembled: Path, tmp_path: Path) -> None:
    ended = []
    for still in ("speak_learning_rate", "lora_learning_rate"):
        policy = Policy.load(str(assembled), device="cpu")
        training = replace(FEW, **{still: 0.0})
        trainer = VlmTrainer(policy, SMALL, training, 0, PLAIN, tmp_path / still, print)
        trainer.run()
        ended.append(dict(trainer.policy.model.named_parameters()))
    eyes_rest, lora_rests = ended
    for name, weight in lora_rests.items():
        if "lora_B" in name:
            assert not weight.any()
    assert any(weight.any() for name, weight in eyes_rest.items() if "lora_B" in name)
    connector = next(name for name in eyes_rest if "connector" in name)
    assert not torch.equal(eyes_rest[connector], lora_rests[connector])


def test_a_token_of_an_answer_costs_what_the_model_says(assembled: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    (said,) = answers(LocalSampler(policy, 8), ["Say hello."])
    cost, none = nats(policy, [{"question": "Say hello.", "before": b} for b in (said, "")])
    prompt = policy.encode([Prompt("Say hello.", (), "a")])["input_ids"]
    ids = policy.processor.tokenizer(said, add_special_tokens=False, return_tensors="pt")
    whole = torch.cat([prompt, ids["input_ids"]], 1)
    with torch.no_grad():
        logs = policy.model(input_ids=whole).logits[0, prompt.shape[1] - 1 : -1].log_softmax(-1)
    wanted = -logs.gather(-1, ids["input_ids"][0][:, None]).mean()
    assert cost == pytest.approx(float(wanted), rel=1e-5)
    assert none == 0


def test_the_command_makes_a_model_with_a_card_and_ends_where_it_is_finished(
    language_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making, "LONGEST", 4)
    out = tmp_path / "made"
    words = ["make-vlm", "--language-model", str(language_model), "--out", str(out)]
    words += shlex.split("--image-size 48 --patch 8 --width 24 --layers 1 --heads 2")
    words += shlex.split("--updates 2 --batch 2 --held-out 6 --device cpu")
    assert main(words) == 0
    card = (out / "README.md").read_text()
    assert "1 updates" in card
    assert str(tmp_path) not in card
    rows = read_rows(out / "perception.jsonl")
    assert [row["kind"] for row in rows] == list(KINDS)
    assert all(0 <= row["right"] <= 1 for row in rows)
    language = read_rows(out / "language.jsonl")
    assert [row["question"] for row in language] == list(QUESTIONS)
    assert all({"before", "after"} <= row.keys() for row in language)
    made = Policy.load(str(out), device="cpu").model.state_dict()
    again = tmp_path / "again"  # the same from its language model and what was trained alone
    given = ["--eyes", str(out / "training" / "eyes"), "--device", "cpu"]
    assert main([*words[:3], "--out", str(again), *given]) == 0
    other = Policy.load(str(again), device="cpu").model.state_dict()
    assert all(torch.equal(made[name], other[name]) for name in made)
    written = (out / "model.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert main(words) == 0
    assert "is finished" in capsys.readouterr().err
    assert (out / "model.safetensors").stat().st_mtime_ns == written
    assert main([*words, "--seed", "1"]) == 1
    assert "another seed" in capsys.readouterr().err


def test_eyes_of_another_language_model_are_refused(assembled: Path, tmp_path: Path) -> None:
    policy = Policy.load(str(assembled), device="cpu")
    with pytest.raises(FileNotFoundError, match="give a folder that make-vlm wrote"):
        tower_of(tmp_path)
    write_eyes(policy, SMALL, tmp_path)
    assert tower_of(tmp_path) == SMALL
    (path,) = tmp_path.glob("eyes*.safetensors")
    weights = load_file(path)
    name = max(weights)
    save_file({**weights, name: weights[name][:1].clone()}, path)
    with pytest.raises(ValueError, match="a language model of another size"):
        with_eyes(policy, tmp_path)
    del weights[name]
    save_file(weights, path)
    with pytest.raises(ValueError, match="1 missing"):
        with_eyes(policy, tmp_path)
