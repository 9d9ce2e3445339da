"""Problems whose answers are withheld: rewards see none, measurement still does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

from mstar.envs.problem import Problem
from mstar.envs.source import ProblemSource, View
from mstar.rewards.base import Answer


def unlabelled(source: ProblemSource, share: float = 1.0) -> View:
    """A source with the answers of some of its problems withheld.

    Which ones is told by a hash of the id, so they are the same in every run, and a greater share
    holds those of a smaller one.

    Args:
        source: of labelled problems.
        share: of the problems, in [0, 1].

    Raises:
        ValueError: a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the unlabelled share must lie in [0, 1], got {share}")
    return View(source, partial(_withhold_some, share=share))


def withhold(problem: Problem) -> Problem:
    """The problem without its label and all that tells it: steps, latent, twin, wrong answers.

    How an answer is read is no secret: its type, options and unit are in ``kind``.
    """
    if problem.answer is None:
        return problem
    return replace(
        problem,
        answer=None,
        steps=(),
        latent={},
        distractors=(),
        twin=None,
        kind=replace(problem.answer, value=""),
        withheld=problem,
    )


def oracle(problem: Problem) -> Answer | None:
    """The gold for measurement, withheld or not; None where nobody knows it.

    Nothing that trains or rewards may call this.
    """
    return problem.withheld.answer if problem.withheld is not None else problem.answer


def is_right(problem: Problem, response: str) -> bool | None:
    """Whether a response is right, for measurement; None where that can't be told."""
    answer = oracle(problem)
    if answer is None:
        return None
    from mstar.rewards.verifier.verify import verify  # here, so that environments do without it

    verdict = verify(response, answer)
    return verdict.correct if verdict.valid else None


def _withhold_some(problem: Problem, share: float) -> Problem:
    place = int.from_bytes(hashlib.sha256(problem.id.encode()).digest()[:8], "big") / 2**64
    return withhold(problem) if place < share else problem
