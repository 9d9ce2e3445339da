"""The problems that a policy is measured on: the same after every round, by the same noise."""

from __future__ import annotations

from collections.abc import Collection

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.rollout import Rollout, collect, distinct
from mstar.agents.sampling.base import RolloutEngine
from mstar.agents.seeds import mix
from mstar.envs.vector_env import ProblemVectorEnv


class HeldOut:
    """Asks a policy the held-out problems, at the temperatures of interest.

    Args:
        sampler: of the policy as it is at every look.
        env: of the problems; as many as the recipe says are drawn from it.
        recipe: number of problems and samples, and the seed of the noise.
    """

    def __init__(self, sampler: RolloutEngine, env: ProblemVectorEnv, recipe: Recipe) -> None:
        self._sampler, self._env, self._recipe = sampler, env, recipe
        self._problems = distinct(env.draw(recipe.evaluation.validation_problems))

    def look(
        self, number: int, present: float, others: Collection[float] = ()
    ) -> tuple[list[Rollout], int]:
        """A greedy answer to every problem, and samples at each temperature.

        The other temperatures have calls of their own, so that they draw the same numbers (but for
        one sample) as the present one: differences are paired.

        Args:
            number: of the round.
            present: the temperature of the plan.
            others: temperatures that a controller wants to know of.

        Returns:
            All rollouts, and the prompt tokens read for greedy answers and the present temperature.
        """
        samples, before = self._recipe.evaluation.validation_samples, self._sampler.prompt_tokens
        probed = self._answers(number, [0.0, *[present] * samples])
        (read,) = distributed.total(self._sampler.prompt_tokens - before)
        for heat in sorted({*others} - {present}):
            probed += self._answers(number, [heat] * samples)
        return probed, read

    def _answers(self, number: int, heats: list[float]) -> list[Rollout]:
        seed = mix(self._recipe.run.seed, 0, 3)
        return collect(self._sampler, self._env, self._problems, heats, seed, number)
