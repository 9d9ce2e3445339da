"""Solutions with one known error: a step is misread or miscalculated, and the rest follows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mstar.envs.problem import Problem, Step, StepKind

NUMBER = re.compile(r"\d+")
TERM = re.compile(r"\s*(\d+)\s*([-+*/]?)")


@dataclass(frozen=True, slots=True)
class CorruptedSolution:
    """A solution that is wrong at one step and consistent with that error afterwards.

    Attributes:
        lines: the steps as text, without the answer line.
        first_error: index of the wrong step; later steps follow from it correctly.
        kind: the kind of the wrong step, perceive or compute.
        answer: the wrong answer that it leads to.
    """

    lines: tuple[str, ...]
    first_error: int
    kind: StepKind
    answer: str

    @property
    def text(self) -> str:
        """The whole solution, including the answer line."""
        return "\n".join([*self.lines, f"Answer: {self.answer}"])


def corrupt_solution(
    problem: Problem, rng: np.random.Generator, kind: StepKind | None = None
) -> CorruptedSolution | None:
    """Make one step of the exact solution wrong and carry the error through to the answer.

    Args:
        problem: one with steps and an answer.
        rng: picks the step and the wrong value.
        kind: perceive or compute; None allows either.

    Returns:
        The corrupted solution, or None if no step of that kind states a whole number that affects
        the answer.

    Raises:
        ValueError: the problem is unlabelled.
    """
    if problem.answer is None:
        raise ValueError(f"problem {problem.id} is unlabelled, so it has no solution to corrupt")
    kinds = ("perceive", "compute") if kind is None else (kind,)
    candidates = [
        index
        for index, step in enumerate(problem.steps)
        if step.kind in kinds and step.value.isdecimal()
    ]
    for index in rng.permutation(candidates).tolist():
        corrupted = _corrupt_step(problem, int(index), rng)
        if corrupted is not None:
            return corrupted
    return None


def evaluate_arithmetic(text: str) -> Fraction | None:
    """The value of whole numbers joined by + - * /, with precedence; None for any other text.

    >>> evaluate_arithmetic("2 + 3 * 4")
    Fraction(14, 1)
    >>> evaluate_arithmetic("2 + x") is None
    True
    """
    total, product, sign, operator, position = Fraction(0), Fraction(0), 1, "+", 0
    while position < len(text):
        term = TERM.match(text, position)
        if term is None or (operator == "/" and int(term[1]) == 0):
            return None
        value, position = Fraction(int(term[1])), term.end()
        if operator in "+-":
            total, product, sign = total + sign * product, value, 1 if operator == "+" else -1
        else:
            product = product * value if operator == "*" else product / value
        operator = term[2]
        if not operator:
            return total + sign * product if not text[position:].strip() else None
    return None


def _corrupt_step(
    problem: Problem, index: int, rng: np.random.Generator
) -> CorruptedSolution | None:
    steps = problem.steps
    right = int(steps[index].value)
    wrong = max(0, right + int(rng.choice([-2, -1, -1, 1, 1, 2])))
    if wrong == right:
        wrong = right + 1
    lines = [step.text for step in steps]
    lines[index] = _replace_last(steps[index].text, steps[index].value, str(wrong))
    values = [step.value for step in steps]  # of each step, once the error is carried through
    values[index] = str(wrong)
    for later in range(index + 1, len(steps)):
        if steps[later].kind == "perceive":
            continue
        if "=" not in lines[later]:
            return None  # what a conclusion in words would be for the wrong number is not known
        left = _left_side(steps, later, values)
        result = evaluate_arithmetic(left)
        if result is None or result.denominator != 1 or result < 0:
            return None
        lines[later], values[later] = f"{left} = {result}", str(result)
    changed = {step.value: value for step, value in zip(steps, values, strict=True)}
    assert problem.answer is not None
    answer = NUMBER.sub(lambda match: changed.get(match[0], match[0]), problem.answer.value)
    if answer == problem.answer.value:
        return None
    return CorruptedSolution(tuple(lines), index, steps[index].kind, answer)


def _left_side(steps: Sequence[Step], later: int, values: Sequence[str]) -> str:
    """The left side of a computation with each operand replaced by its corrupted value.

    An operand is taken from the first unused step that had its value and refers to the same
    objects. A sum may use a step twice, as when a half is doubled. An operand that comes from no
    step is a constant and stays.
    """
    left = steps[later].text.split("=", 1)[0].strip()
    objects = set(steps[later].refs)
    sources = [i for i in range(later) if not objects or objects & set(steps[i].refs)]
    sources = sources or list(range(later))
    used: list[int] = []

    def operand(match: re.Match[str]) -> str:
        for source in [*sources, *(used if "+" in left else [])]:
            if steps[source].value == match[0]:
                if source in sources:
                    sources.remove(source)
                used.append(source)
                return values[source]
        return match[0]

    return NUMBER.sub(operand, left)


def _replace_last(text: str, old: str, new: str) -> str:
    head, _, tail = text.rpartition(old)
    return f"{head}{new}{tail}"
