"""Where a run comes from, in one file: when, data, model, versions, seeds, who audited it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mstar.agents.policy.embedded import EMBEDDED
from mstar.experiments.rows import Row, read_rows, write_whole
from mstar.experiments.run.checksums import checksum, checksums
from mstar.experiments.run.launches import times
from mstar.experiments.run.run_folder import RunFolder
from mstar.experiments.verdicts import FILE as VERDICTS
from mstar.experiments.verdicts import read_verdicts

FILE = "provenance.json"


def write_provenance(folder: RunFolder, out: Path, *, for_others: bool = False) -> Path:
    """Write ``provenance.json`` into a folder; returns its path.

    Args:
        folder: of the run.
        out: the run's folder, or that of an exported policy.
        for_others: paths on this machine become their last names, and people are only counted.
    """
    found = provenance(folder)
    if for_others:
        found = without_paths(found)
        if found["audit"]:
            found["audit"]["people"] = len(found["audit"]["people"])
    path = out / FILE
    write_whole(path, json.dumps(found, indent=2) + "\n")
    return path


def without_paths(value: Any) -> Any:
    """JSON values with paths on this machine replaced by their last names, of files the last two.

    A path may stand behind ``KEY=``, as in the fields of a data set.
    """
    if isinstance(value, dict):
        return {key: without_paths(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(part) for part in value]
    if not isinstance(value, str) or "/" not in value:
        return value
    key, sign, path = ("", "", value) if Path(value).exists() else value.rpartition("=")
    if not Path(path).exists():
        return value
    names = Path(path).parts[-2:] if Path(path).is_file() else (Path(path).name,)
    return f"{key}{sign}{'/'.join(names)}"


def provenance(folder: RunFolder) -> dict[str, Any]:
    """Where a run comes from, as JSON values.

    Hashes are BLAKE2b; of files as in ``checksums``; of problems over all that were asked, each by
    its id, question and reference answer, so that the same problems give the same hash.
    """
    described = json.loads((folder.path / "recipe.json").read_text())
    recipe, rounds = folder.recipe(), folder.rounds()
    asked: list[Row] = []
    for row in rounds:
        asked += folder.rollouts(row["number"], ["problem", "question", "answer"])
    tested = read_rows(folder.path / "evaluation.jsonl")
    return {
        "run": folder.path.resolve().name,
        **times(folder),
        "recipe": described["recipe"],
        "recipe_hash": _hash([json.dumps(described["recipe"], sort_keys=True)]),
        "settings_changed": described.get("changed", []),
        "model": _model(recipe.model.name),
        "policy_files": next((row["files"] for row in reversed(rounds) if row.get("files")), None),
        "training_problems": _problems(
            (row["problem"], row["question"], row["answer"]) for row in asked
        ),
        "test_problems": _problems((row["group"], row["id"], "") for row in tested),
        "data": recipe.data.env,
        "seed": recipe.run.seed,
        "versions": described["versions"],
        "python": described["python"],
        "commit": described["commit"],
        "hardware": described["hardware"],
        "rounds": rounds[-1]["number"] if rounds else 0,
        "alarms": sum(len(row.get("alarms", ())) for row in rounds),
        "audit": _audit(folder.path / VERDICTS),
    }


def _model(name: str) -> dict[str, Any]:
    """The base model, with the checksums of its files where it stands on this machine."""
    folder = EMBEDDED if name == "embedded" else Path(name)
    return {"name": name, "files": checksums(folder) if folder.is_dir() else None}


def _problems(asked: Iterable[tuple[str | None, ...]]) -> dict[str, Any]:
    different = sorted({json.dumps(each) for each in asked})
    return {"number": len(different), "hash": _hash(different)}


def _audit(path: Path) -> dict[str, Any] | None:
    verdicts = read_verdicts(path)
    if not verdicts:
        return None
    people: dict[str, int] = {}
    for verdict in verdicts:
        people[verdict.user] = people.get(verdict.user, 0) + 1
    return {
        "people": people,
        "first": min(verdict.time for verdict in verdicts),
        "last": max(verdict.time for verdict in verdicts),
        "file_hash": checksum(path),
    }


def _hash(parts: Iterable[str]) -> str:
    total = blake2b(digest_size=16)
    for part in parts:
        total.update(part.encode() + b"\n")
    return total.hexdigest()
