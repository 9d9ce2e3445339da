"""The process reward model: labels, scores, training, and the evaluation of its errors."""

from __future__ import annotations

import itertools
import pickle
from concurrent.futures import Executor, Future
from dataclasses import replace
from multiprocessing.context import BaseContext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from closeness import rounding, within_rounding

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import panel_of
from mstar.agents.judges.prompts import attempt_prompt
from mstar.agents.judges.step_judge import StepJudge
from mstar.agents.judges.step_labels import (
    answer_only,
    correct_solution,
    corrupted_solution,
    label_response,
    mask_after_error,
    outcome_label,
)
from mstar.agents.judges.training import JudgeTraining, judge_batch, pack, train_judge, unpack
from mstar.agents.policy.policy import Policy
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem, Prompt
from mstar.experiments.judges.errors import error_table, family_table, first_error_f1
from mstar.experiments.judges.evaluation import (
    EvaluationItem,
    best_threshold,
    evaluation_items,
    judged_rows,
)
from mstar.experiments.judges.examples import JudgeExamples, batches
from mstar.rewards.base import Attempt
from mstar.rewards.models.process import ProcessReward, ReadingReward, Steps, first_error


@pytest.fixture
def judge(model: str) -> StepJudge:
    torch.manual_seed(0)
    return StepJudge.fresh(Policy.load(model))


def dice(index: int = 0) -> Problem:
    return FAMILIES["Dice"](1).problem("train", 0, index)


def test_the_lowest_step_score_is_the_reward_and_without_steps_it_abstains() -> None:
    steps = [np.array([0.9, 0.3, 0.8], np.float32), np.zeros(0, np.float32)]

    def scorer(attempts: object) -> list[Steps]:
        return steps

    scores = ProcessReward(scorer).score([Attempt("q", "a\nb\nc"), Attempt("q", "")])
    assert scores[0] == np.float32(0.3)
    assert np.isnan(scores[1])


def test_reading_is_judged_by_the_steps_that_state_something_seen() -> None:
    def scorer(attempts: object) -> list[Steps]:
        return [np.array([0.9, 0.6, 0.3, 0.1], np.float32), np.array([0.2], np.float32)]

    read = Attempt("q", "red is 3\nblue is 5\n3 + 5 = 8\nAnswer: 8")
    scores = ReadingReward(scorer).score([read, Attempt("q", "Answer: 8")])
    assert scores[0] == np.float32(0.6)
    assert np.isnan(scores[1])


def test_the_first_error_is_the_first_step_below_the_threshold() -> None:
    steps = np.array([0.9, 0.6, 0.4, 0.45], np.float32)
    assert first_error(steps) == 2
    assert first_error(steps[:2]) is None


@pytest.mark.parametrize("name", ["Counting", "Dice", "Ruler", "Shapes"])
def test_labels_of_solutions_and_corrupted_solutions_are_exact(name: str) -> None:
    rng = np.random.default_rng(0)
    for index in range(20):
        problem = FAMILIES[name](1).problem("train", 0, index)
        assert all(correct_solution(problem).right)
        wrong = corrupted_solution(problem, rng)
        assert wrong is not None
        place = wrong.first_error
        assert place is not None
        assert wrong.steps[:place] == correct_solution(problem).steps[:place]
        assert wrong.steps[place] != correct_solution(problem).steps[place]
        again = label_response(problem, "\n".join(wrong.steps))
        assert again is not None
        assert (again.first_error, again.kind) == (place, wrong.kind)


def test_an_answer_is_one_step_and_an_empty_response_has_no_labels() -> None:
    problem = dice()
    assert problem.answer is not None
    right = label_response(problem, f"Answer: {problem.answer.value}")
    assert right is not None
    assert right.right == (True,)
    wrong = label_response(problem, "Answer: 999")
    assert wrong is not None
    assert (wrong.first_error, wrong.kind) == (0, "answer")
    assert label_response(problem, " \n ") is None


def test_scores_do_not_depend_on_the_batch_and_survive_saving(
    judge: StepJudge, tmp_path: Path
) -> None:
    torch.nn.init.normal_(judge.head.weight, std=0.01)
    torch.nn.init.zeros_(judge.head.bias)
    attempts = [dice(i).attempt(dice(i).solution) for i in range(3)]
    attempts.append(dice().attempt(""))
    together = judge.scores(attempts)
    assert [len(steps) for steps in together[:3]] == [
        len(correct_solution(dice(i)).steps) for i in range(3)
    ]
    assert len(together[3]) == 0
    replace(judge, threshold=0.37).save(tmp_path / "judge")
    again = StepJudge.load(tmp_path / "judge")
    assert again.threshold == 0.37
    for attempt, steps in zip(attempts, together, strict=True):
        np.testing.assert_allclose(again.scores([attempt])[0], steps, atol=rounding())
    assert np.ptp(np.concatenate(together)) > 0.01


def test_a_judge_with_lora_learns_and_survives_saving(judge: StepJudge, tmp_path: Path) -> None:
    judge.backbone.save(tmp_path / "base")
    thin = StepJudge.fresh(Policy.load(str(tmp_path / "base")).with_lora(2))
    attempt = dice().attempt(dice().solution)
    before = thin.scores([attempt])[0]
    batch = judge_batch(
        thin.backbone, [attempt_prompt(attempt, 96)], [(0, correct_solution(dice()))]
    )
    list(train_judge(thin, [batch] * 3, JudgeTraining(updates=3, learning_rate=1e-2, warmup=1)))
    thin.save(tmp_path / "thin")
    assert not (tmp_path / "thin" / "model.safetensors").exists()
    after = StepJudge.load(tmp_path / "thin").scores([attempt])[0]
    np.testing.assert_allclose(after, thin.scores([attempt])[0], atol=rounding())
    assert np.abs(after - before).max() > 1e-3


def test_a_folder_without_a_judge_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"judges\.train"):
        StepJudge.load(tmp_path)


def test_scores_equal_those_of_one_forward_pass_over_images_question_and_response(
    judge: StepJudge,
) -> None:
    problem = dice()
    lines = ["red is 3", "Answer: 3"]
    prompt = attempt_prompt(problem.attempt(""), 96)
    encoded = judge.backbone.encode([prompt])
    written = judge.backbone.processor.tokenizer("red is 3\nAnswer: 3\n", return_tensors="pt")
    ids = torch.cat([encoded["input_ids"], written["input_ids"]], dim=1)
    whole_text = {**encoded, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        hidden = judge.backbone.network(**whole_text, output_hidden_states=True).hidden_states[-1]
        judge.head.weight[:] = 0
        judge.head.weight[0, 5] = 1.0  # one number of the last hidden state, and nothing beside it
        logits = judge.logits([prompt, prompt], [["Answer: 7"], lines])[1]
        end = hidden[0, -1, 5] + judge.head.bias[0]
    assert float(logits[-1]) == within_rounding(float(end))


def test_a_problem_is_prefilled_once_for_all_its_responses(
    judge: StepJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    encode = Policy.encode

    def counting(policy: Policy, prompts: list[Prompt]) -> object:
        read.append(len(prompts))
        return encode(policy, prompts)

    monkeypatch.setattr(Policy, "encode", counting)
    problems = [dice(0), dice(1)]
    mixed = [problems[i % 2].attempt(f"Answer: {i}") for i in range(8)]
    apart = [judge.scores([attempt])[0] for attempt in mixed]
    read.clear()
    together = judge.scores(mixed)
    assert read == [2]
    for one, same in zip(apart, together, strict=True):
        np.testing.assert_allclose(one, same, atol=rounding())


def test_a_response_longer_than_the_backbone_reads_has_no_scores(judge: StepJudge) -> None:
    long, short = "red is 3\n" * 1_000, "Answer: 3"
    found = judge.scores([dice().attempt(long), dice().attempt(short)])
    assert [len(steps) for steps in found] == [0, 1]
    assert np.array_equal(found[1], judge.scores([dice().attempt(short)])[0])


def test_equal_responses_have_equal_scores_in_any_batch(judge: StepJudge) -> None:
    small = replace(judge, batch_rows=2)
    texts = ["Answer: 1", "red is 3\nAnswer: 3", "Answer: 1", "red is 3\n5 + 5 = 1\nAnswer: 3", ""]
    attempts = [dice(index).attempt(text) for text in texts for index in range(3)]
    found = small.scores(attempts)
    assert [len(steps) for steps in found[::3]] == [1, 2, 1, 3, 0]
    for one, same in zip(found[:3], found[6:9], strict=True):
        assert np.array_equal(one, same)
    for one, alone in zip(found, (judge.scores([attempt])[0] for attempt in attempts), strict=True):
        np.testing.assert_allclose(one, alone, atol=rounding())


def questioned() -> list[EvaluationItem]:
    rng = np.random.default_rng(0)
    asked = []
    for index in range(4):
        wrong = corrupted_solution(dice(index), rng)
        assert wrong is not None
        asked += [
            EvaluationItem(0, "exact", correct_solution(dice(index))),
            EvaluationItem(0, "slip", wrong),
        ]
    return asked


def test_a_trained_judge_separates_right_steps_from_wrong_ones(judge: StepJudge) -> None:
    asked = questioned()
    prompts = [attempt_prompt(q.example.problem.attempt(""), 96) for q in asked[::2]]
    rows = [(place // 2, question.example) for place, question in enumerate(asked)]
    batch = judge_batch(judge.backbone, prompts, rows)
    fit = JudgeTraining(updates=80, learning_rate=1e-2, warmup=5)
    losses = [float(loss) for loss in train_judge(judge, itertools.repeat(batch), fit)]
    assert len(losses) == 80
    assert losses[-1] < 0.5 * losses[0]
    rows_of_test = judged_rows(judge, asked)
    found = first_error_f1(rows_of_test)
    assert found.f1 > 0.7
    assert found.low <= found.f1 <= found.high
    assert 0 < best_threshold(rows_of_test) < 1


def test_training_ends_after_a_time_limit(
    judge: StepJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(1.0)  # each reading of the clock is a second after the one before
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("mstar.agents.judges.training.time", clock)
    example = correct_solution(dice())
    batch = judge_batch(judge.backbone, [attempt_prompt(dice().attempt(""), 96)], [(0, example)])
    fit = JudgeTraining(updates=10**6, seconds=3.0)
    assert 0 < len(list(train_judge(judge, itertools.repeat(batch), fit))) <= 4


def test_steps_after_the_first_error_are_not_judged(judge: StepJudge) -> None:
    wrong = label_response(dice(), "red is 99\n99 + 1 = 100\nAnswer: 100")
    assert wrong is not None
    batch = judge_batch(judge.backbone, [attempt_prompt(dice().attempt(""), 96)], [(0, wrong)])
    assert batch.right[0, 0] == 0
    assert bool(batch.right[0, 1:].isnan().all())
    assert mask_after_error((1.0, 1.0)) == (1.0, 1.0)


def test_an_answer_alone_is_learned_but_not_judged(judge: StepJudge) -> None:
    rows = [(0, correct_solution(dice())), (0, answer_only(dice()))]
    batch = judge_batch(judge.backbone, [attempt_prompt(dice().attempt(""), 96)], rows)
    assert bool(batch.right[1].isnan().all())
    assert batch.sure[1, 0] == 1.0
    assert float(batch.sure[1].sum()) == 1.0
    wrong = label_response(dice(), "red is 99\nAnswer: 100")
    assert wrong is not None
    batch = judge_batch(judge.backbone, [attempt_prompt(dice().attempt(""), 96)], [(0, wrong)])
    assert float(batch.sure.sum()) == 0.0


def test_an_outcome_label_is_the_verdict_of_the_verifier() -> None:
    problem = dice()
    assert problem.answer is not None
    lucky = label_response(problem, f"red is 99\nAnswer: {problem.answer.value}")
    assert lucky is not None
    assert lucky.right[-1] == 0.0
    found = outcome_label(lucky)
    assert found is not None
    assert np.isnan(found.right[0])
    assert found.right[-1] == 1.0
    assert found.first_error is None


def test_steps_in_another_order_are_right_and_reversed_differences_are_wrong() -> None:
    problem = next(p for p in map(dice, range(50)) if " + " in p.solution and len(p.steps) == 4)
    *read, worked = [step.text for step in problem.steps]
    left, result = worked.split(" = ")
    turned = " + ".join(reversed(left.split(" + ")))
    text = "\n".join([*reversed(read), f"{turned} = {result}", f"Answer: {result}"])
    found = label_response(problem, text)
    assert found is not None
    assert found.first_error is None
    problem = next(p for p in map(dice, range(50)) if " - " in p.solution)
    high, low = problem.steps[-1].text.split(" = ")[0].split(" - ")
    text = f"{low} - {high} = {problem.steps[-1].value}\n{problem.solution}"
    found = label_response(problem, text)
    assert found is not None
    assert found.first_error == 0


class Elsewhere(Executor):
    """Stands for processes: what goes there and comes back is copied by pickle."""

    def __init__(self, workers: int, context: BaseContext, **_: Any) -> None:
        assert context.get_start_method() == "spawn"  # a fork would copy torch's locks

    def submit(self, *given: Any) -> Future[Any]:  # type: ignore[override]
        function, *arguments = pickle.loads(pickle.dumps(given))
        future: Future[Any] = Future()
        future.set_result(pickle.loads(pickle.dumps(function(*arguments))))
        return future


def test_batches_do_not_depend_on_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mstar.experiments.judges.examples.ProcessPoolExecutor", Elsewhere)
    settings = JudgeExamples(problems=2, samples=1)
    here, there = batches(settings, 0), batches(settings, 1)
    for _ in range(2):
        one, other = next(here), next(there)
        assert torch.equal(one.written.tokens, other.written.tokens)
        assert torch.equal(one.right.nan_to_num(-1), other.right.nan_to_num(-1))
        assert torch.equal(one.encoded["pixel_values"], other.encoded["pixel_values"])
        assert torch.equal(unpack(pack(one)).written.ends, one.written.ends)
    there.close()


def test_the_threshold_is_the_one_that_finds_errors_best() -> None:
    rows = [
        {
            "problem": "a",
            "source": "slip",
            "kind": "compute",
            "first_error": 1,
            "scores": [0.9, 0.6],
        },
        {"problem": "b", "source": "exact", "kind": "", "first_error": None, "scores": [0.8, 0.7]},
    ]
    assert 0.6 < best_threshold(rows) <= 0.7


def test_the_f1_is_of_located_errors_and_accepted_solutions() -> None:
    rows = [
        {"problem": "a", "kind": "perceive", "first_error": 1, "seen": 1},
        {"problem": "b", "kind": "compute", "first_error": 2, "seen": 1},
        {"problem": "c", "kind": "", "first_error": None, "seen": None},
        {"problem": "d", "kind": "", "first_error": None, "seen": None},
    ]
    assert first_error_f1(rows).f1 == pytest.approx(2 * 0.5 / 1.5)
    assert first_error_f1(rows, "perceive").f1 == pytest.approx(1.0)
    assert first_error_f1(rows, "compute").f1 == 0.0
    with pytest.raises(ValueError, match="needs wrong and right"):
        first_error_f1(rows[:2])


def test_the_tables_have_a_row_for_each_kind_and_each_family() -> None:
    wrong = {"kind": "perceive", "first_error": 1, "seen": 1, "family": "Dice"}
    right = {"kind": "", "first_error": None, "seen": None, "family": "Dice"}
    rows = [
        {**row, "problem": source, "source": source}
        for row in (wrong, right)
        for source in ("slip", "own")
    ]
    assert family_table(rows).splitlines()[2:] == [
        "| Dice | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] |"
    ]
    assert [line.split(" | ")[1] for line in error_table(rows).splitlines()[2:]] == [
        "any",
        "perceive",
    ] * 2
    assert len(error_table(rows[:1]).splitlines()) == 2  # no right one, no F1


def test_the_shipped_judge_joins_a_panel_by_name() -> None:
    recipe = Recipe().replace(panel=("correctness", "process"), rank="process")
    problem = dice()
    table = panel_of(recipe).score([problem.attempt(problem.solution), problem.attempt("")])
    assert 0 <= table["process"][0] <= 1
    assert np.isnan(table["process"][1])


def test_an_unknown_name_in_a_panel_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no reward model \['progress'\].*process"):
        panel_of(Recipe().replace(panel=("correctness", "progress"), rank="correctness"))


def test_examples_take_the_levels_in_turn() -> None:
    settings = JudgeExamples(families=("Dice",), levels=(1, 3), problems=2, samples=1)
    assert [settings.recipe(number).data.level for number in range(3)] == [1, 3, 1]
    asked = evaluation_items(settings, "test", 4, [0])
    assert [q.example.problem.tags["level"] for q in asked if q.source == "exact"] == list("1133")
    with pytest.raises(ValueError, match="got \\(0,\\)"):
        JudgeExamples(levels=(0,))
