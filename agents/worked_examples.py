"""A small set of verified worked solutions, mixed into what the policy learns from itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mstar.agents.config import Recipe
from mstar.agents.rollout import ask
from mstar.agents.seeds import mix
from mstar.agents.sft_trainer import Lesson
from mstar.envs.vector_env import ProblemVectorEnv
from mstar.rewards.verifier.verify import verify

SEARCHED = 40  # problems for each solution that is wanted


class Gold:
    """The worked solutions of a few labelled problems, drawn apart from those of the rounds.

    Lessons of another source at a controlled share keep a policy that learns from its own answers
    tied to what is known to be right (the verifiable tenth of PURE, arXiv 2504.15275).

    Args:
        env: poses the problems; those without a label or without steps are passed over.
        recipe: ``gold_set`` is the size of the set.
    """

    def __init__(self, env: ProblemVectorEnv, recipe: Recipe) -> None:
        self._env, self._recipe = env, recipe

    def mixed_into(self, lessons: Sequence[Lesson], share: float, number: int) -> list[Lesson]:
        """The lessons of round `number`, filled up to its slots with a share of gold.

        Own lessons come round where they are too few, and are cut where they are too many, as the
        trainer does it; without gold they are handed on as they are.
        """
        recipe = self._recipe
        if not share:
            return list(lessons)
        slots = recipe.optim.updates * recipe.optim.batch
        rng = np.random.default_rng(mix(recipe.run.seed, number, 9))
        solutions = [self.lessons[i] for i in rng.permutation(len(self.lessons))]
        golden = round(share * slots)
        filled = [solutions[i % len(solutions)] for i in range(golden)]
        filled += [lessons[i % len(lessons)] for i in range(slots - golden)]
        return [filled[i] for i in rng.permutation(slots)]

    @cached_property
    def lessons(self) -> list[Lesson]:
        """The set itself; every solution is right by the verifier.

        Raises:
            ValueError: fewer worked solutions are found than wanted.
        """
        wanted, seed = self._recipe.mixing.worked_example_count, mix(self._recipe.run.seed, 0, 9)
        found: dict[str, Lesson] = {}
        for index in range(SEARCHED * wanted):
            problem = self._env.examiner.problem(seed, index)
            if problem.answer is None or not problem.steps:
                continue
            if verify(problem.solution, problem.answer).correct:
                found[problem.id] = Lesson(ask(self._env, problem), problem.solution)
            if len(found) == wanted:
                return list(found.values())
        raise ValueError(
            f"worked_example_count is {wanted}, but {self._recipe.data.env} gave {len(found)} "
            "labelled problems with worked solutions; set worked_examples to 0, or "
            "worked_example_count to what there is"
        )
