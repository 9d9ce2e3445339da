"""Judge the stored responses of a run with another panel, without sampling anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mstar.agents.judges import check_names, reward_models
from mstar.envs.phrasing import Phrasing, phrase
from mstar.envs.problem import Problem
from mstar.experiments.problems import open_env
from mstar.experiments.run_folder import Row, RunFolder, read_rollouts
from mstar.rewards import RULES
from mstar.rewards.panel import RewardPanel


def rescore_run(run: Path, panel: Sequence[str], rule: str) -> list[str]:
    """A line per round: mean of every score and of the reward, as stored and anew.

    Raises:
        ValueError: an unknown reward model or rule.
        FileNotFoundError: not a run folder.
    """
    check_names(panel)
    if rule not in RULES:
        raise ValueError(f"no rule {rule!r}; known: {', '.join(RULES)}")
    folder = RunFolder(run)
    recipe = folder.recipe()
    env = open_env(recipe, "train")
    judges = RewardPanel(reward_models(panel, recipe), rule=RULES[rule])
    lines = []
    for path in sorted((run / "rollouts").glob("*.parquet")):
        rows = read_rollouts(path)
        problems: dict[tuple[str, str], Problem] = {}
        for row in rows:
            if (asked := _asked(row)) not in problems:
                problems[asked] = phrase(env.examiner.find(asked[0]), Phrasing.read(asked[1]))
        table = judges.score(
            [
                problems[_asked(row)].attempt(
                    row["response"], certainty=row["certainty"], logprob=row["logprob"]
                )
                for row in rows
            ]
        )
        means = "  ".join(f"{name} {_mean(table[name])}" for name in table.names)
        before = _mean(np.array([row["reward"] for row in rows]))
        lines.append(f"{path.stem}  {means}  reward {_mean(table.reward)} (was {before})")
    return lines


def _asked(row: Row) -> tuple[str, str]:
    """The problem and how it was asked; runs from before phrasings asked as drawn."""
    return row["problem"], row.get("phrasing", "")


def _mean(scores: NDArray[Any]) -> str:
    """Of the scores that are there; a dash where every one is an abstention."""
    given = scores[~np.isnan(scores)]
    return f"{given.mean():.3f}" if len(given) else "-"
