"""Accuracy on other environments after every round of a run: curves beside those of validation."""

from __future__ import annotations

from mstar.agents.config import Recipe
from mstar.agents.policy import distributed
from mstar.agents.policy.policy import Policy
from mstar.agents.sampling.engine import sampler_of
from mstar.agents.seeds import mix
from mstar.experiments.evaluation.evaluate import evaluate, values
from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.problems import environment_sets
from mstar.experiments.run.run_folder import RunFolder

FILE = "out_of_domain.jsonl"


class OutOfDomain:
    """Tests the policy on a recipe's ``test_envs``; a row for each round and environment.

    As many test problems and samples as in validation, the same after every round. Every process of
    a launch must call alike.

    Args:
        recipe: names the environments.
        folder: the run's, where the rows stand.

    Raises:
        ValueError: an environment that does not exist, or has no test problems.
    """

    def __init__(self, recipe: Recipe, folder: RunFolder) -> None:
        self._recipe, self._path = recipe, folder.path / FILE
        posed = recipe.replace(test=recipe.evaluation.validation_problems, fields=())
        self._sets = environment_sets(posed, recipe.evaluation.test_envs)
        self._rows = read_rows(self._path)

    def test(self, policy: Policy, number: int) -> list[Row]:
        """The rows of the policy after round `number`, made unless they are there already."""
        there = [row for row in self._rows if row["round"] == number]
        if there or not self._sets:
            return there
        sampler, samples = (
            sampler_of(policy, self._recipe),
            self._recipe.evaluation.validation_samples,
        )
        found: list[Row] = []
        for tested in self._sets:
            seed = mix(self._recipe.run.seed, 0, 4)  # of the final test, so that rounds are paired
            temperature = self._recipe.evaluation.test_temperature
            rows = evaluate(sampler, tested.task, tested.problems, samples, seed, temperature)
            accuracy = {
                name.replace("@", "_"): float(values(rows, name).mean())
                for name in ("greedy", "pass@1")
            }
            found.append({"round": number, "env": tested.group, **accuracy, "n": len(rows)})
        self._rows += found
        if distributed.is_main():
            write_rows(self._path, self._rows)
        return found
