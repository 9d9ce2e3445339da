"""Solutions with one slip in them: what a careless solver writes, with the first error known."""

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
class Slip:
    """A solution that goes wrong at one step and is consistent from there on.

    Attributes:
        lines: the steps as text, without the answer line.
        first_error: index of the wrong step; later steps follow from it without a fault.
        kind: the kind of the wrong step, perceive or compute.
        answer: the wrong answer that it leads to.
    """

    lines: tuple[str, ...]
    first_error: int
    kind: StepKind
    answer: str

    @property
    def text(self) -> str:
        """The whole solution, answer line included."""
        return "\n".join([*self.lines, f"Answer: {self.answer}"])


def slip(problem: Problem, rng: np.random.Generator, kind: StepKind | None = None) -> Slip | None:
    """Misread or miscalculate one step of the exact solution and carry the error through.

    Args:
        problem: one with steps and an answer.
        rng: picks the step and the wrong value.
        kind: perceive or compute; None picks either.

    Returns:
        The slip, or None where no step of that kind holds a whole number that decides the answer.
    """
    if problem.answer is None:
        raise ValueError(f"problem {problem.id} is unlabelled: nothing says what a slip would be")
    kinds = ("perceive", "compute") if kind is None else (kind,)
    candidates = [
        index
        for index, step in enumerate(problem.steps)
        if step.kind in kinds and step.value.isdecimal()
    ]
    for index in rng.permutation(candidates).tolist():
        found = _slip_at(problem, int(index), rng)
        if found is not None:
            return found
    return None


def _slip_at(problem: Problem, index: int, rng: np.random.Generator) -> Slip | None:
    steps = problem.steps
    right = int(steps[index].value)
    wrong = max(0, right + int(rng.choice([-2, -1, -1, 1, 1, 2])))
    if wrong == right:
        wrong = right + 1
    lines = [step.text for step in steps]
    lines[index] = _replace_last(steps[index].text, steps[index].value, str(wrong))
    values = [step.value for step in steps]  # as the careless solver has them
    values[index] = str(wrong)
    for later in range(index + 1, len(steps)):
        if steps[later].kind == "perceive":
            continue
        if "=" not in lines[later]:
            return None  # what a wrong number would conclude is not known
        left = _left_side(steps, later, values)
        result = arithmetic(left)
        if result is None or result.denominator != 1 or result < 0:
            return None
        lines[later], values[later] = f"{left} = {result}", str(result)
    changed = {step.value: value for step, value in zip(steps, values, strict=True)}
    assert problem.answer is not None
    answer = NUMBER.sub(lambda found: changed.get(found[0], found[0]), problem.answer.value)
    if answer == problem.answer.value:
        return None
    return Slip(tuple(lines), index, steps[index].kind, answer)


def _left_side(steps: Sequence[Step], later: int, values: Sequence[str]) -> str:
    """The left side of a computation with each operand as the careless solver has it.

    An operand comes from the first step not used yet that had its value and speaks of the same
    objects. In a sum it may come from the same step twice, as where a half is doubled; elsewhere
    one that comes from no step is a constant and stays.
    """
    left = steps[later].text.split("=", 1)[0].strip()
    about = set(steps[later].refs)
    sources = [i for i in range(later) if not about or about & set(steps[i].refs)]
    sources = sources or list(range(later))
    used: list[int] = []

    def operand(found: re.Match[str]) -> str:
        for source in [*sources, *(used if "+" in left else [])]:
            if steps[source].value == found[0]:
                if source in sources:
                    sources.remove(source)
                used.append(source)
                return values[source]
        return found[0]

    return NUMBER.sub(operand, left)


def arithmetic(text: str) -> Fraction | None:
    """The value of whole numbers joined by + - * /, products first; None if it is not that.

    >>> arithmetic("2 + 3 * 4")
    Fraction(14, 1)
    >>> arithmetic("2 + x") is None
    True
    """
    total, product, sign, operator, at = Fraction(0), Fraction(0), 1, "+", 0
    while at < len(text):
        term = TERM.match(text, at)
        if term is None or (operator == "/" and int(term[1]) == 0):
            return None
        value, at = Fraction(int(term[1])), term.end()
        if operator in "+-":
            total, product, sign = total + sign * product, value, 1 if operator == "+" else -1
        else:
            product = product * value if operator == "*" else product / value
        operator = term[2]
        if not operator:
            return total + sign * product if not text[at:].strip() else None
    return None


def _replace_last(text: str, old: str, new: str) -> str:
    head, _, tail = text.rpartition(old)
    return f"{head}{new}{tail}"
