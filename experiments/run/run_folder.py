"""The folder of a run: what is stored, and how a killed run resumes.

recipe.json              the recipe with versions, commit, seed and hardware
rounds.jsonl             one row a round; a round is committed when its row stands here
rollouts/round-0003.parquet
checkpoints/round-0003/  model, optimizer, schedule, controller and environment state
evaluation.jsonl         base against evolved, one row a test problem
report.html
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mstar.agents.config import SETTINGS, Recipe, stored_settings
from mstar.agents.types import Rollout, Round
from mstar.envs.variants.unlabelled import is_right
from mstar.experiments.rows import Row, read_rows, write_rows, write_whole
from mstar.experiments.run.environment_info import environment_info
from mstar.experiments.run.round_row import describe

# Adam's moments as each launch writes them; FSDP has the weights beside them once more.
MOMENTS = ("optimizer.pt", "optimizer.bin", "pytorch_model_fsdp.bin")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Reads and writes one run; a round lands by one atomic rename of ``rounds.jsonl``."""

    path: Path

    @classmethod
    def create(cls, path: Path, recipe: Recipe) -> RunFolder:
        """Make a folder for a recipe, or open it again if it holds the same recipe.

        A run that was stopped before its first round is committed gives way to any recipe.

        Raises:
            ValueError: the folder holds a run of another recipe, or of a version that had settings
                which this one has not.
            OSError: the folder cannot be written.
        """
        folder = cls(path)
        try:
            for name in ("rollouts", "checkpoints"):
                (path / name).mkdir(parents=True, exist_ok=True)
            written = path / "recipe.json"
            if written.exists() and folder.rounds():
                if changed := folder.unlike(recipe):
                    raise ValueError(
                        f"{path} holds a run of another recipe (different: {', '.join(changed)}); "
                        "give another --out, or the same settings to resume it"
                    )
            else:
                described = {"recipe": asdict(recipe.resolved()), **environment_info()}
                write_whole(written, json.dumps(described, indent=2))
        except OSError as error:
            raise OSError(
                f"cannot write the run folder {path}: {error.strerror or error}; choose another "
                "with --out"
            ) from error
        return folder

    def rounds(self) -> list[Row]:
        """The committed rounds, in order; [] for a run that has none."""
        return read_rows(self.path / "rounds.jsonl")

    def recipe(self) -> Recipe:
        """The recipe that the run was started with; ``unset`` fields have their defaults.

        Raises:
            FileNotFoundError: this is not a run folder.
            ValueError: this version has no such recipe.
        """
        return recipe_of(self._stored(), self.path)

    def unset(self) -> list[str]:
        """Fields that came after the version of the run, which did what their defaults say."""
        stored = self._stored()
        return [name for name in SETTINGS if name not in stored_settings(stored)]

    def unlike(self, recipe: Recipe) -> list[str]:
        """The fields in which the run's recipe is another one."""
        there, wanted = self.recipe().resolved().settings(), recipe.resolved().settings()
        return sorted(name for name in wanted if there[name] != wanted[name])

    def _stored(self) -> Row:
        path = self.path / "recipe.json"
        if not path.exists():
            raise FileNotFoundError(
                f"{self.path} is not a run folder: it has no recipe.json; give the folder that "
                "`mstar train --out` wrote"
            )
        stored: Row = json.loads(path.read_text())["recipe"]
        return stored

    def checkpoint(self, number: int) -> Path:
        """Where the checkpoint of a round stands."""
        return self.path / "checkpoints" / f"round-{number:04d}"

    @property
    def trainer(self) -> Path:
        """Where trainers work."""
        return self.path / "trainer"

    def empty_trainer(self) -> None:
        """Empty that folder: what a killed run left there is of no use."""
        shutil.rmtree(self.trainer, ignore_errors=True)
        self.trainer.mkdir(parents=True)

    def newest_checkpoint(self) -> Path | None:
        """The checkpoint that a resumed run goes on from; None before any round has trained."""
        rows = self.rounds()
        return self.checkpoint_after(rows[-1]["number"]) if rows else None

    def checkpoint_after(self, number: int) -> Path | None:
        """The checkpoint that was in force when a committed round was over; None for the base.

        It is of the last round that trained, unless the run went back to an earlier one.
        """
        in_force: dict[int, int | None] = {}
        present = None
        for row in self.rounds():
            present = row["number"] if row["tuned"] else present
            if row.get("back_to") is not None:
                present = in_force[row["back_to"]]
            in_force[row["number"]] = present
        found = in_force.get(number)
        return None if found is None else self.checkpoint(found)

    def commit(self, done: Round) -> Row:
        """Write a round: its rollouts, its checkpoint, then its row, which is what counts."""
        name = f"round-{done.number:04d}"
        if done.rollouts:
            kept = set(done.selection.kept) if done.selection else set()
            write_rollouts(self.path / "rollouts" / f"{name}.parquet", done.rollouts, kept)
        if done.finetuned:
            target = self.checkpoint(done.number)
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(done.finetuned.checkpoint, target)
        row = describe(done)
        rows = [*self.rounds(), row]
        write_rows(self.path / "rounds.jsonl", rows)
        self._forget_optimizers(done.state["guards"]["best"])
        return row

    def _forget_optimizers(self, best: int) -> None:
        """Only where a run can go on from, the newest and the best, is kept what trainers need."""
        kept = {self.newest_checkpoint(), self.checkpoint_after(best)}
        for folder in (self.path / "checkpoints").glob("round-*"):
            if folder not in kept:
                for name in MOMENTS:
                    (folder / name).unlink(missing_ok=True)
                for pieces in folder.glob("global_step*"):  # DeepSpeed's
                    shutil.rmtree(pieces)


def recipe_of(stored: Row, where: Path) -> Recipe:
    """The recipe of settings read from a ``recipe.json``.

    Args:
        stored: the settings; fields that came later have their defaults.
        where: the run's folder, named in the error.

    Raises:
        ValueError: this version has no such recipe.
    """
    try:
        return Recipe.from_stored(stored)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} holds a run of another version of mstar ({error}); its recipe.json says of "
            "which"
        ) from None


def write_rollouts(path: Path, rollouts: Sequence[Rollout], kept: set[int]) -> None:
    """Every response with every score, one row a rollout, as parquet."""
    columns: dict[str, list[Any]] = {
        "problem": [r.problem.id for r in rollouts],
        "question": [r.problem.question for r in rollouts],
        "phrasing": [r.problem.tags.get("phrasing", "") for r in rollouts],
        "answer": [r.problem.answer.value if r.problem.answer else None for r in rollouts],
        "response": [r.response.text for r in rollouts],
        "tokens": [len(r.response.tokens) for r in rollouts],
        "logprob": [r.response.logprob for r in rollouts],
        "entropy": [r.response.entropy for r in rollouts],
        "certainty": [r.response.certainty for r in rollouts],
        "finished": [r.response.finished for r in rollouts],
        "temperature": [r.temperature for r in rollouts],
        "version": [r.version for r in rollouts],
        "extra": [r.extra for r in rollouts],
        "reward": [r.reward for r in rollouts],
        "kept": [i in kept for i in range(len(rollouts))],
        "oracle": [_is_right(r) for r in rollouts],
    }
    for name in rollouts[0].scores:
        columns[f"score/{name}"] = [r.scores[name] for r in rollouts]
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table(columns), partial)
    partial.replace(path)


def _is_right(rollout: Rollout) -> bool | None:
    """Whether it is right, by the withheld answer too; None where nobody knows."""
    judged = rollout.scores.get("correctness", float("nan"))
    if judged == judged:
        return judged == 1.0
    return is_right(rollout.problem, rollout.judged)


def read_rollouts(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """The rows that ``write_rollouts`` wrote, or some columns; an older run may lack some."""
    there = pq.read_schema(path).names
    wanted = None if columns is None else [name for name in columns if name in there]
    rows: list[Row] = pq.read_table(path, columns=wanted).to_pylist()
    return rows


def stored_rounds(runs: Sequence[Path]) -> Iterator[tuple[str, int, Path]]:
    """The rounds of runs whose rollouts are there: the run's name, the round, and the file.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    for run in runs:
        paths = sorted((run / "rollouts").glob("*.parquet"))
        if not paths:
            raise ValueError(f"{run} holds no rollouts; give folders of runs that sampled")
        for path in paths:
            yield "/".join(run.parts[-2:]), int(path.stem.rpartition("-")[2]), path
