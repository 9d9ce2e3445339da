"""The training, validation and test problems of a recipe, as tasks."""

from __future__ import annotations

from dataclasses import dataclass

from mstar.agents.config import Recipe
from mstar.agents.judges.catalog import panel_of
from mstar.agents.rollout import unique_problems
from mstar.envs.datasets.field_map import dataset_description
from mstar.envs.problem import Problem, Split
from mstar.envs.registry import open_source
from mstar.envs.source import Mixture, ProblemSource, Subset
from mstar.envs.task import Task
from mstar.rewards.models.correctness import Correctness
from mstar.rewards.panel import RewardPanel

MIXTURE = "mstar/Mixture-v0"


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Problems that base and evolved policy are tested on.

    Attributes:
        group: ``trained``, of the kind that it learns from; ``not trained``; or ``harder``, of the
            trained families one level up.
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
    if (recipe.data.env == MIXTURE and not recipe.data.fields) or families:
        names = families or recipe.data.families
        source: ProblemSource = Mixture(
            [open_source(name, level=recipe.data.level) for name in names]
        )
    else:
        source = open_source(
            dataset_description(recipe.data.env, recipe.data.fields), level=recipe.data.level
        )
    if recipe.data.training_problems and split == "train":
        source = Subset(source, recipe.data.training_problems)
    task = Task(
        source=source,
        panel=panel or panel_of(recipe),
        split=split,
        size=recipe.data.image_size,
        seed=recipe.run.seed,
        form=recipe.data.form,
        unlabelled=recipe.mixing.unlabelled if split == "train" else 0.0,
    )
    task.problem(recipe.run.seed, 0)  # an empty split is found before a model is loaded
    return task


def evaluation_sets(recipe: Recipe) -> list[EvaluationSet]:
    """What a run of a recipe is tested on; half as many problems beside those it trained for.

    Only the verifier judges there: a test asks what is right, and other judges cost time.
    """
    half = max(1, recipe.evaluation.test_problems // 2)
    asked: list[tuple[str, Recipe, tuple[str, ...], int]] = [
        ("trained", recipe, (), recipe.evaluation.test_problems)
    ]
    if recipe.data.env == MIXTURE and recipe.evaluation.extra_families:
        asked.append(("not trained", recipe, recipe.evaluation.extra_families, half))
    if recipe.data.env == MIXTURE and recipe.evaluation.test_harder:
        above = recipe.replace(level=recipe.data.level + 1, test_harder=False)
        asked.append(("harder", above, (), half))
    found = []
    for group, posed, families, count in asked:
        panel = RewardPanel([Correctness()], unfinished=recipe.rewards.unfinished)
        task = open_task(posed, "test", families, panel)
        found.append(EvaluationSet(group, task, unique_problems(task.draw(count))))
    return found
