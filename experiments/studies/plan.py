"""The runs of a study: every arm with every seed, each run in its own folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mstar.agents.config import Recipe
from mstar.experiments.packed_rows import stored_rows
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.studies.catalog import STUDIES
from mstar.experiments.studies.study import BASE, Changes, Study

PLAN = "study.json"


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        label: shown in progress and errors.
        arm: of the study.
        seed: of the run.
        recipe: all its settings.
        folder: of the run.
        base_test: file of the base policy's test rows, which the runs of a seed share; None if they
            do not.
    """

    label: str
    arm: str
    seed: int
    recipe: Recipe
    folder: Path
    base_test: Path | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has been tested; this needs no checkpoints."""
        return (self.folder / "evaluation.jsonl").exists()

    def command(self) -> list[str]:
        """The arguments of ``mstar train`` that give this recipe."""
        words = ["train"]
        for setting, value in self.recipe.settings().items():
            name = setting.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{'' if value else 'no-'}{name}")
            else:
                words += [f"--{name}", *map(str, value if isinstance(value, tuple) else (value,))]
        shared = ["--base-test", str(self.base_test)] if self.base_test else []
        return [*words, "--out", str(self.folder), *shared, "--json"]


@dataclass(frozen=True)
class Plan:
    """A study with the arms and seeds to run, and settings that hold for all arms.

    Attributes:
        name: of the study.
        arms: their labels.
        seeds: of the runs.
        changes: to every recipe.
        rates: the learning rate that tuning chose for each arm; empty where nothing was tuned.
    """

    name: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    changes: Changes = field(default_factory=dict)
    rates: Changes = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [arm for arm in self.arms if arm not in self.study.arms]
        if unknown or not self.arms or not self.seeds:
            raise ValueError(
                f"{self.name} was asked to run arms {self.arms} with seeds {self.seeds}; give at "
                f"least one of each, arms out of: {', '.join(self.study.arms)}"
            )

    @property
    def study(self) -> Study:
        """The study itself."""
        return STUDIES[self.name]

    def runs(self, out: Path) -> list[PlannedRun]:
        """Every run, seed by seed, so that all arms can be compared early."""
        return [
            PlannedRun(
                f"{arm}, seed {seed}",
                arm,
                seed,
                self.recipe(arm, seed),
                out / run_name(arm, seed),
                out / base_name(seed),
            )
            for seed in self.seeds
            for arm in self.arms
        ]

    def recipe(self, arm: str, seed: int) -> Recipe:
        """The recipe of one run."""
        recipe = self.study.recipe(arm, seed, self.changes)
        if arm not in self.rates:
            return recipe
        return self.study.recipe(arm, seed, {**self.changes, rate_name(recipe): self.rates[arm]})

    def save(self, out: Path) -> None:
        """Write the plan into the folder, merged with an earlier plan there."""
        before = saved_plan(out, self.name)
        described: Row = {"name": self.name, "changes": dict(self.changes)}
        described |= {"arms": list(self.arms), "seeds": list(self.seeds)}
        if before is not None:
            described["arms"] = [
                arm for arm in self.study.arms if arm in (*self.arms, *before.arms)
            ]
            described["seeds"] = sorted({*self.seeds, *before.seeds})
        out.mkdir(parents=True, exist_ok=True)
        write_rows(out / PLAN, [described])


def run_name(arm: str, seed: int) -> str:
    """The folder of a run within that of its study."""
    return f"{arm}/seed-{seed}"


def base_name(seed: int) -> str:
    """The file in a study's folder that holds the base policy's test rows of a seed."""
    return f"{BASE}/seed-{seed}.jsonl"


def rate_name(recipe: Recipe) -> str:
    """The field that holds the learning rate of a recipe's agent."""
    return "online_learning_rate" if recipe.learns_online else "learning_rate"


def saved_plan(out: Path, name: str) -> Plan | None:
    """The plan stored in a folder; None if there is none yet.

    Raises:
        ValueError: the folder belongs to another study.
    """
    rows = stored_rows(out, PLAN)
    if not rows:
        return None
    (stored,) = rows
    if stored["name"] != name:
        raise ValueError(
            f"{out} holds the study {stored['name']!r}, and not {name!r}; give another --out"
        )
    return Plan(
        name,
        tuple(arm for arm in stored["arms"] if arm in STUDIES[name].arms),
        tuple(stored["seeds"]),
        {key: from_json(value) for key, value in stored["changes"].items()},
    )


def from_json(value: Any) -> Any:
    """The value of a recipe's field as read from JSON, with lists turned into tuples."""
    return tuple(value) if isinstance(value, list) else value


def check(planned: Sequence[PlannedRun]) -> list[str]:
    """Raise where a folder holds rounds of another recipe, before anything is run.

    Returns:
        Settings that did not exist yet when some of these runs started; they have the defaults.

    Raises:
        ValueError: some folders hold other recipes.
    """
    wrong, unset = [], dict[str, None]()
    for run in planned:
        folder = RunFolder(run.folder)
        if (run.folder / "recipe.json").exists() and (folder.rounds() or run.finished):
            unset |= dict.fromkeys(folder.unset())
            if changed := folder.unlike(run.recipe):
                wrong.append(f"{run.folder} ({', '.join(changed)})")
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(planned)} runs exist with other settings, such as "
            f"{wrong[0]}; give another --out, or the same settings to continue them"
        )
    return list(unset)
