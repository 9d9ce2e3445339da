"""The problems of a recipe, as the environments that pose and judge them."""

from __future__ import annotations

from dataclasses import dataclass

from mstar.agents.collect import distinct
from mstar.agents.judges import panel_of
from mstar.agents.recipe import Recipe
from mstar.envs.open import open_source
from mstar.envs.problem import Problem, Split
from mstar.envs.source import Mixture, ProblemSource
from mstar.envs.vector_env import ProblemVectorEnv

MIXTURE = "mstar/Mixture-v0"


@dataclass(frozen=True, slots=True)
class Exam:
    """Problems that a run is tested on.

    Attributes:
        group: ``trained``, of the kind that it learns from, or ``not trained``.
        env: poses and judges them.
        problems: each once.
    """

    group: str
    env: ProblemVectorEnv
    problems: list[Problem]


def open_env(recipe: Recipe, split: Split, families: tuple[str, ...] = ()) -> ProblemVectorEnv:
    """The recipe's problems of one split, judged by its panel.

    Raises:
        ValueError: a name that does not exist, or a split with nothing in it.
    """
    if recipe.env == MIXTURE or families:
        names = families or recipe.families
        source: ProblemSource = Mixture([open_source(name, level=recipe.level) for name in names])
    else:
        source = open_source(recipe.env, level=recipe.level)
    env = ProblemVectorEnv(
        source=source,
        num_envs=1,
        panel=panel_of(recipe),
        split=split,
        size=recipe.size,
        seed=recipe.seed,
        form=recipe.form,
        unlabelled=recipe.unlabelled if split == "train" else 0.0,
    )
    env.examiner.problem(recipe.seed, 0)  # an empty split is found before a model is loaded
    return env


def exams(recipe: Recipe) -> list[Exam]:
    """What a run of a recipe is tested on; half as many problems of families not trained on."""
    asked: list[tuple[str, tuple[str, ...], int]] = [("trained", (), recipe.test)]
    if recipe.env == MIXTURE and recipe.extra_families:
        asked.append(("not trained", recipe.extra_families, max(1, recipe.test // 2)))
    found = []
    for group, families, count in asked:
        env = open_env(recipe, "test", families)
        found.append(Exam(group, env, distinct(env.draw(count))))
    return found
