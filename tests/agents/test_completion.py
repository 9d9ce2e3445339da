"""Completions of prefixes, and the Monte Carlo labels from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import double_precision
from tiny_models import save_tiny_model

from mstar.agents.judges.monte_carlo import consensus, monte_carlo
from mstar.agents.judges.step_labels import LabelledResponse, correct_solution, label_response
from mstar.agents.policy.embedded import EMBEDDED
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.base import Response
from mstar.agents.sampling.completion import complete
from mstar.agents.sampling.local import LocalSampler
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Prompt
from mstar.envs.task import INSTRUCTION


def dice(index: int) -> Problem:
    return FAMILIES["Dice"](1).problem("test", 0, index)


def asked(problem: Problem) -> Prompt:
    picture = problem.images[0].render(96)
    return Prompt(f"{problem.question}\n{INSTRUCTION}", (picture,), problem.id)


@pytest.fixture(scope="module", autouse=True)
def exact_tokens() -> Iterator[None]:
    """Whether a beginning is read or written rounds differently; see ``closeness``."""
    with double_precision():
        yield


@pytest.fixture(scope="module")
def sampler() -> LocalSampler:
    return LocalSampler(Policy.load(str(EMBEDDED)), 48, 16)


def test_greedy_completions_of_prefixes_of_a_response_are_its_rest(sampler: LocalSampler) -> None:
    prompts = [asked(dice(i)) for i in range(4)]
    chains = ["red is", "red is 3\n"]
    begun = complete(sampler, prompts, [chains] * 4, 1, seed=0, temperature=0.0)
    whole = [
        [text + ending.text for text, (ending,) in zip(chains, endings, strict=True)]
        for endings in begun
    ]
    halves = [["".join(text.splitlines(keepends=True)[:2]) for text in texts] for texts in whole]
    rest = complete(sampler, prompts, halves, 1, seed=0, temperature=0.0)
    for texts, starts, endings in zip(whole, halves, rest, strict=True):
        for text, start, (ending,) in zip(texts, starts, endings, strict=True):
            assert start + ending.text == text


@pytest.mark.parametrize("kind", ["llava", "qwen2_5_vl"])
def test_every_model_completes_a_prefix_as_if_it_were_part_of_the_prompt(
    kind: str, tmp_path: Path
) -> None:
    policy = Policy.load(str(save_tiny_model(kind, tmp_path / kind)))
    prompts = [asked(dice(i)) for i in range(2)]
    texts = [["red is", "r"], ["2 + 1 ="]]
    found = complete(LocalSampler(policy, 6, 8), prompts, texts, 2, seed=0, temperature=0.0)
    for prompt, beginnings, endings in zip(prompts, texts, found, strict=True):
        for text, (one, other) in zip(beginnings, endings, strict=True):
            inputs = policy.encode([prompt])
            ids = policy.processor.tokenizer(text, add_special_tokens=False, return_tensors="pt")
            count = ids["input_ids"].shape[1]
            fills = {"input_ids": ids["input_ids"], "attention_mask": torch.ones(1, count).long()}
            for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
                if name in inputs:
                    fill = fills.get(name, torch.zeros(1, count).long())
                    inputs[name] = torch.cat([inputs[name], fill], dim=1)
            whole = policy.network.generate(**inputs, max_new_tokens=6, do_sample=False)
            written = whole[0, inputs["input_ids"].shape[1] :].tolist()
            assert list(one.tokens) == written[: len(one.tokens)]
            assert one.tokens == other.tokens


def test_a_prompt_is_prefilled_once_for_all_its_prefixes(sampler: LocalSampler) -> None:
    sampler.reset_counts()
    found = complete(sampler, [asked(dice(0))], [["red is 3\n", "red is 4\n"]], 3, seed=0)
    assert [len(group) for group in found[0]] == [3, 3]
    assert (sampler.prompts_prefilled, sampler.responses) == (1, 6)
    again = complete(sampler, [asked(dice(0))], [["red is 4\n"]], 3, seed=0)
    assert [r.text for r in again[0][0]] == [r.text for r in found[0][1]]


def test_invalid_prefixes_are_refused(sampler: LocalSampler) -> None:
    with pytest.raises(ValueError, match="prefix is empty"):
        complete(sampler, [asked(dice(0))], [[""]], 1, seed=0)
    with pytest.raises(ValueError, match="1 lists of prefixes for 2"):
        complete(sampler, [asked(dice(0)), asked(dice(1))], [["a"]], 1, seed=0)


def test_a_step_is_labelled_by_the_completions_after_it(
    sampler: LocalSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = dice(0)
    assert problem.answer is not None
    good, bad = f"Answer: {problem.answer.value}", "Answer: 999"
    steps = correct_solution(problem).steps

    def endings(
        sampler: LocalSampler,
        prompts: Sequence[Prompt],
        beginnings: Sequence[Sequence[str]],
        samples: int,
        seed: int,
    ) -> list[list[list[Response]]]:
        """Each step loses one of the good endings."""
        return [
            [
                [
                    Response(good if k >= text.count("\n") else bad, (1,), 0.0, 0.0, 0.0, True)
                    for k in range(1, samples + 1)
                ]
                for text in texts
            ]
            for texts in beginnings
        ]

    monkeypatch.setattr("mstar.agents.judges.monte_carlo.complete", endings)
    example = correct_solution(problem)
    (soft,) = monte_carlo(sampler, [asked(problem)], [(0, example)], 4, "soft", 0)
    (hard,) = monte_carlo(sampler, [asked(problem)], [(0, example)], 2, "hard", 0)
    assert soft.right[:3] == (1.0, 0.75, 0.5)
    assert soft.right[-1] == 1.0
    assert hard.right[:3] == (1.0, 1.0, 0.0)
    assert hard.first_error == 2
    assert hard.kind == ("compute" if "=" in steps[2] else "perceive")


def test_consensus_keeps_labels_that_agree() -> None:
    problem = dice(0)
    one = LabelledResponse(problem, ("a", "b", "c"), (1.0, 1.0, 0.0), "answer")
    other = LabelledResponse(problem, ("a", "b", "c"), (0.75, 0.25, 0.0), "compute")
    found = consensus(one, other)
    assert found.right[0] == 1.0
    assert np.isnan(found.right[1])
    assert (found.right[2], found.kind) == (0.0, "answer")


def test_the_embedded_policy_labels_its_own_steps(sampler: LocalSampler) -> None:
    problem = dice(0)
    wrong = label_response(problem, "red is 9\n9 + 9 = 99\nAnswer: 99")
    assert wrong is not None
    found = monte_carlo(
        sampler, [asked(problem)], [(0, wrong), (0, correct_solution(problem))], 4, "soft", 0
    )
    assert [len(example.right) for example in found] == [3, len(correct_solution(problem).steps)]
    assert all(0 <= value <= 1 for example in found for value in example.right)
    assert (found[0].right[-1], found[1].right[-1]) == (0.0, 1.0)
