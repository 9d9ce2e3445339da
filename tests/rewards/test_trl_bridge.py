from __future__ import annotations

import asyncio
import functools
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from PIL import Image
from tiny_models import llava
from trl import GRPOConfig, GRPOTrainer
from trl.rewards import (
    accuracy_reward,
    get_cosine_scaled_reward,
    get_repetition_penalty_reward,
    get_soft_overlong_punishment,
    reasoning_accuracy_reward,
    think_format_reward,
)

from mstar.rewards import (
    REWARDS,
    Answer,
    Attempt,
    Repetition,
    RewardPanel,
    SelfCertainty,
    answer_from_json,
    answer_to_json,
    from_trl,
    to_trl,
)

REFERENCE = Answer("number", "7")
RIGHT = Attempt("How many?", r"<think>3 + 4</think> It is \boxed{7}.", REFERENCE, group="a")
WRONG = Attempt("How many?", r"<think>3 + 5</think> It is \boxed{8}.", REFERENCE, group="a")
UNLABELLED = Attempt("How many?", r"<think>3 + 4</think> It is \boxed{7}.", group="b")


def words(text: str) -> list[int]:
    return [len(word) for word in text.split()]


def test_accuracy_reward_works_in_a_panel_and_abstains_without_a_label() -> None:
    table = RewardPanel([from_trl(accuracy_reward)]).score([RIGHT, WRONG, UNLABELLED])
    assert table.names == ("accuracy_reward",)
    np.testing.assert_array_equal(table["accuracy_reward"], [1, 0, np.nan])
    np.testing.assert_array_equal(table.reward, [1, 0, np.nan])


def test_a_reference_answer_that_trl_cannot_read_is_an_abstention() -> None:
    unreadable = Attempt("Which?", r"\boxed{7}", Answer("text", "the red one"))
    assert np.isnan(from_trl(accuracy_reward).score([unreadable])).all()


@pytest.mark.parametrize(
    ("function", "scale", "expected"),
    [
        (reasoning_accuracy_reward, None, [1.0, 0.0, np.nan]),
        (think_format_reward, None, [1.0, 1.0, 1.0]),
        (get_repetition_penalty_reward(2, -1.0), (-1, 0), [1.0, 1.0, 1.0]),
        (get_soft_overlong_punishment(8, 4), (-1, 0), [0.5, 0.5, 0.5]),
        (get_cosine_scaled_reward(12), (-1, 1), [0.875, 0.125, np.nan]),
    ],
    ids=["reasoning", "think", "repetition", "overlong", "cosine"],
)
def test_the_reward_functions_of_trl_work_in_a_panel(
    function: Any, scale: tuple[float, float] | None, expected: list[float]
) -> None:
    model = from_trl(function, scale=scale, tokenize=words)
    table = RewardPanel([model]).score([RIGHT, WRONG, UNLABELLED])
    np.testing.assert_allclose(table[model.name], expected, atol=1e-6)


def test_a_function_that_reads_token_ids_needs_a_tokenizer() -> None:
    with pytest.raises(ValueError, match="'soft_overlong_punishment_reward' reads completion_ids"):
        from_trl(get_soft_overlong_punishment(4, 2), scale=(-1, 0))


async def politeness(completions: list[Any], **columns: Any) -> list[float | None]:
    await asyncio.sleep(0)
    return [None if "8" in c[0]["content"] else 0.25 for c in completions]


class Judge:
    async def __call__(self, completions: list[Any], **columns: Any) -> list[float]:
        return [float("nan")] * len(completions)


@pytest.mark.parametrize(
    ("function", "name", "expected"),
    [
        (politeness, "politeness", [0.25, np.nan]),
        (functools.partial(politeness, strict=True), "politeness", [0.25, np.nan]),
        (Judge(), "Judge", [np.nan, np.nan]),
    ],
    ids=["function", "partial", "object"],
)
def test_async_functions_work_and_none_and_nan_are_abstentions(
    function: Any, name: str, expected: list[float]
) -> None:
    model = from_trl(function)
    assert model.name == name
    np.testing.assert_array_equal(model.score([RIGHT, WRONG]), expected)


def test_an_async_function_works_inside_a_running_event_loop() -> None:
    async def notebook() -> np.ndarray:
        return from_trl(politeness).score([RIGHT])

    assert asyncio.run(notebook()) == [0.25]


def test_a_score_outside_the_unit_interval_needs_a_scale() -> None:
    def signed(completions: Sequence[Any], **columns: Any) -> list[float]:
        return [-1.0] * len(completions)

    with pytest.raises(ValueError, match=r"'signed' returned -1.0; scores must lie in \[0, 1\]"):
        RewardPanel([from_trl(signed)]).score([RIGHT])
    assert RewardPanel([from_trl(signed, scale=(-1, 1))]).score([RIGHT]).reward == [0.0]
    with pytest.raises(ValueError, match="lowest, highest"):
        from_trl(signed, scale=(1, -1))


def test_a_function_that_returns_too_few_scores_is_an_error_with_its_name() -> None:
    def forgetful(completions: Sequence[Any], **columns: Any) -> list[float]:
        return [1.0]

    with pytest.raises(ValueError, match="'forgetful' returned 1 scores for 2 completions"):
        from_trl(forgetful).score([RIGHT, WRONG])


def test_a_function_may_use_extra_columns_and_the_trainers_loggers() -> None:
    def bonus(completions: Any, difficulty: list[float], log_metric: Any, **_: Any) -> list[float]:
        log_metric("difficulty", sum(difficulty))
        return difficulty

    model = from_trl(bonus, name="bonus", columns=lambda attempt: {"difficulty": 0.5})
    np.testing.assert_array_equal(model.score([RIGHT, UNLABELLED]), [0.5, 0.5])


def test_a_function_is_not_called_without_attempts() -> None:
    assert from_trl(accuracy_reward).score([]).shape == (0,)
    assert from_trl(accuracy_reward).score([UNLABELLED]).shape == (1,)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        REFERENCE,
        Answer("choice", "red", choices=("red", "blue")),
        Answer("chart_number", "3.5", unit="cm", tolerance=0.05),
    ],
)
def test_answers_round_trip_through_a_dataset_column(answer: Answer | None) -> None:
    assert answer_from_json(answer_to_json(answer)) == answer
    column = Dataset.from_list([{"answer": answer_to_json(answer)}])["answer"]
    assert answer_from_json(column[0]) == answer


@pytest.mark.parametrize("column", ["7", "seven", "[1]", '{"type": "number"}', '{"kind": "x"}'])
def test_an_invalid_answer_column_is_an_error_that_names_answer_to_json(column: str) -> None:
    with pytest.raises(ValueError, match="answer_to_json"):
        answer_from_json(column)


class Spy:
    name = "spy"

    def __init__(self) -> None:
        self.seen: list[Attempt] = []

    def score(self, attempts: Sequence[Attempt]) -> np.ndarray:
        self.seen = list(attempts)
        return np.full(len(attempts), np.nan, np.float32)


def test_dataset_columns_are_read_into_attempts() -> None:
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("L", (4, 4), 9)
    spy = Spy()
    parts = [{"type": "image"}, {"type": "text", "text": "How many?"}]
    scores = to_trl(spy)(
        prompts=[[{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]]
        * 3,
        completions=[[{"role": "assistant", "content": text}] for text in ("7", "8", "9")],
        completion_ids=[[1], [2], [3]],
        answer=[answer_to_json(REFERENCE)] * 3,
        image=[red, red.copy(), blue],
        facts=[["3", "4"]] * 3,
        counterfactual=[answer_to_json(Answer("number", "5"))] * 3,
        certainty=[1.5, None, 2.0],
        trainer_state=object(),
        log_extra=print,
    )
    assert scores == [None, None, None]
    first, same, other = spy.seen
    assert (first.question, first.response, first.answer) == ("How many?", "7", REFERENCE)
    assert (first.facts, first.counterfactual, first.certainty) == (
        ("3", "4"),
        Answer("number", "5"),
        1.5,
    )
    assert first.group == same.group != other.group
    assert other.images[0].render().mode == "RGB"


def test_unlabelled_rows_are_compared_by_their_answer_spec() -> None:
    completions = ["Answer: 9 m", "Answer: 900 cm", "Answer: 9", "Answer: 8 m"]
    spec = answer_to_json(Answer("number", "", unit="m"))
    reward = to_trl(REWARDS["self_consistency"]())
    scores = reward(prompts=["How far?"] * 4, completions=completions, answer_spec=[spec] * 4)
    assert scores == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])


def test_plain_text_prompts_without_columns_are_unlabelled_attempts() -> None:
    spy = Spy()
    to_trl(spy)(prompts=["How many?", "How far?"], completions=["7", "8 km"])
    assert [(a.question, a.response, a.answer) for a in spy.seen] == [
        ("How many?", "7", None),
        ("How far?", "8 km", None),
    ]
    assert spy.seen[0].group != spy.seen[1].group


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_function_keeps_its_name_when_pickled(name: str) -> None:
    function = pickle.loads(pickle.dumps(to_trl(REWARDS[name]())))
    assert function.__name__ == name
    scores = function(prompts=["How many?"] * 2, completions=["7", "Answer: 7"])
    assert len(scores) == 2
    assert all(score is None or 0 <= score <= 1 for score in scores)


def test_a_panel_is_converted_to_a_reward_function() -> None:
    function = to_trl(RewardPanel([Repetition(), SelfCertainty()]))
    assert function.__name__ == "panel"
    assert function(prompts=["q", "q"], completions=["a b c d", ""]) == [1.0, 0.0]


def test_correctness_agrees_with_accuracy_reward_of_trl(tmp_path: Path) -> None:
    columns = {"solution": ["7", "7"], "answer": [answer_to_json(REFERENCE)] * 2}
    completions = [[{"role": "assistant", "content": a.response}] for a in (RIGHT, WRONG)]
    ours = to_trl(REWARDS["correctness"]())(
        prompts=["q"] * 2, completions=completions, completion_ids=[[1]] * 2, **columns
    )
    assert ours == accuracy_reward(completions, columns["solution"])


def test_a_grpo_step_runs_with_our_rewards_and_those_of_trl(tmp_path: Path) -> None:
    model, processor = llava()
    rows = [
        {
            "prompt": [{"role": "user", "content": f"How many {color} squares?"}],
            "image": Image.new("RGB", (32, 32), color),
            "answer": answer_to_json(REFERENCE),
            "solution": "7",
        }
        for color in ("red", "blue")
    ]
    functions = [to_trl(REWARDS[name]()) for name in ("repetition", "correctness")]
    abstains = to_trl(SelfCertainty())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trainer's own deprecations
        config = GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=8,
            max_steps=1,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        )
        trainer = GRPOTrainer(
            model,
            reward_funcs=[*functions, abstains, accuracy_reward, politeness],
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=processor,
        )
        trainer.train()
    logged = trainer.state.log_history[0]
    for name in ("repetition", "correctness", "accuracy_reward", "politeness"):
        assert 0 <= logged[f"rewards/{name}/mean"] <= 1
    assert logged["rewards/self_certainty/mean"] is None
    assert np.isfinite(logged["reward"])
