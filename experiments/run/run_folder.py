"""The folder of a run: what is stored, and how a killed run resumes.

recipe.json              the recipe with versions, commit, seed and hardware
rounds.jsonl             one row a round; a round is committed when its row stands here
rollouts/round-0003.parquet
checkpoints/round-0003/  model, optimizer, schedule, controller and environment state
evaluation.jsonl         base against evolved, one row a test problem
out_of_domain.jsonl      accuracy on ``test_envs`` after every round
launches.jsonl           when the run was started, resumed and ended
tracking.json            what experiment trackers have been sent
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

from mstar.agents.config import SETTINGS, Recipe, deciding, spanning, stored_settings
from mstar.agents.types import Rollout, Round
from mstar.envs.families.catalog import FIRST
from mstar.envs.variants.unlabelled import is_right
from mstar.experiments.rows import Row, add_row, read_lines, read_rows, write_whole
from mstar.experiments.run.checksums import checksums, damage
from mstar.experiments.run.environment_info import environment_info
from mstar.experiments.run.lock import cannot_write
from mstar.experiments.run.peak_memory import peak_memory
from mstar.experiments.run.round_row import describe

OF_FAMILIES = ("env", "families", "extra_families", "test_env")  # settings that name families
# Adam's moments as each launch writes them; FSDP has the weights beside them once more.
MOMENTS = ("optimizer.pt", "optimizer.bin", "pytorch_model_fsdp.bin")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Reads and writes one run; an atomic rename of ``rounds.jsonl`` commits a round."""

    path: Path

    @classmethod
    def create(cls, path: Path, recipe: Recipe) -> RunFolder:
        """Create the folder of a run, or open it again if it can go on with the recipe.

        A run without a committed round is replaced, whatever its recipe.

        Raises:
            ValueError: the folder holds a run of another recipe, or of a version with settings that
                this one does not have.
            OSError: the folder cannot be written.
        """
        folder = cls(path)
        try:
            for name in ("rollouts", "checkpoints"):
                (path / name).mkdir(parents=True, exist_ok=True)
            written = path / "recipe.json"
            if written.exists() and folder.rounds():
                folder.check_recipe(recipe)
                folder.check(folder.newest_checkpoint(), to_train=True)
                folder._go_on_with(recipe)
            else:
                described = {"recipe": asdict(recipe.resolved()), **environment_info()}
                write_whole(written, json.dumps(described, indent=2))
        except OSError as error:
            raise cannot_write(path, error) from error
        return folder

    def exists(self) -> bool:
        """Whether the folder is there, as that of a run."""
        return (self.path / "recipe.json").exists()

    def deleted(self) -> FileNotFoundError:
        """The error to raise where it is gone while the run goes on."""
        return FileNotFoundError(
            f"the run folder {self.path} was deleted or moved while the run went on, which ends "
            "here; put it back to resume after its last round, or start anew"
        )

    def rounds(self, first: int = 0) -> list[Row]:
        """The rows of the committed rounds in order, from number `first` on."""
        return read_rows(self.path / "rounds.jsonl", first)

    def recipe(self) -> Recipe:
        """The recipe that the run was started with; ``unset`` fields have their defaults.

        Raises:
            FileNotFoundError: this is not a run folder.
            ValueError: this version has no such recipe.
        """
        return recipe_of(self._stored(), self.path)

    def unset(self) -> list[str]:
        """Fields newer than the version of the run; their defaults describe what it did."""
        stored = self._stored()
        return [name for name in SETTINGS if name not in stored_settings(stored)]

    def unlike(self, recipe: Recipe) -> list[str]:
        """The fields in which the run's recipe differs from another one, if they decide results."""
        there, wanted = deciding(self.recipe().resolved()), deciding(recipe.resolved())
        return sorted(name for name in wanted if there[name] != wanted[name])

    def check_recipe(self, recipe: Recipe) -> None:
        """Check that the run can go on with a recipe: its own, or one with more rounds.

        Settings that decide no result may differ.

        Raises:
            ValueError: it cannot; the message says why.
        """
        changed, there = self.unlike(recipe), self.recipe()
        more = recipe.run.rounds > there.run.rounds
        if not changed or (changed == ["rounds"] and more and not spanning(there)):
            return
        if changed == ["rounds"] and more:
            raise ValueError(
                f"{self.path} holds a run of {there.run.rounds} rounds, over which "
                f"{' and '.join(spanning(there))} extends: more would change those that are done; "
                "give another --out, or the same number of rounds to resume it"
            )
        raise ValueError(
            f"{self.path} holds a run of another recipe (different: {', '.join(changed)}); "
            "give another --out, or the same settings to resume it"
        )

    def _go_on_with(self, recipe: Recipe) -> None:
        """Note the settings that change from here on; a run that gets longer is tested again."""
        described = json.loads((self.path / "recipe.json").read_text())
        before, now = self.recipe().resolved().settings(), recipe.resolved().settings()
        if changes := {
            name: [before[name], now[name]] for name in now if before[name] != now[name]
        }:
            after = {"after_round": self.rounds()[-1]["number"], "settings": changes}
            changed = [*described.get("changed", ()), after]
            described = {**described, "recipe": asdict(recipe.resolved()), "changed": changed}
            if "rounds" in changes:
                (self.path / "evaluation.jsonl").unlink(missing_ok=True)
            write_whole(self.path / "recipe.json", json.dumps(described, indent=2))

    def _stored(self) -> Row:
        if not self.exists():
            raise FileNotFoundError(
                f"{self.path} is not a run folder: it has no recipe.json; give the folder that "
                "`mstar train --out` wrote"
            )
        stored: Row = json.loads((self.path / "recipe.json").read_text())["recipe"]
        return stored

    def rollouts(self, number: int, columns: Sequence[str] | None = None) -> list[Row]:
        """The stored responses of a round; [] where none are, or their file cannot be read."""
        try:
            return read_rollouts(self.rollouts_path(number), columns)
        except (OSError, pa.ArrowInvalid):
            return []

    def rollouts_path(self, number: int) -> Path:
        """The file of a round's responses."""
        return self.path / "rollouts" / f"round-{number:04d}.parquet"

    def lost_rollouts(self) -> list[str]:
        """Files of responses that were deleted or damaged, by their names in the folder."""
        sampled = [row["number"] for row in self.rounds() if row["plan"]]
        return [
            str(self.rollouts_path(number).relative_to(self.path))
            for number in sampled
            if not self.rollouts(number)
        ]

    def checkpoint(self, number: int) -> Path:
        """The folder of a round's checkpoint."""
        return self.path / "checkpoints" / f"round-{number:04d}"

    @property
    def trainer(self) -> Path:
        """The working folder of trainers."""
        return self.path / "trainer"

    def empty_trainer(self) -> None:
        """Empty the trainers' folder: files that a killed run left there cannot be used."""
        shutil.rmtree(self.trainer, ignore_errors=True)
        self.trainer.mkdir(parents=True)

    def newest_checkpoint(self) -> Path | None:
        """The checkpoint to resume from; None before any round has trained."""
        rows = self.rounds()
        return self.checkpoint_after(rows[-1]["number"]) if rows else None

    def round_named(self, which: str) -> int:
        """The number of a round.

        Args:
            which: ``last``; ``best``, of those that the guards have seen by greedy accuracy on
                validation problems; or a number.

        Raises:
            ValueError: the run has no such round, or none yet.
        """
        rows = self.rounds()
        if not rows:
            raise ValueError(f"{self.path} has no finished round yet")
        named = {"last": rows[-1]["number"], "best": rows[-1]["state"]["guards"]["best"]}
        numbers = {str(row["number"]): int(row["number"]) for row in rows}
        if which not in (known := {**named, **numbers}):
            raise ValueError(
                f"{self.path} has no round {which!r}; give last, best, or 0 to {rows[-1]['number']}"
            )
        return int(known[which])

    def checkpoint_after(self, number: int) -> Path | None:
        """The checkpoint of the policy at the end of a committed round; None for the base.

        It is that of the last round that trained, unless the run went back to an earlier one. Only
        the rows on the way there are read: a run asks after every round.
        """
        lines = read_lines(self.path / "rounds.jsonl")  # round 0 is in the first
        while 0 <= number < len(lines):
            row = json.loads(lines[number])
            if row.get("back_to") is not None:
                number = row["back_to"]
            elif row["tuned"]:
                return self.checkpoint(number)
            else:
                number -= 1
        return None

    def check(self, checkpoint: Path | None, *, to_train: bool) -> None:
        """Check the files of a checkpoint against the checksums in its round's row.

        Rows of versions before 0.2 have none.

        Args:
            checkpoint: of this run; None, the base, which is not stored here.
            to_train: whether a trainer is to go on from it, which needs the optimizer's moments.

        Raises:
            ValueError: a file is missing or changed; the message says which, and what to do.
        """
        rows = {self.checkpoint(row["number"]): row for row in self.rounds()}
        if checkpoint is None or not (files := rows[checkpoint].get("files")):
            return
        if not to_train:
            files = {name: digest for name, digest in files.items() if not _is_moments(name)}
        elif any(
            row["tuned"] and self.checkpoint(row["number"]) > checkpoint for row in rows.values()
        ):
            files = {**files, "optimizer.pt": None} if "optimizer.pt" in files else files
        if wrong := damage(checkpoint, files):
            raise ValueError(f"{wrong}: restore it from a copy, or {self._instead_of(checkpoint)}")

    def _instead_of(self, checkpoint: Path) -> str:
        """What can be done without a checkpoint."""
        for row in reversed(self.rounds()):
            other = self.checkpoint(row["number"])
            files = {
                name: d for name, d in (row.get("files") or {}).items() if not _is_moments(name)
            }
            if files and other != checkpoint and damage(other, files) is None:
                return (
                    f"start from the weights of round {row['number']}, which are whole: `mstar "
                    f"export {self.path} --round {row['number']} --out DIR`, then `mstar train "
                    "--model DIR`"
                )
        return "start anew with another --out"

    def commit(self, done: Round) -> Row:
        """Write the rollouts and the checkpoint of a round, then its row, which commits it.

        Raises:
            FileNotFoundError: the folder was deleted.
        """
        if not self.exists():
            raise self.deleted()
        if done.rollouts:
            kept = set(done.selection.kept) if done.selection else set()
            write_rollouts(self.rollouts_path(done.number), done.rollouts, kept)
        if done.finetuned:
            target = self.checkpoint(done.number)
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(done.finetuned.checkpoint, target)
        row = {**describe(done), "memory": peak_memory()}
        if done.finetuned:
            row["files"] = checksums(self.checkpoint(done.number))
        add_row(self.path / "rounds.jsonl", row)
        self._prune(done.number, done.state["guards"]["best"])
        return row

    def _prune(self, number: int, best: int) -> None:
        """Delete what no later round, resume or return needs of the checkpoints after a round.

        Kept are the newest with the optimizer's moments; the best, and as many of the last as the
        recipe says, with their weights alone. Where the run goes back to the best, its optimizer
        starts with new moments.
        """
        newest, best_one = self.checkpoint_after(number), self.checkpoint_after(best)
        present = sorted((self.path / "checkpoints").glob("round-*"))
        keep = self.recipe().run.save_total_limit
        kept = {newest, best_one, *(present[-keep:] if keep else present)}
        for folder in present:
            if folder not in kept:
                shutil.rmtree(folder)
            elif folder != newest:
                forget_moments(folder, needed=folder == best_one)


def forget_moments(checkpoint: Path, needed: bool) -> None:
    """Delete Adam's moments from a checkpoint, which are twice as large as the weights or more.

    Args:
        checkpoint: its folder.
        needed: whether a trainer may go on from it. It then gets an optimizer without moments in
            their place; where FSDP or DeepSpeed has written them in a form of its own, they stay.
    """
    if needed:
        whole = checkpoint / "optimizer.pt"
        if whole.exists():
            import torch  # reading a folder of a run does without

            optimizer = torch.load(whole, map_location="cpu", weights_only=True, mmap=True)
            if optimizer["state"]:
                partial = whole.with_suffix(".partial")
                torch.save({**optimizer, "state": {}}, partial)
                partial.replace(whole)
        return
    for name in MOMENTS:
        (checkpoint / name).unlink(missing_ok=True)
    for pieces in checkpoint.glob("global_step*"):  # DeepSpeed's
        shutil.rmtree(pieces)


def _is_moments(name: str) -> bool:
    """Whether ``forget_moments`` may delete a file of a checkpoint."""
    return name in MOMENTS or name.startswith("global_step")


def recipe_of(stored: Row, where: Path) -> Recipe:
    """The recipe with the settings of a ``recipe.json``.

    Args:
        stored: the settings; newer fields have their defaults.
        where: the run's folder, named in the error.

    Raises:
        ValueError: this version has no such recipe.
    """
    try:
        settings = stored_settings(stored)
        families = {name: _as_meant(settings[name]) for name in OF_FAMILIES if settings.get(name)}
        return Recipe.of(**settings | families)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} holds a run of another version of mstar ({error}); see its recipe.json for "
            "which"
        ) from None


def _as_meant(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Families as the recipe of a run means them: without a version, one of before they had any."""
    return (
        FIRST.get(value, value) if isinstance(value, str) else tuple(FIRST.get(v, v) for v in value)
    )


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
        "distorted": [r.response.distorted for r in rollouts],
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
    """Whether the response is right, also by a withheld answer; None if that is not known."""
    judged = rollout.scores.get("correctness", float("nan"))
    if judged == judged:
        return judged == 1.0
    return is_right(rollout.problem, rollout.judged)


def read_rollouts(path: Path, columns: Sequence[str] | None = None) -> list[Row]:
    """The rows of ``write_rollouts``, or some columns; older runs may lack some of them."""
    there = pq.read_schema(path).names
    wanted = None if columns is None else [name for name in columns if name in there]
    rows: list[Row] = pq.read_table(path, columns=wanted).to_pylist()
    return rows


def stored_rounds(runs: Sequence[Path]) -> Iterator[tuple[str, int, Path]]:
    """All rounds with stored rollouts: the run's name, the number of the round, and the file.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    for run in runs:
        paths = sorted((run / "rollouts").glob("*.parquet"))
        if not paths:
            raise ValueError(f"{run} holds no rollouts; give folders of runs that sampled")
        for path in paths:
            yield "/".join(run.parts[-2:]), int(path.stem.rpartition("-")[2]), path
