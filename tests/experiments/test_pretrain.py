"""What the embedded model is made of, and that it is made: a checkpoint like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import LlavaProcessor

from mstar.agents.policy.embedded import ASSISTANT, EMBEDDED, END
from mstar.agents.policy.policy import Policy
from mstar.experiments.pretrain.corpus import (
    DESCRIBE,
    IGNORED,
    Corpus,
    conversation,
    corpus_texts,
    draw,
    solution,
)
from mstar.experiments.pretrain.pretrain import READ, Pretraining, pretrain
from mstar.rewards.verifier.verify import verify

SETTINGS = Pretraining(Path("unused"), batch=3, workers=0, device="cpu", threads=1)


@pytest.fixture(scope="module")
def processor() -> LlavaProcessor:
    return LlavaProcessor.from_pretrained(EMBEDDED)


def test_the_batches_are_the_same_whatever_the_number_of_workers(processor: LlavaProcessor) -> None:
    corpus = Corpus(SETTINGS.mixed_corpus, processor, batch=2, seed=3)

    def batches(workers: int) -> list[dict[str, Any]]:
        loader = DataLoader(corpus, batch_size=None, num_workers=workers)
        return list(islice(loader, 4))

    for one, two in zip(batches(0), batches(2), strict=True):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_loss_is_on_what_the_assistant_says_and_on_its_ending(
    processor: LlavaProcessor,
) -> None:
    corpus = Corpus(SETTINGS.reading_corpus, processor, batch=6, seed=0)
    batch = next(iter(corpus))
    rng = np.random.default_rng([0, 0])
    for row, index in enumerate(range(6)):
        text = conversation(
            SETTINGS.reading_corpus, draw(SETTINGS.reading_corpus, 0, index, rng), rng
        )
        said = "".join(turn.split("<user>")[0] for turn in text.split(ASSISTANT)[1:])
        labels = batch["labels"][row]
        assert processor.tokenizer.decode(labels[labels != IGNORED]) == said
        assert said.endswith(END)


def test_careful_solutions_are_right_in_every_form_and_phrasing() -> None:
    rng = np.random.default_rng(0)
    config = replace(SETTINGS.reading_corpus, choice=0.5, phrased=1.0, described=False)
    boxed = 0
    for index in range(60):
        problem = draw(config, 7, index, rng)
        said = conversation(config, problem, rng).split(ASSISTANT)[1].removesuffix(END)
        boxed += r"\boxed" in said
        assert problem.answer is not None
        assert verify(said, problem.answer).correct, (said, problem.answer)
    assert boxed > 5


def test_the_corpus_of_stage_2_has_the_configured_shares_of_solutions() -> None:
    rng = np.random.default_rng(0)
    config = replace(SETTINGS.mixed_corpus, choice=0.0, phrased=0.0)
    problems = [draw(config, 1, index, rng) for index in range(400)]
    said = [solution(config, problem, rng) for problem in problems]
    guesses = np.mean([text.startswith("Answer") for text in said])
    careful = np.mean([text == p.solution for text, p in zip(said, problems, strict=True)])
    # Four standard errors of a share of 400 are at most 0.1.
    assert abs(careful - config.careful) < 0.1
    assert abs(guesses - (1 - config.careful - config.corrupted)) < 0.1
    right = np.mean(
        [verify(t, p.answer).correct for t, p in zip(said, problems, strict=True) if p.answer]
    )
    assert careful < right < 1 - config.corrupted / 2


def test_every_family_of_the_default_run_is_described_in_full() -> None:
    assert {f"{name}-v0" for name in DESCRIBE} <= set(READ)
    for text in corpus_texts(SETTINGS.reading_corpus, 0, 24):
        assert "{" not in text.replace(r"\boxed{", "")
        assert ASSISTANT not in text


def test_the_trained_model_loads_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(
        SETTINGS, out=tmp_path / "model", families=("Dice",), reading_steps=2, mixture_steps=1,
        mixture_batch=2, tokenizer_texts=300,
    )  # fmt: skip
    pretrain(settings)
    card = json.loads((tmp_path / "model" / "pretraining.json").read_text())
    assert card["updates"] == [2, 1]
    for folder in (tmp_path / "model", tmp_path / "model" / "reading"):
        assert Policy.load(str(folder), device="cpu").size > 1e6
    seconds = count(1.0)  # each reading of the clock is a second after the one before
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("mstar.experiments.pretrain.pretrain.time", clock)
    again = replace(settings, start=tmp_path / "model", out=tmp_path / "again", minutes=0.01)
    pretrain(again)
    card = json.loads((tmp_path / "again" / "pretraining.json").read_text())
    assert card["updates"][0] < 2, "the clock did not end the reading stage"
