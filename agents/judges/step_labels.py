"""Which steps of a response are right: exact labels for problems that know their solution."""

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
    """A response whose steps are known to be right or wrong.

    Attributes:
        problem: that it answers.
        steps: its lines.
        right: for each step, how likely it and all before it are right, in [0, 1]; NaN where
            nothing is known.
        kind: of the first error: perceive, compute or answer; "" where there is none.
        asked: whether a judge is asked about it; it may also only learn to write what is right.
    """

    problem: Problem
    steps: tuple[str, ...]
    right: tuple[float, ...]
    kind: str = ""
    asked: bool = True

    @property
    def first_error(self) -> int | None:
        """The first step that is rather wrong than right; None where there is none."""
        return next((place for place, right in enumerate(self.right) if right < 0.5), None)


def correct_solution(problem: Problem) -> LabelledResponse:
    """The problem's own solution, all right."""
    steps = tuple(steps_of(problem.solution))
    return LabelledResponse(problem, steps, (1.0,) * len(steps))


def answer_only(problem: Problem) -> LabelledResponse:
    """The right answer alone, for a judge to learn to write.

    It is not asked about: with as many right guesses as wrong ones it would trust guesses more
    than the policy's deserve.
    """
    steps = (problem.solution.splitlines()[-1],)
    return LabelledResponse(problem, steps, (1.0,), asked=False)


def corrupted_solution(problem: Problem, rng: np.random.Generator) -> LabelledResponse | None:
    """The solution with one misread or miscalculated step, wrong from there on.

    None where no step of the problem can be corrupted.
    """
    wrong = corrupt_solution(problem, rng)
    if wrong is None:
        return None
    steps = tuple(steps_of(wrong.text))
    right = tuple(float(place < wrong.first_error) for place in range(len(steps)))
    return LabelledResponse(problem, steps, right, wrong.kind)


def label_response(problem: Problem, response: str) -> LabelledResponse | None:
    """Exact labels of a response in the words of the problem's own solution.

    A line is right if the solution has it, whatever the order of lines and of the operands of a
    sum or product; the last line is right if the verifier says so. That is exact for a policy that
    writes as the families do; another's right steps in other words would be called wrong. None for
    an empty response.

    Args:
        problem: with steps and an answer.
        response: what the policy wrote.
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
    """What kind of error a wrong line is: of the answer, of arithmetic, or of reading."""
    return "answer" if closing else "compute" if "=" in line else "perceive"


def outcome_label(example: LabelledResponse) -> LabelledResponse | None:
    """The same response with one label, at its end: whether the verifier calls it right.

    None for an unlabelled problem, and where the verifier could not decide.
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
    """Labels up to the first error; behind it nothing is asked of a judge.

    As in PRM800K (Lightman et al. 2023, arXiv 2305.20050): what follows from an error is neither
    right nor wrong, and a judge that must call it wrong learns to remember instead of to look.

    >>> mask_after_error((1.0, 0.0, 0.0))
    (1.0, 0.0, nan)
    """
    first = next((place for place, value in enumerate(right) if value == 0.0), len(right))
    return tuple(v if place <= first else float("nan") for place, v in enumerate(right))


def _form(line: str) -> tuple[object, ...]:
    """What two lines have in common that say the same: sums and products in any order."""
    left, equals, result = line.partition("=")
    terms = TERMS.findall(left)
    if not equals or evaluate_arithmetic(left) is None or len(set(terms[1::2])) > 1 or "-" in terms:
        return (line.strip(),)
    return (tuple(sorted(terms)), result.strip()) if "/" not in terms else (line.strip(),)
