"""The contract of every procedural family and of its images."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from mstar.envs import Knob
from mstar.envs.families.bar_chart import BarChart
from mstar.envs.families.base import LEVELS, SPLITS, Difficulty, Style
from mstar.envs.families.catalog import FAMILIES, FORMER
from mstar.envs.families.clock import Clock
from mstar.envs.families.counting import Counting
from mstar.envs.families.dice import Dice
from mstar.envs.families.former_wordings import FORMER_WORDINGS
from mstar.envs.families.function_graph import FunctionGraph
from mstar.envs.families.parts.drawing import Drawing, text_width
from mstar.envs.families.parts.icons import ICONS, icon
from mstar.envs.families.pictograph import Pictograph
from mstar.envs.families.shapes import Shapes
from mstar.envs.families.table import Table
from mstar.envs.problem import Problem
from mstar.envs.source import find_problem
from mstar.envs.variants.phrasing import Phrasing, phrase

EIGHT = [BarChart, Clock, Counting, Dice, FunctionGraph, Pictograph, Shapes, Table]
DRAWN = 24  # problems of each family and level
BLIND = 1000  # problems of each family and level, over all templates
MOST_FREQUENT = 0.35  # share of the most frequent answer of a template, at most
TWO_WAYS, MOST_FREQUENT_OF_TWO = {"yes", "no", "true", "false"}, 0.6

every_family = pytest.mark.parametrize("name", list(FAMILIES))
every_level = pytest.mark.parametrize("level", LEVELS)
every_own_name = pytest.mark.parametrize("name", [family.name for family in EIGHT])


@cache
def problems(name: str, level: int) -> list[Problem]:
    family = FAMILIES[name](level)
    return [family.problem("train", 3, index) for index in range(DRAWN)]


def pixels(problem: Problem, size: int = 96) -> np.ndarray[Any, Any]:
    return np.array(problem.images[0].render(size))


def calculated(expression: str) -> Fraction:
    """Numbers and + - * / with spaces between them, products first."""
    numbers, signs = expression.split()[::2], expression.split()[1::2]
    terms = [Fraction(numbers[0])]
    for sign, number in zip(signs, numbers[1:], strict=True):
        if sign in "+-":
            terms.append(Fraction(number) * (1 if sign == "+" else -1))
        else:
            terms[-1] = terms[-1] * Fraction(number) ** (1 if sign == "*" else -1)
    return sum(terms, Fraction(0))


@every_level
@every_family
def test_split_seed_and_index_fix_the_problem_and_its_pixels(name: str, level: int) -> None:
    again = FAMILIES[name](level).problem("train", 3, 5)
    first = problems(name, level)[5]
    assert (again.id, again.question, again.answer, again.steps, again.latent) == (
        first.id, first.question, first.answer, first.steps, first.latent,
    )  # fmt: skip
    assert (pixels(again) == pixels(first)).all()


@every_level
@every_family
def test_another_index_or_seed_is_another_problem(name: str, level: int) -> None:
    latents = {json.dumps(problem.latent, sort_keys=True) for problem in problems(name, level)}
    assert len(latents) >= 0.9 * DRAWN
    other = FAMILIES[name](level).problem("train", 4, 5)
    assert not np.array_equal(pixels(other), pixels(problems(name, level)[5]))


@every_level
@every_family
def test_the_exact_solution_is_judged_correct(name: str, level: int) -> None:
    verify = pytest.importorskip("mstar.rewards.verifier.verify").verify
    for problem in problems(name, level):
        assert verify(problem.solution, problem.answer).correct, problem.solution
        for wrong in problem.distractors:
            assert not verify(f"Answer: {wrong}", problem.answer).correct, (wrong, problem.answer)


@every_level
@every_family
def test_nine_in_ten_have_a_counterfactual_with_another_image_and_answer(
    name: str, level: int
) -> None:
    pairs = [
        (problem, problem.counterfactual)
        for problem in problems(name, level)
        if problem.counterfactual
    ]
    assert len(pairs) >= 0.9 * DRAWN
    for problem, other in pairs:
        assert other.question == problem.question
        assert other.answer != problem.answer
        assert not np.array_equal(pixels(problem), pixels(other))


def decisive_numbers(problem: Problem) -> set[str]:
    """Numbers of the question that a correct reading of the image would also give."""
    asked = set(re.findall(r"\d+(?:\.\d+)?", problem.question))
    return asked & {step.value for step in problem.steps if step.kind == "perceive"}


@every_level
@every_family
def test_the_question_contains_no_number_that_has_to_be_read(name: str, level: int) -> None:
    for problem in problems(name, level):
        assert not decisive_numbers(problem), (problem.question, problem.solution)


@every_level
@every_family
def test_arithmetic_is_true_and_follows_from_what_was_read(name: str, level: int) -> None:
    for problem in problems(name, level):
        for step in problem.steps:
            assert step.value in step.text
            assert "\n" not in step.text
            if step.kind == "compute" and "=" in step.text:
                left, _, right = step.text.partition(" = ")
                assert calculated(left) == Fraction(right) == Fraction(step.value), step.text


@every_level
@every_family
def test_the_last_step_gives_the_answer(name: str, level: int) -> None:
    for problem in problems(name, level):
        assert problem.answer is not None
        last, answer = problem.steps[-1].value, problem.answer.value
        parts = [str(int(part)) for part in answer.split(":")] if ":" in answer else []
        assert last in (answer, *parts), problem.solution


@every_level
@every_family
def test_latents_are_json(name: str, level: int) -> None:
    for problem in problems(name, level):
        assert json.loads(json.dumps(problem.latent)) == problem.latent


@every_level
@every_family
def test_splits_share_no_latent_whatever_the_seeds(name: str, level: int) -> None:
    family = FAMILIES[name](level)
    seen = [
        {
            json.dumps(family.problem(split, seed, index).latent, sort_keys=True)
            for seed, index in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
        }
        for split in SPLITS
    ]
    assert len(set.union(*seen)) == sum(map(len, seen))


@every_level
@every_family
def test_boxes_lie_inside_the_image(name: str, level: int) -> None:
    boxes = [step.box for problem in problems(name, level) for step in problem.steps if step.box]
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


@every_level
@every_own_name
def test_nothing_is_cut_off_at_the_edge(name: str, level: int) -> None:
    for problem in problems(name, level)[:20]:
        image = pixels(problem, 336)
        edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (edge == edge[0]).all(), problem.id


@every_level
@every_own_name
@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_text_lies_inside_the_image_in_any_style(
    name: str, level: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[float, float, float, float]] = []

    def note(
        drawing: Drawing, at: Any, text: str, height: float = 0.09, *_: Any, **options: Any
    ) -> None:
        assert height >= (0.11 if level == 1 and name != "BarChart" else 0.09)
        width = text_width(text, height)
        left = at[0] - width * {"m": 0.5, "r": 1.0, "l": 0.0}[options.get("anchor", "mm")[0]]
        written.append((left, at[1] - 0.38 * height, left + width, at[1] + 0.38 * height))

    drawn = problems(name, level)[:15]  # cached: drawn before texts are caught, not without them
    monkeypatch.setattr(Drawing, "text", note)
    for problem in drawn:
        for shift in ((-1.0, -1.0), (1.0, 1.0)):
            FAMILIES[name](level).build(dict(problem.latent), Style(shift=shift, scale=scale))
    assert all(min(box) >= 0 and max(box) <= 1 for box in written)


@every_level
@every_family
def test_a_blind_reader_is_seldom_right(name: str, level: int) -> None:
    family, rng = FAMILIES[name](level), np.random.default_rng(7)
    answers: dict[str, Counter[str]] = {}
    for _ in range(BLIND):
        latent = family.latent(rng)
        answer = family.solve(latent, Style()).answer.value
        answers.setdefault(latent["ask"]["template"], Counter())[answer] += 1
    for template, count in answers.items():
        (most, often), *_ = count.most_common(1)
        limit = MOST_FREQUENT_OF_TWO if set(count) <= TWO_WAYS else MOST_FREQUENT
        assert often <= limit * count.total(), (template, most, often / count.total())


@every_own_name
def test_level_one_needs_two_readings_before_at_most_two_calculations(name: str) -> None:
    for problem in problems(name, 1):
        kinds = "".join(step.kind[0] for step in problem.steps)  # p for perceive, c for compute
        assert kinds in ("ppc", "pppc", "ppcc"), problem.solution
        assert problem.solution.split("Answer")[0].islower()


@every_own_name
def test_level_one_has_more_than_two_thousand_latents(name: str) -> None:
    family, rng = FAMILIES[name](1), np.random.default_rng(1)
    seen: set[str] = set()
    for _ in range(9000):
        seen.add(json.dumps(family.latent(rng)))
        if len(seen) > 2000:
            return
    pytest.fail(f"{name} has only {len(seen)} latents in 9,000 draws")


@every_family
def test_each_template_has_three_wordings_that_differ(name: str) -> None:
    for wordings in FAMILIES[name].wordings.values():
        assert len(set(wordings)) == len(wordings) >= 3


@pytest.mark.parametrize("version", FORMER)
def test_a_former_version_asks_the_same_problems_in_its_own_words(version: str) -> None:
    name, asked = FORMER[version].name, set()
    for level in LEVELS:
        former = FORMER[version](level)
        for index, newest in enumerate(problems(name, level)):
            problem = former.problem("train", 3, index)
            assert problem.id == f"{version}/train/L{level}/3/{index}"
            assert replace(
                problem, id=newest.id, question=newest.question, counterfactual=None
            ) == (replace(newest, counterfactual=None))
            assert find_problem(former, "train", problem.id).question == problem.question
            asked |= {phrase(problem, Phrasing(wording=w)).question for w in range(3)}
    for sentence in FORMER_WORDINGS[version].values():
        shape = re.sub(r"\\\{\w+\\\}", ".+", re.escape(sentence))
        assert any(re.fullmatch(shape, question) for question in asked), sentence


@every_family
def test_distractors_are_wrong_and_differ(name: str) -> None:
    for problem in problems(name, 2):
        assert problem.answer is not None
        assert problem.answer.value not in problem.distractors
        assert len(set(problem.distractors)) == len(problem.distractors)
        assert len(problem.distractors) >= (1 if problem.answer.type == "yes_no" else 2)


def test_an_unknown_icon_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'blob' is not known; use one of: circle"):
        icon(Drawing(), "blob", (0.5, 0.5), 0.1, (0, 0, 0))
    assert len(ICONS) == len(set(ICONS))


@every_level
@every_family
def test_the_style_changes_neither_the_answer_nor_the_text_of_a_step(name: str, level: int) -> None:
    family, rng = FAMILIES[name](level), np.random.default_rng(5)
    for problem in problems(name, level)[:8]:
        solution = family.solve(dict(problem.latent), Style.sample(rng))
        assert solution.answer == problem.answer
        assert [(s.text, s.refs) for s in solution.steps] == [
            (s.text, s.refs) for s in problem.steps
        ]


def test_a_family_that_assembles_its_own_problems_is_told_what_to_define_instead() -> None:
    with pytest.raises(TypeError, match=r"Old defines build.*solve.*draw.*plug-ins"):
        type("Old", (BarChart,), {"name": "Old", "build": lambda *_: None})


def test_the_former_name_of_a_difficulty_parameter_still_works() -> None:
    assert Knob is Difficulty
