"""Reward models of a user's own, by ``FILE.py:NAME`` or ``module:NAME``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from mstar.rewards.base import Attempt, RewardModel, Scores
from mstar.rewards.own_modules import import_own
from mstar.rewards.trl import from_trl


@dataclass(frozen=True)
class OwnReward:
    """A user's reward model under the name it has in a panel.

    Attributes:
        model: that scores.
        name: the column's name.
    """

    model: RewardModel
    name: str

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """(N,) float32 in [0, 1] or NaN, as the model has them.

        Raises:
            ValueError: the model failed; the message says where.
        """
        try:
            return self.model.score(attempts)
        except Exception as error:  # whatever a user's code raises
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise ValueError(
                f"the reward {self.name!r} failed at {last.filename}:{last.lineno}: "
                f"{type(error).__name__}: {error}"
            ) from error


def own_reward(described: str) -> OwnReward:
    """Load a reward model that is named by where it is.

    Args:
        described: ``FILE.py:NAME`` or ``module:NAME``. What has this name is a class of reward
            models, made without arguments; a reward model; or a function in the form of TRL,
            ``(prompts, completions, **columns) -> list[float | None]``, see ``from_trl``. A
            function whose scores do not lie in [0, 1] has an attribute ``scale``, the (lowest,
            highest) that it returns.

    Raises:
        ValueError: there is no such file, module or name, or what it names scores nothing.
    """
    where, _, name = described.rpartition(":")
    module = _module(where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{where} has no {name!r}{hint}")
        found = getattr(found, part)
    made: Any = found() if inspect.isclass(found) else found
    if hasattr(made, "score"):
        return OwnReward(cast(RewardModel, made), name)
    if not callable(made):
        raise ValueError(
            f"{described} is neither a reward model with a method score(attempts) nor a function "
            "(prompts, completions, **columns) -> list of float or None"
        )
    scale = getattr(made, "scale", None)
    return OwnReward(from_trl(made, name=name, scale=scale), name)


def _module(where: str) -> ModuleType:
    try:
        if not where.endswith(".py"):
            return import_own(where)
        path = Path(where)
        if not path.is_file():
            raise ValueError(f"{where}: no such file")
        spec = importlib.util.spec_from_file_location(f"mstar_own_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up there
        spec.loader.exec_module(module)
        return module
    except ValueError:
        raise
    except Exception as error:  # whatever a user's file raises
        raise ValueError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
