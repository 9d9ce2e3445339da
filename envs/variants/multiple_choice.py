"""Open questions turned into multiple choice, without options that give the answer away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from mstar.envs.datasets.options import LETTERS
from mstar.envs.families.base import Family, Style
from mstar.envs.families.catalog import FAMILIES, family_called
from mstar.envs.problem import Problem
from mstar.envs.source import FAMILY_PROBLEM_ID, MappedSource, ProblemSource
from mstar.envs.variants.option_layout import QuestionParts, join_question, layout_for
from mstar.rewards.base import Answer
from mstar.rewards.verifier.verify import equivalent

OPTIONS = 4
MOST_RESAMPLED = 12  # further images drawn at most to get wrong answers to the same question
WHOLE_NUMBER = re.compile(r"\d{1,9}")
CLOCK_TIME = re.compile(r"(\d{1,2}):(\d{2})")


def choice_form(source: ProblemSource, options: int = OPTIONS) -> MappedSource:
    """A source whose open questions are asked as multiple choice; see ``as_choice``."""
    return MappedSource(source, partial(as_choice, options=options))


def as_choice(problem: Problem, seed: int = 0, options: int = OPTIONS) -> Problem:
    """Turn an open question into multiple choice.

    The reference answer is at a random place, and the wrong options of a generated problem are
    answers to the same question about other images, so that neither place nor size nor frequency
    identifies it (``mstar envs blind`` measures this). No two options are equivalent for the
    verifier. A question with fewer possible wrong answers, such as yes or no, gets fewer options; a
    question that has none, or that is multiple choice already, is returned unchanged.

    Args:
        problem: its id and the seed determine the options.
        seed: another seed gives other options in another order.
        options: how many, 2 to 26.

    Raises:
        ValueError: `options` is out of range.
    """
    if not 2 <= options <= len(LETTERS):
        raise ValueError(f"options must be 2 to {len(LETTERS)}, got {options}")
    answer = problem.answer
    if answer is None or answer.choices:
        return problem
    rng = problem_rng(problem.id, seed)
    wrong = _wrong_options(problem, answer, options - 1, rng)
    if not wrong:
        return problem
    texts = [answer.value, *wrong]
    choices = tuple(texts[i] for i in rng.permutation(len(texts)))
    parts = QuestionParts(problem.question, None, "")
    question = join_question(parts, choices, layout_for(choices))
    chosen = replace(
        problem,
        question=question,
        answer=Answer("choice", answer.value, choices),
        distractors=tuple(wrong),
    )
    return replace(chosen, counterfactual=_counterfactual_form(problem, question, choices))


def family_of(problem: Problem) -> Family | None:
    """The family that generated a problem, as it was then; None for a problem of a data set."""
    parts = FAMILY_PROBLEM_ID.fullmatch(problem.id)
    if parts is None or parts[1] not in FAMILIES or not problem.latent:
        return None
    return family_called(parts[1], int(parts[2]))(int(parts[4]))


def problem_rng(problem_id: str, seed: int) -> np.random.Generator:
    """A random generator for a problem and a seed, the same on every machine."""
    digest = hashlib.sha256(problem_id.encode()).digest()
    return np.random.default_rng([int.from_bytes(digest[:8], "big"), seed])


def numeric_value(text: str) -> float | None:
    """The number that an option states, or the minutes of a clock time; None if neither."""
    if clock := CLOCK_TIME.fullmatch(text):
        return 60.0 * int(clock[1]) + int(clock[2])
    try:
        return float(text) if len(text) < 20 else None
    except ValueError:
        return None


def _counterfactual_form(
    problem: Problem, question: str, choices: tuple[str, ...]
) -> Problem | None:
    """The counterfactual with the same options; None if its answer is not among them."""
    other = problem.counterfactual
    if other is None or other.answer is None or other.answer.value not in choices:
        return None
    answer = Answer("choice", other.answer.value, choices)
    return replace(other, question=question, answer=answer)


def _wrong_options(
    problem: Problem, answer: Answer, count: int, rng: np.random.Generator
) -> list[str]:
    """Wrong answers for other images first, then distractors, then nearby numbers.

    Answers for other images come first because they are as likely as the reference answer to
    someone who sees no image; a nearby number or a typical mistake could be told from an answer
    that the question often has.
    """
    mistakes = [problem.distractors[i] for i in rng.permutation(len(problem.distractors))]
    candidates = chain(_answers_for_other_images(problem, rng), mistakes, _nearby(answer, rng))
    return _distinct(answer, candidates, count)


def _answers_for_other_images(problem: Problem, rng: np.random.Generator) -> Iterator[str]:
    if problem.counterfactual is not None and problem.counterfactual.answer is not None:
        yield problem.counterfactual.answer.value
    family = family_of(problem)
    if family is None:
        return
    for _ in range(MOST_RESAMPLED):
        yield family.solve(family.vary(dict(problem.latent), rng), Style()).answer.value


def _distinct(answer: Answer, candidates: Iterable[str], count: int) -> list[str]:
    """The first `count` candidates that the verifier tells from the answer and one another."""
    distinct: list[str] = []
    compared: set[str] = set()
    for candidate in candidates:
        if len(distinct) == count:
            break
        if candidate in compared:
            continue
        compared.add(candidate)
        if not any(equivalent(c, candidate, answer) for c in (answer.value, *distinct)):
            distinct.append(candidate)
    return distinct


def _nearby(answer: Answer, rng: np.random.Generator) -> list[str]:
    """Numbers or times around the answer, in steps that keep its last digit unremarkable."""
    clock = CLOCK_TIME.fullmatch(answer.value)
    whole = WHOLE_NUMBER.fullmatch(answer.value)
    if not clock and not whole:
        return []
    write: Callable[[int], str] = _clock_text if clock else str
    value = int(numeric_value(answer.value) or 0)
    step = next(s for s in (10, 5, 1) if value % s == 0 and (value > 2 * s or s == 1))
    shifts = [int(s) * step for s in rng.permutation(np.arange(1, 6))]
    values = [v for s in shifts for v in (value - s, value + s)]
    return [write(v) for v in values if v >= (60 if clock else 0) and not (clock and v >= 780)]


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"
