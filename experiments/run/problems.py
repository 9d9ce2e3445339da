"""The training, validation and test problems of a recipe, as tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import panel_of
from mstar.agents.rollout import unique_problems
from mstar.agents.settings import MIXTURE
from mstar.envs.datasets.field_map import dataset_description
from mstar.envs.problem import Problem, Split
from mstar.envs.registry import open_source
from mstar.envs.source import Listed, MappedSource, Mixture, ProblemSource, Subset
from mstar.envs.task import Task
from mstar.experiments.run.solve_rates import chosen_problems
from mstar.experiments.verdicts import called_bad, verdict_file
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.models.relaxed_accuracy import RelaxedAccuracy, Scoring
from mstar.rewards.panel import RewardPanel

LEVELS = (1, 2, 3)  # of generated problems
TRAINED = "trained"  # the group of the kind that a run trains on


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Problems that the base and the evolved policy are tested on.

    Attributes:
        group: ``trained``, the kind that the run trains on; ``not trained``; ``harder``, the
            trained families one level up; or the environment that was named.
        task: builds the prompts and scores the responses.
        problems: without repeats.
    """

    group: str
    task: Task
    problems: list[Problem]


def open_task(
    recipe: Recipe,
    split: Split,
    families: tuple[str, ...] = (),
    panel: RewardPanel | None = None,
) -> Task:
    """The recipe's problems of one split, judged by its panel unless another is given.

    Raises:
        ValueError: a name that does not exist, or a split with nothing in it.
    """
    curriculum = recipe.mixing.rule == "curriculum" and split == "train"
    levels = LEVELS if curriculum else (recipe.data.level,)
    if (recipe.data.env == MIXTURE and not recipe.data.fields) or families:
        names = families or recipe.families
        source: ProblemSource = Mixture(
            [open_source(name, level) for level in levels for name in names]
        )
    else:
        described = dataset_description(recipe.data.env, recipe.data.fields)
        source = open_source(described, level=recipe.data.level)
        if len(levels) > 1 and source.size is None:
            source = Mixture([open_source(described, level) for level in levels])
    if recipe.data.solve_rate and split == "train":
        source = chosen_problems(source, split, recipe)
    if recipe.data.training_problems and split == "train":
        source = Subset(source, recipe.data.training_problems)
    audit = recipe.data.audit if split == "train" else ""
    task = Task(
        source=source,
        panel=panel or panel_of(recipe),
        split=split,
        seed=recipe.run.seed,
        **recipe.data.asking,
        unlabelled=recipe.mixing.unlabelled if split == "train" else 0.0,
        left_out=partial(called_bad, verdict_file(Path(audit))) if audit else frozenset,
    )
    task.problem(recipe.run.seed, 0)  # fails on an empty split before a model is loaded
    return task


def how_chosen(task: Task) -> str:
    """How many training problems a solve rate leaves, in a line; "" where none was asked for."""
    source = task.source
    while isinstance(source, MappedSource | Subset):
        source = source.source
    return source.note if isinstance(source, Listed) else ""


def evaluation_sets(recipe: Recipe, scoring: Scoring = "verifier") -> list[EvaluationSet]:
    """The evaluation sets of a recipe; those of kinds that it does not train on have half the size.

    Only one reward model judges there: tests measure correctness alone, and other judges cost time.

    Args:
        recipe: of the run.
        scoring: ``verifier``, or ``relaxed``: the relaxed accuracy of ChartQA.

    Raises:
        ValueError: a name that does not exist, or problems without reference answers.
    """
    half = max(1, recipe.evaluation.test_problems // 2)
    asked: list[tuple[str, Recipe, tuple[str, ...], int]] = [
        (TRAINED, recipe, (), recipe.evaluation.test_problems)
    ]
    if recipe.data.env == MIXTURE and recipe.extra_families:
        asked.append(("not trained", recipe, recipe.extra_families, half))
    if recipe.data.env == MIXTURE and recipe.evaluation.test_harder:
        above = recipe.replace(level=recipe.data.level + 1, test_harder=False)
        asked.append(("harder", above, (), half))
    elsewhere = recipe.replace(fields=())
    asked += [(env, elsewhere.replace(env=env), (), half) for env in recipe.evaluation.test_envs]
    return [_evaluation_set(*each, scoring) for each in asked]


def environment_sets(
    recipe: Recipe, envs: Sequence[str], scoring: Scoring = "verifier"
) -> list[EvaluationSet]:
    """The test problems of other environments under a recipe, a set each; see above."""
    return [
        _evaluation_set(env, recipe.replace(env=env), (), recipe.evaluation.test_problems, scoring)
        for env in envs
    ]


def _evaluation_set(
    group: str, recipe: Recipe, families: tuple[str, ...], count: int, scoring: Scoring
) -> EvaluationSet:
    judge = RelaxedAccuracy(name="correctness") if scoring == "relaxed" else Correctness()
    panel = RewardPanel([judge], unfinished=recipe.rewards.unfinished)
    task = open_task(recipe, "test", families, panel)
    problems = [p for p in unique_problems(task.draw(count)) if p.answer is not None]
    if not problems:
        raise ValueError(
            f"the test problems of {recipe.data.env} have no reference answers, so that no answer "
            "to them can be called right"
        )
    return EvaluationSet(group, task, problems)
