"""What is evaluated or asked: the policy of a run, or a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstar.agents.config import Recipe
from mstar.agents.policy.policy import Policy
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.run.train import load_policy, prepare_torch


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy that is not loaded yet.

    Attributes:
        name: as it was given: a run's folder, a model's folder, or a hub name.
        recipe: of the run with what was changed, or of the model under default settings.
        run: the run; None for a model.
        checkpoint: of the run's newest policy; None for a model, and where no round has trained.
    """

    name: str
    recipe: Recipe
    run: RunFolder | None = None
    checkpoint: Path | None = None

    def policy(self) -> Policy:
        """Load it.

        Raises:
            FileNotFoundError, ValueError: there is no such model, see ``Policy.load``; or files of
                the run's checkpoint are missing or damaged.
        """
        if self.run is not None:
            self.run.check(self.checkpoint, to_train=False)
        prepare_torch(self.recipe.run.threads)
        return load_policy(self.recipe, self.checkpoint)


def open_subject(name: str, changes: Mapping[str, Any] | None = None) -> Subject:
    """A run's newest policy, or a model.

    Args:
        name: a run's folder, a model's folder, a hub name, or ``embedded``.
        changes: settings to change, by their short names.

    Raises:
        ValueError: a setting that does not exist or is out of range.
    """
    run = RunFolder(Path(name))
    if not (run.path / "recipe.json").exists():
        return Subject(name, Recipe.of(model=name, **(changes or {})))
    recipe = run.recipe().replace(**(changes or {}))
    return Subject(name, recipe, run, run.newest_checkpoint())
