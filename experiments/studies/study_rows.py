"""The rows of a study's finished runs, as they stand in its folder, and the few that are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mstar.agents.config import Recipe
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.studies.plan import PLAN, Plan, place
from mstar.experiments.studies.study import BASE
from mstar.experiments.studies.tuning import GRID

KEPT = ("group", "id", "family", "greedy", "samples", "tokens")  # of a test problem's row


@dataclass(frozen=True)
class RunRows:
    """What is needed of a finished run.

    Attributes:
        arm: of the study.
        seed: of the run.
        recipe: its settings.
        rounds: the rows of ``rounds.jsonl``.
        tested: the rows of the evolved policy, by group of test problems.
        made: versions, commit and hardware.
    """

    arm: str
    seed: int
    recipe: Recipe
    rounds: Sequence[Row]
    tested: Mapping[str, Sequence[Row]]
    made: Row


@dataclass(frozen=True)
class StudyRows:
    """Everything that tables and figures of a study are made from.

    Attributes:
        plan: the study, its arms and seeds.
        runs: those that are finished, by arm and then by seed.
        base: of each seed, the rows of the policy before training, by group.
        grid: the rows of the tuning; [] where there was none.
    """

    plan: Plan
    runs: Sequence[RunRows]
    base: Mapping[int, Mapping[str, Sequence[Row]]]
    grid: Sequence[Row]

    @property
    def arms(self) -> list[str]:
        """Those with a finished run, in the study's order."""
        return list(dict.fromkeys(run.arm for run in self.runs))

    @property
    def groups(self) -> list[str]:
        """The groups of test problems."""
        return list(dict.fromkeys(group for run in self.runs for group in run.tested))

    def of(self, arm: str) -> dict[int, RunRows]:
        """The runs of an arm, by seed."""
        return {run.seed: run for run in self.runs if run.arm == arm}


def load(plan: Plan, out: Path) -> StudyRows:
    """Read what is finished, of the plan's arms and seeds.

    Raises:
        ValueError: nothing is.
    """
    runs: list[RunRows] = []
    base: dict[int, Mapping[str, Sequence[Row]]] = {}
    for arm in plan.arms:
        for seed in plan.seeds:
            folder = place(out, arm, seed)
            rows = read_rows(folder / "evaluation.jsonl")
            if not rows:
                continue
            untrained = [row for row in rows if row["policy"] == BASE] or read_rows(
                out / BASE / f"seed-{seed}.jsonl"
            )
            base.setdefault(seed, by_group(untrained))
            evolved = by_group([row for row in rows if row["policy"] != BASE])
            recipe = RunFolder(folder).recipe()
            made: Row = json.loads((folder / "recipe.json").read_text())
            del made["recipe"]
            rounds = read_rows(folder / "rounds.jsonl")
            runs.append(RunRows(arm, seed, recipe, rounds, evolved, made))
    if not runs:
        raise ValueError(f"{out} holds no finished run of {plan.name}")
    return StudyRows(plan, runs, base, [r for r in read_rows(out / GRID) if r["arm"] in plan.arms])


def by_group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by group of test problems."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["group"], []).append(row)
    return found


def keep(rows: StudyRows, out: Path, target: Path) -> Path:
    """Write what the page can be made from again, and no more: the form that is committed.

    The base stands there once a seed, responses and the controllers' states not at all.
    """
    for run in rows.runs:
        folder = place(target, run.arm, run.seed)
        evolved = [{"policy": "evolved", **short(row)} for r in run.tested.values() for row in r]
        dump(folder / "evaluation.jsonl", evolved)
        kept = [{key: row[key] for key in row if key != "state"} for row in run.rounds]
        dump(folder / "rounds.jsonl", kept)
        copy(place(out, run.arm, run.seed) / "recipe.json", folder / "recipe.json")
    for seed, groups in rows.base.items():
        untrained = [{"policy": BASE, **short(row)} for r in groups.values() for row in r]
        dump(target / BASE / f"seed-{seed}.jsonl", untrained)
    for name in (PLAN, GRID):
        if (out / name).exists():
            copy(out / name, target / name)
    return target


def short(row: Row) -> Row:
    """A test problem's row without what no table needs; right is 1 and wrong 0."""
    kept = {key: row[key] for key in KEPT}
    return kept | {"greedy": int(row["greedy"]), "samples": [int(s) for s in row["samples"]]}


def copy(source: Path, target: Path) -> None:
    """Copy a file, unless it is the same one."""
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def dump(path: Path, rows: Sequence[Row]) -> None:
    """Rows as JSON lines without blanks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_text("".join(lines))
