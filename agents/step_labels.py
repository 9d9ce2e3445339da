"""Which steps of a response are right: exact labels for problems that know their solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mstar.envs.problem import Problem
from mstar.envs.slips import slip
from mstar.rewards.process import steps_of
from mstar.rewards.verify import verify


@dataclass(frozen=True, slots=True)
class Labelled:
    """A response whose steps are known to be right or wrong.

    Attributes:
        problem: that it answers.
        steps: its lines.
        right: for each step, whether it and all before it are right.
        kind: of the first error: perceive, compute or answer; "" where there is none.
    """

    problem: Problem
    steps: tuple[str, ...]
    right: tuple[bool, ...]
    kind: str = ""

    @property
    def first_error(self) -> int | None:
        """The first wrong step; None where all are right."""
        return self.right.index(False) if False in self.right else None


def exact(problem: Problem) -> Labelled:
    """The problem's own solution, all right."""
    steps = tuple(steps_of(problem.solution))
    return Labelled(problem, steps, (True,) * len(steps))


def slipped(problem: Problem, rng: np.random.Generator) -> Labelled | None:
    """The solution with one misread or miscalculated step, wrong from there on.

    None where no step of the problem can be corrupted.
    """
    wrong = slip(problem, rng)
    if wrong is None:
        return None
    steps = tuple(steps_of(wrong.text))
    right = tuple(place < wrong.first_error for place in range(len(steps)))
    return Labelled(problem, steps, right, wrong.kind)


def labelled(problem: Problem, response: str) -> Labelled | None:
    """Exact labels of a response in the words of the problem's own solution.

    A line is right if the solution has it, and the last line is right if the verifier says so.
    That is exact for a policy that writes as the families do; another's right steps in other words
    would be called wrong. None for an empty response.

    Args:
        problem: with steps and an answer.
        response: what the policy wrote.
    """
    steps = steps_of(response)
    if not steps or problem.answer is None:
        return None
    kinds = {step.text: step.kind for step in problem.steps}
    right: list[bool] = []
    kind = ""
    for place, line in enumerate(steps):
        closing = place == len(steps) - 1
        holds = verify(line, problem.answer).correct if closing else line in kinds
        if not holds and not kind:
            computes = "=" in line
            kind = "answer" if closing else "compute" if computes else "perceive"
        right.append(not kind)
    return Labelled(problem, tuple(steps), tuple(right), kind)
