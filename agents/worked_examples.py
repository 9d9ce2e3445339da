"""A small set of verified worked solutions, mixed into what the policy learns from itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.agents.policy.turns import whole_turns
from mstar.agents.seeds import mix
from mstar.agents.types import SFTExample
from mstar.envs.datasets.source import DatasetSource
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.rewards.verifier.verify import verify

SEARCHED = 40  # problems looked at for each solution that is wanted


class WorkedExamples:
    """The worked solutions of a few labelled problems, drawn apart from those of the rounds.

    Examples of another source at a controlled share keep a policy that learns from its own
    responses tied to what is known to be right (the verifiable tenth of PURE, arXiv 2504.15275).

    Args:
        policy: that they are shown to.
        task: poses the problems; those without a label or without steps are left out.
        recipe: ``worked_example_count`` is the size of the set, unless there is a
            ``worked_example_file``.
    """

    def __init__(self, policy: Policy, task: Task, recipe: Recipe) -> None:
        self._policy, self._task, self._recipe = policy, task, recipe

    def mixed_into(
        self, examples: Sequence[SFTExample], share: float, number: int
    ) -> list[SFTExample]:
        """The examples of round `number`, filled up to its slots with a share of worked ones.

        The policy's own are repeated where they are too few, and cut where they are too many, as
        the trainer does it; with a share of 0 they are returned unchanged.
        """
        recipe = self._recipe
        if not share:
            return list(examples)
        slots = recipe.optim.updates * recipe.optim.batch
        rng = np.random.default_rng(mix(recipe.run.seed, number, 9))
        solutions = [self.examples[i] for i in rng.permutation(len(self.examples))]
        worked = round(share * slots)
        filled = [solutions[i % len(solutions)] for i in range(worked)]
        filled += [examples[i % len(examples)] for i in range(slots - worked)]
        return [filled[i] for i in rng.permutation(slots)]

    @cached_property
    def examples(self) -> list[SFTExample]:
        """The set itself; every solution is right by the verifier, or by the people of a file.

        Raises:
            ValueError: fewer worked solutions are found than wanted, or the file has none.
        """
        if self._recipe.mixing.worked_example_file:
            return solutions_in(
                self._policy, self._task, Path(self._recipe.mixing.worked_example_file)
            )
        wanted, seed = self._recipe.mixing.worked_example_count, mix(self._recipe.run.seed, 0, 9)
        found: dict[str, Problem] = {}
        for index in range(SEARCHED * wanted):
            problem = self._task.problem(seed, index)
            if problem.answer is None or not problem.steps:
                continue
            if verify(problem.solution, problem.answer).correct:
                found[problem.id] = problem
            if len(found) == wanted:
                return solutions_of(self._policy, self._task, list(found.values()))
        raise ValueError(
            f"worked_example_count is {wanted}, but {self._recipe.data.env} gave {len(found)} "
            "labelled problems with worked solutions; set worked_examples to 0, or "
            "worked_example_count to what there is"
        )


def solutions_of(policy: Policy, task: Task, problems: Sequence[Problem]) -> list[SFTExample]:
    """The worked solutions of labelled problems, as if the policy had written them."""
    turns = whole_turns(policy, [problem.solution for problem in problems])
    return [
        SFTExample(task.prompt(problem), tokens)
        for problem, tokens in zip(problems, turns, strict=True)
    ]


def solutions_in(policy: Policy, task: Task, path: Path) -> list[SFTExample]:
    """The responses of a file, which people confirmed, each to its problem.

    Args:
        policy: whose tokens they are made of.
        task: makes the prompts, so that they are asked as in the run.
        path: JSON lines, each a problem in the columns ``id``, ``question``, ``image``, ``answer``,
            and a ``response`` to it.

    Raises:
        ValueError: the file is missing, or a line lacks its response.
    """
    columns = {name: name for name in ("id", "question", "image", "answer")}
    source = DatasetSource.load(str(path), columns)
    problems = {
        each.id.rpartition("/")[2]: each for part in source.problems.values() for each in part
    }
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = {row["id"]: row for row in map(json.loads, filter(str.strip, lines))}
    if lacking := [id for id in problems if not isinstance(rows[id].get("response"), str)]:
        raise ValueError(
            f"{path}: {lacking[0]} has no text under 'response'; give a file that "
            "`mstar audit RUN --examples FILE` wrote"
        )
    turns = whole_turns(policy, [rows[id]["response"] for id in problems])
    return [
        SFTExample(task.prompt(problem), tokens)
        for problem, tokens in zip(problems.values(), turns, strict=True)
    ]
