"""Labels of the steps of a response, exact for problems that have a worked solution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.envs.problem import Problem
from mstar.envs.variants.corruptions import corrupt_solution, evaluate_arithmetic
from mstar.rewards.models.process import steps_of
from mstar.rewards.verifier.verify import verify

TERMS = re.compile(r"\d+|[-+*/]")


@dataclass(frozen=True, slots=True)
class LabelledResponse:
    """A response with a label for each step.

    Attributes:
        problem: that it answers.
        steps: its lines.
        right: for each step the probability that it and all before it are right, in [0, 1]; NaN
            if unknown.
        kind: of the first error: perceive, compute or answer; "" if there is none.
        judged: whether a judge is trained to score it, or only to generate its right steps.
    """

    problem: Problem
    steps: tuple[str, ...]
    right: tuple[float, ...]
    kind: str = ""
    judged: bool = True

    @property
    def first_error(self) -> int | None:
        """Index of the first step with a label below 0.5; None if there is none."""
        return next((place for place, right in enumerate(self.right) if right < 0.5), None)


def correct_solution(problem: Problem) -> LabelledResponse:
    """The problem's own solution, all steps labelled right."""
    steps = tuple(steps_of(problem.solution))
    return LabelledResponse(problem, steps, (1.0,) * len(steps))


def answer_only(problem: Problem) -> LabelledResponse:
    """The right answer without steps, for a judge to learn to generate.

    It is not judged: with as many right guesses as wrong ones a judge would trust guesses more
    than those of a policy deserve.
    """
    steps = (problem.solution.splitlines()[-1],)
    return LabelledResponse(problem, steps, (1.0,), judged=False)


def corrupted_solution(problem: Problem, rng: np.random.Generator) -> LabelledResponse | None:
    """The solution with one misread or miscalculated step, labelled wrong from there on.

    None if no step of the problem can be corrupted.
    """
    wrong = corrupt_solution(problem, rng)
    if wrong is None:
        return None
    steps = tuple(steps_of(wrong.text))
    right = tuple(float(place < wrong.first_error) for place in range(len(steps)))
    return LabelledResponse(problem, steps, right, wrong.kind)


def label_response(problem: Problem, response: str) -> LabelledResponse | None:
    """Label a response by comparing its lines with those of the problem's own solution.

    A line is right if the solution contains it, in any order of lines and of the operands of a sum
    or product; the last line is right if the verifier accepts it. This is exact for a policy that
    writes as the families do; right steps in other words would be labelled wrong.

    Args:
        problem: with worked steps.
        response: of the policy.

    Returns:
        None for an empty response, and for a problem without an answer.
    """
    steps = steps_of(response)
    if not steps or problem.answer is None:
        return None
    known = {_form(step.text) for step in problem.steps}
    right: list[float] = []
    kind = ""
    for place, line in enumerate(steps):
        closing = place == len(steps) - 1
        holds = verify(line, problem.answer).correct if closing else _form(line) in known
        if not holds and not kind:
            kind = error_kind(line, closing)
        right.append(float(not kind))
    return LabelledResponse(problem, tuple(steps), tuple(right), kind)


def error_kind(line: str, closing: bool) -> str:
    """The kind of error of a wrong line: answer, compute or perceive.

    Args:
        line: a step.
        closing: whether it is the last one.
    """
    return "answer" if closing else "compute" if "=" in line else "perceive"


def outcome_label(example: LabelledResponse) -> LabelledResponse | None:
    """The same response with one label, at its end: the verifier's verdict.

    None for an unlabelled problem, and if the verifier cannot decide.
    """
    if example.problem.answer is None:
        return None
    verdict = verify("\n".join(example.steps), example.problem.answer)
    if not verdict.valid:
        return None
    unknown = (float("nan"),) * (len(example.steps) - 1)
    kind = "" if verdict.correct else "answer"
    return LabelledResponse(
        example.problem, example.steps, (*unknown, float(verdict.correct)), kind
    )


def mask_after_error(right: Sequence[float]) -> tuple[float, ...]:
    """Mask the labels after the first error as unknown.

    As in PRM800K (Lightman et al. 2023, arXiv 2305.20050): what follows from an error is neither
    right nor wrong, and a judge trained to call it wrong learns to remember earlier errors.

    >>> mask_after_error((1.0, 0.0, 0.0))
    (1.0, 0.0, nan)
    """
    first = next((place for place, value in enumerate(right) if value == 0.0), len(right))
    return tuple(v if place <= first else float("nan") for place, v in enumerate(right))


def _form(line: str) -> tuple[object, ...]:
    """A normal form: equal for lines that differ in the order of a sum or product only."""
    left, equals, result = line.partition("=")
    terms = TERMS.findall(left)
    if not equals or evaluate_arithmetic(left) is None or len(set(terms[1::2])) > 1 or "-" in terms:
        return (line.strip(),)
    return (tuple(sorted(terms)), result.strip()) if "/" not in terms else (line.strip(),)
