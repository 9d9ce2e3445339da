"""The same problem phrased differently."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mstar.agents.sampling.base import Response
from mstar.envs import FAMILIES, Mixture, Phrasing, Problem, as_choice, phrase
from mstar.envs.problem import Prompt
from mstar.envs.task import Task
from mstar.envs.variants.instructions import INSTRUCTIONS, STYLES, instruction
from mstar.envs.variants.option_layout import OPTION_LAYOUTS, split_question
from mstar.envs.variants.phrasing import AXES, distinct_phrasings, draw_phrasing, phrase_all
from mstar.envs.variants.unlabelled import unlabelled
from mstar.experiments.evaluation.variants import (
    ask_variants,
    by_variant,
    consistency,
    in_training,
)
from mstar.rewards.base import Answer
from mstar.rewards.verifier.verify import verify


def stored(question: str, choices: tuple[str, ...], gold: str) -> Problem:
    return Problem("set@0/train/1", (), question, Answer("choice", gold, choices))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_wording_of_a_family_asks_for_the_same_answer(name: str) -> None:
    family = FAMILIES[name](2)
    for index in range(4):
        problem = family.problem("train", 3, index)
        own = int(problem.tags["wording"])
        assert phrase(problem, Phrasing(wording=own)).question == problem.question
        asked = [
            phrase(problem, Phrasing(wording=w))
            for w in range(len(family.wordings[problem.template]))
        ]
        assert len({other.question for other in asked}) == len(asked) > 1
        for number, other in enumerate(asked):
            assert (other.id, other.answer, other.steps) == (
                problem.id,
                problem.answer,
                problem.steps,
            )
            assert other.tags["phrasing"] == f"wording={number}"
            assert other.counterfactual is None or other.counterfactual.question == other.question


@pytest.mark.parametrize("letters", OPTION_LAYOUTS)
def test_the_verifier_accepts_every_option_layout(letters: str) -> None:
    problem = as_choice(FAMILIES["BarChart"](1).problem("train", 0, 1))
    other = phrase(problem, Phrasing(letters=letters, order=3))  # type: ignore[arg-type]
    assert other.answer is not None
    assert other.answer.choices is not None
    place = other.answer.choices.index(other.answer.value)
    letter = "abcd"[place] if letters == "(a)" else "ABCD"[place]
    said = (
        other.answer.value if letters == "-" else letters.replace("A", letter).replace("a", letter)
    )
    assert split_question(other.question, other.answer.choices).layout == letters
    assert verify(f"Answer: {said}", other.answer).correct
    assert not verify(f"Answer: {other.distractors[0]}", other.answer).correct


def test_the_answer_follows_its_option_and_so_does_the_counterfactual() -> None:
    moved = 0
    for index in range(30):
        problem = as_choice(FAMILIES["Counting"](2).problem("train", 0, index))
        other = phrase(problem, Phrasing(order=5))
        assert problem.answer
        assert other.answer
        assert problem.answer.choices
        assert other.answer.choices
        assert other.answer.value == problem.answer.value
        assert sorted(other.answer.choices) == sorted(problem.answer.choices)
        moved += other.answer.choices != problem.answer.choices
        if other.counterfactual and other.counterfactual.answer:
            assert other.counterfactual.answer.choices == other.answer.choices
            assert other.counterfactual.question == other.question
    assert moved > 20


def test_options_are_found_in_the_questions_of_a_data_set() -> None:
    problem = stored(
        "Which? Choices: A. red, B. dark red, C. blue\nThink.", ("red", "dark red", "blue"), "B"
    )
    other = phrase(problem, Phrasing(letters="(a)", order=2))
    assert other.answer is not None
    assert other.answer.choices is not None
    assert other.answer.value == "dark red"
    shown = " ".join(f"({m}) {c}" for m, c in zip("abc", other.answer.choices, strict=True))
    assert other.question == f"Which? Choices:\n{shown}\nThink."


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("Which?\n(A) 1 (B) 2 (C) none of the above", ("1", "2", "none of the above")),
        ("Which angle?\n(A) A (B) B (C) C", ("A", "B", "C")),
        ("Which, red or blue?", ("red", "blue")),
    ],
)
def test_options_that_must_not_move_keep_their_order(
    question: str, choices: tuple[str, ...]
) -> None:
    problem = stored(question, choices, choices[0])
    other = phrase(problem, Phrasing(order=4))
    assert (other.question, other.answer) == (problem.question, problem.answer)
    assert other.tags["phrasing"] == ""


def test_the_instruction_reaches_the_prompt_in_its_language() -> None:
    task = Task(source="Dice", size=96, panel=("format",), seed=0)
    problem = task.draw(1)[0]
    assert task.prompt(phrase(problem, Phrasing())).text == task.prompt(problem).text
    french = task.prompt(phrase(problem, Phrasing(instruction="brief", language="fr"))).text
    assert french == f"{problem.question}\n{INSTRUCTIONS['fr']['brief']}"
    assert task.prompt(phrase(problem, Phrasing(language="de"))).text.endswith(
        instruction("steps", "de")
    )
    assert task.prompt(phrase(problem, Phrasing(instruction="none"))).text == problem.question


def test_every_language_has_every_style_in_a_form_that_the_verifier_reads() -> None:
    for styles in INSTRUCTIONS.values():
        assert set(styles) == set(STYLES)
        assert all("Answer: ..." in t or r"\boxed{}" in t or t == "" for t in styles.values())


def test_a_label_reproduces_the_phrasing() -> None:
    source = Mixture([FAMILIES[name](2) for name in ("Venn", "Tree", "SpatialScene", "Clock")])
    for index in range(24):
        problem = source.problem("train", 0, index)
        problem = as_choice(problem) if index % 2 else problem
        other = phrase(problem, draw_phrasing(np.random.default_rng(index), AXES))
        again = phrase(problem, Phrasing.read(other.tags["phrasing"]))
        assert (again.question, again.answer, again.instruction, again.tags) == (
            other.question,
            other.answer,
            other.instruction,
            other.tags,
        )


def test_only_the_given_axes_vary_and_the_seed_determines_how() -> None:
    problems = [FAMILIES["Venn"](1).problem("train", 0, i) for i in range(20)]
    assert phrase_all(problems, (), 1) == problems
    varied = phrase_all(problems, ("instruction",), 1)
    assert {p.question for p in varied} == {p.question for p in problems}
    assert len({p.instruction for p in varied}) > 2
    assert [p.tags for p in varied] == [p.tags for p in phrase_all(problems, ("instruction",), 1)]
    assert [p.tags for p in varied] != [p.tags for p in phrase_all(problems, ("instruction",), 2)]


def test_an_unlabelled_problem_is_reworded_without_its_label() -> None:
    problem = unlabelled(FAMILIES["Venn"](1)).problem("train", 0, 0)
    asked = {phrase(problem, Phrasing(wording=w)).question for w in range(3)}
    assert len(asked) == 3
    assert phrase(problem, Phrasing(wording=1)).answer is None


def test_phrasings_are_distinct_and_start_with_the_default() -> None:
    found = distinct_phrasings(8, AXES)
    assert len(set(found)) == 8
    assert found[0] == Phrasing()
    with pytest.raises(ValueError, match="4 phrasings"):
        distinct_phrasings(4, ("language",))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"language": "xx"}, "en, de, fr"),
        ({"letters": "1)"}, "known layouts"),
        ({"order": -1}, "0 or"),
    ],
)
def test_an_unknown_phrasing_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Phrasing(**wrong)  # type: ignore[arg-type]


class CutWhenAskedAnew:
    """Gives the right answer, but is cut off behind it where the instruction is another one."""

    def sample(
        self, prompts: Sequence[Prompt], samples: Any, temperature: Any, seed: int
    ) -> list[list[Response]]:
        plain = [INSTRUCTIONS["en"]["steps"] in prompt.text for prompt in prompts]
        return [
            [Response("Answer: 7", (1,), logprob=0.0, entropy=0.0, certainty=0.0, finished=each)]
            for each in plain
        ]


def test_a_response_that_was_cut_off_is_not_right_in_any_phrasing() -> None:
    problem = Problem("set@0/test/1", (), "3 + 4 = ?", Answer("number", "7"))
    task = Task(source="Dice", panel=("correctness",))
    asked = [Phrasing(), Phrasing(instruction="brief")]
    rows = ask_variants(CutWhenAskedAnew(), task, [problem], asked, seed=0, group="trained")
    assert [(row["variant"], row["right"]) for row in rows] == [
        ("as drawn", True),
        ("instruction=brief", False),
    ]


def test_accuracy_by_variant_and_consistency_are_counted() -> None:
    verdicts = {"p": (True, True), "q": (True, False), "r": (False, False), "s": (True, True)}
    rows = [
        {"group": "trained", "id": p, "number": n, "variant": str(n), "right": right}
        for p, both in verdicts.items()
        for n, right in enumerate(both)
    ]
    assert [line.estimate.mean for line in by_variant(rows)] == [0.75, 0.5]
    assert [line.estimate.mean for line in consistency(rows)] == [0.75, 0.5]


def test_training_accuracy_is_reported_by_each_value_of_a_phrasing() -> None:
    rows = [
        {"problem": "p", "phrasing": "wording=1 language=fr", "oracle": True},
        {"problem": "p", "phrasing": "wording=1 language=fr", "oracle": False},
        {"problem": "q", "phrasing": "wording=1", "oracle": True},
        {"problem": "r", "phrasing": "", "oracle": None},
    ]
    means = {line.variant: line.estimate.mean for line in in_training(rows)}
    assert means == {"language=fr": 0.5, "wording=1": 0.75}
    assert in_training([{"problem": "p", "oracle": True}]) == []
