"""Problems with hidden answers: rewards do not see them, evaluation still does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial

from mstar.envs.problem import Problem
from mstar.envs.source import MappedSource, ProblemSource
from mstar.rewards.base import Answer
from mstar.rewards.verifier.verify import verify


def unlabelled(source: ProblemSource, share: float = 1.0) -> MappedSource:
    """A source with the answers of some of its problems hidden.

    A hash of the id decides which problems, so they are the same in every run, and the problems
    hidden at a smaller share are also hidden at a larger one.

    Args:
        source: of labelled problems.
        share: of the problems, in [0, 1].

    Raises:
        ValueError: `share` is outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the unlabelled share must be in [0, 1], got {share}")
    return MappedSource(source, partial(_withhold_share, share=share))


def withhold(problem: Problem) -> Problem:
    """Remove the answer and all that reveals it: steps, latent state, counterfactual, distractors.

    The form of the answer stays known: its type, options and unit are kept in ``answer_spec``.
    """
    if problem.answer is None:
        return problem
    return replace(
        problem,
        answer=None,
        steps=(),
        latent={},
        distractors=(),
        counterfactual=None,
        answer_spec=replace(problem.answer, value=""),
        withheld=problem,
    )


def oracle(problem: Problem) -> Answer | None:
    """The reference answer for evaluation, hidden or not; None if there is none.

    Nothing that trains or rewards may call this.
    """
    return problem.withheld.answer if problem.withheld is not None else problem.answer


def is_right(problem: Problem, response: str) -> bool | None:
    """Whether a response is correct, for evaluation; None if that cannot be decided."""
    answer = oracle(problem)
    if answer is None:
        return None
    verdict = verify(response, answer)
    return verdict.correct if verdict.valid else None


def _withhold_share(problem: Problem, share: float) -> Problem:
    position = int.from_bytes(hashlib.sha256(problem.id.encode()).digest()[:8], "big") / 2**64
    return withhold(problem) if position < share else problem
