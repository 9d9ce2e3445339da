"""The rows of a study's finished runs: read from its folder, and packed to be committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.experiments.packed_rows import PACKED, pack, read_file, stored_rows, unpack
from mstar.experiments.rows import Row
from mstar.experiments.run.run_folder import recipe_of
from mstar.experiments.studies.plan import PLAN, Plan, base_name, run_name
from mstar.experiments.studies.study import BASE
from mstar.experiments.studies.tuning import GRID

# Of a test problem's row; rows of older versions have no template and no cut.
KEPT = ("group", "id", "family", "template", "greedy", "samples", "cut", "tokens")
EVALUATION, ROUNDS, RECIPE = "evaluation.jsonl", "rounds.jsonl", "recipe.json"


@dataclass(frozen=True)
class RunRows:
    """The rows of one finished run.

    Attributes:
        arm: of the study.
        seed: of the run.
        recipe: its settings.
        rounds: the rows of ``rounds.jsonl``.
        tested: the rows of the evolved policy, by group of test problems.
        made: the content of ``recipe.json``: settings, versions, commit and hardware.
    """

    arm: str
    seed: int
    recipe: Recipe
    rounds: Sequence[Row]
    tested: Mapping[str, Sequence[Row]]
    made: Row


@dataclass(frozen=True)
class StudyRows:
    """Everything that the tables and figures of a study are made from.

    Attributes:
        plan: the study, its arms and seeds.
        runs: those that are finished, by arm and then by seed.
        base: of each seed, the test rows of the policy before training, by group.
        grid: the rows of the tuning; [] where there was none.
    """

    plan: Plan
    runs: Sequence[RunRows]
    base: Mapping[int, Mapping[str, Sequence[Row]]]
    grid: Sequence[Row]

    @property
    def arms(self) -> list[str]:
        """The arms with a finished run, in the study's order."""
        return list(dict.fromkeys(run.arm for run in self.runs))

    @property
    def groups(self) -> list[str]:
        """The groups of test problems."""
        return list(dict.fromkeys(group for run in self.runs for group in run.tested))

    def of(self, arm: str) -> dict[int, RunRows]:
        """The runs of an arm, by seed."""
        return {run.seed: run for run in self.runs if run.arm == arm}


def load(plan: Plan, out: Path) -> StudyRows:
    """Read the finished runs of the plan's arms and seeds, from run folders or packed rows.

    Raises:
        ValueError: no run is finished.
    """
    packed = {} if (out / PLAN).exists() else unpack(out / PACKED)

    def read(name: str) -> list[Row]:
        return packed.get(name, []) if packed else read_file(out / name)

    runs: list[RunRows] = []
    base: dict[int, Mapping[str, Sequence[Row]]] = {}
    for arm in plan.arms:
        for seed in plan.seeds:
            name = run_name(arm, seed)
            rows = read(f"{name}/{EVALUATION}")
            if not rows:
                continue
            untrained = [row for row in rows if row["policy"] == BASE] or read(base_name(seed))
            base.setdefault(seed, by_group(untrained))
            evolved = by_group([row for row in rows if row["policy"] != BASE])
            (stored,) = read(f"{name}/{RECIPE}")
            recipe = recipe_of(stored["recipe"], out / name)
            runs.append(RunRows(arm, seed, recipe, read(f"{name}/{ROUNDS}"), evolved, stored))
    if not runs:
        raise ValueError(f"{out} holds no finished run of {plan.name}")
    return StudyRows(plan, runs, base, [row for row in read(GRID) if row["arm"] in plan.arms])


def by_group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by group of test problems."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return groups


def keep(rows: StudyRows, out: Path, target: Path) -> None:
    """Pack the rows that the page is made from, and no others, into ``target/rows.parquet``.

    The base's test rows are stored once a seed; responses and controller states are left out.

    Args:
        rows: of the study.
        out: the study's folder.
        target: folder for the packed file.
    """
    files: dict[str, Sequence[Row]] = {}
    for name in (PLAN, GRID):
        files[name] = stored_rows(out, name)
    for seed, groups in rows.base.items():
        files[base_name(seed)] = [
            {"policy": BASE, **shortened(row)} for group in groups.values() for row in group
        ]
    for run in rows.runs:
        name = run_name(run.arm, run.seed)
        files[f"{name}/{RECIPE}"] = [run.made]
        files[f"{name}/{ROUNDS}"] = [
            {key: row[key] for key in row if key != "state"} for row in run.rounds
        ]
        files[f"{name}/{EVALUATION}"] = [
            {"policy": "evolved", **shortened(row)}
            for group in run.tested.values()
            for row in group
        ]
    pack(files, target / PACKED)


def shortened(row: Row) -> Row:
    """A test problem's row with the columns that tables need; 1 is right, or cut, and 0 not."""
    kept = {key: row[key] for key in KEPT if key in row}
    lists = {key: [int(each) for each in kept[key]] for key in ("samples", "cut") if key in kept}
    return kept | {"greedy": int(row["greedy"])} | lists
