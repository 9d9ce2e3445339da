"""What stands for the image in a prompt: the image, a description of it, both, or nothing."""

from __future__ import annotations

from typing import Literal, get_args

from mstar.envs.problem import Problem, Split
from mstar.envs.source import Mixture, ProblemSource

Shown = Literal["image", "caption", "both", "none"]
SHOWN: tuple[Shown, ...] = get_args(Shown)
WITH_IMAGE = frozenset({"image", "both"})
WITH_CAPTION = frozenset({"caption", "both"})


def caption(problem: Problem) -> str:
    """A description of the image, in one line.

    It is the problem's own if it has one, like rows of a data set with a column of captions. Else
    it consists of the perception steps of the exact solution, or of the latent values if there are
    none. The image of an unlabelled problem is described as well: only its answer is withheld.

    Raises:
        ValueError: the problem has none of them, like most problems of data sets.
    """
    described = problem.withheld or problem
    read = [step.text for step in described.steps if step.kind == "perceive"]
    latent = [f"{key}: {value}" for key, value in described.latent.items() if key != "ask"]
    known = [described.caption] if described.caption else read or latent
    if not known:
        raise ValueError(
            f"nothing describes the image of {problem.id}, so it cannot be shown as a caption: "
            "name the column with descriptions, --fields caption=COLUMN, or show the image"
        )
    return "The picture shows: " + "; ".join(known).rstrip(".") + "."


def check_captions(source: ProblemSource, split: Split) -> None:
    """Raise ValueError where a problem of a finite source has no caption, before work is lost.

    Of a family, whose problems are all made alike, one is looked at.
    """
    for member in source.sources if isinstance(source, Mixture) else (source,):
        for index in range(member.size or 1):
            problem = member.problem(split, 0, index)
            if problem.images:
                caption(problem)
