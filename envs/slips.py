"""Solutions with one slip in them: what a careless solver writes, with the first error known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mstar.envs.problem import Problem, StepKind

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
    step = problem.steps[index]
    right = int(step.value)
    wrong = max(0, right + int(rng.choice([-2, -1, -1, 1, 1, 2])))
    if wrong == right:
        wrong = right + 1
    lines = [s.text for s in problem.steps]
    lines[index] = _replace_last(step.text, step.value, str(wrong))
    changed = {step.value: str(wrong)}
    for later in range(index + 1, len(lines)):
        if problem.steps[later].kind == "perceive":
            continue
        if "=" not in lines[later]:
            lines[later] = _replace(lines[later], changed)
            continue
        left, old = (part.strip() for part in lines[later].split("=", 1))
        new_left = _replace(left, changed)
        new = arithmetic(new_left)
        if new is None or new.denominator != 1 or new < 0:
            return None
        lines[later] = f"{new_left} = {new}"
        if str(new) != old:
            changed[old] = str(new)
    assert problem.answer is not None
    answer = _replace(problem.answer.value, changed)
    if answer == problem.answer.value:
        return None
    return Slip(tuple(lines), index, step.kind, answer)


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


def _replace(text: str, changed: dict[str, str]) -> str:
    return NUMBER.sub(lambda found: changed.get(found[0], found[0]), text)


def _replace_last(text: str, old: str, new: str) -> str:
    head, _, tail = text.rpartition(old)
    return f"{head}{new}{tail}"
