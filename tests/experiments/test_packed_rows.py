"""Packed rows come back as they were, whatever they hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mstar.experiments.packed_rows import (
    PACKED,
    PackOptions,
    pack,
    row_files,
    run,
    stored_rows,
    unpack,
    write_files,
)
from mstar.experiments.rows import write_rows

FILES = {
    "a/rounds.jsonl": [
        {"number": 0, "plan": None, "cost": {"tokens": 3, "flops": 1e9}, "samples": [1, 0]},
        {"number": 1, "cost": {}, "samples": [], "share": 0.1 + 0.2, "file": "x"},
        {},
    ],
    "a/evaluation.jsonl": [
        {"id": "p", "greedy": True, "samples": [0], "mixed": 1, "text": "\u00e4\n"},
        {"id": "q", "greedy": False, "samples": [1], "mixed": 1.0, "text": ""},
    ],
    "recipe.json": [{"recipe": {"families": ["Dice"]}, "commit": None}],
}


def test_every_value_comes_back_with_its_type(tmp_path: Path) -> None:
    pack(FILES, tmp_path / PACKED)
    files = unpack(tmp_path / PACKED)
    assert list(files) == list(FILES)
    assert json.dumps(files, sort_keys=True) == json.dumps(FILES, sort_keys=True)
    assert unpack(tmp_path / PACKED, ["recipe.json"]) == {"recipe.json": FILES["recipe.json"]}
    assert stored_rows(tmp_path, "a/rounds.jsonl") == FILES["a/rounds.jsonl"]
    assert stored_rows(tmp_path, "b/rounds.jsonl") == []


def test_a_folder_is_packed_and_unpacked_by_one_command(tmp_path: Path) -> None:
    write_files(FILES, tmp_path / "runs")
    target = tmp_path / "results" / PACKED
    run(PackOptions(tmp_path / "runs", target))
    run(PackOptions(target, tmp_path / "again"))
    assert row_files(tmp_path / "again") == row_files(tmp_path / "runs")


def test_files_of_other_names_stay_packed(tmp_path: Path) -> None:
    target = tmp_path / PACKED
    for name, number in (("a", 1), ("b", 2), ("a", 3)):
        (tmp_path / name).mkdir(exist_ok=True)
        write_rows(tmp_path / name / f"{name}.jsonl", [{"number": number}])
        run(PackOptions(tmp_path / name, target))
    assert unpack(target) == {"a.jsonl": [{"number": 3}], "b.jsonl": [{"number": 2}]}


def test_nothing_to_pack_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no \.jsonl or \.json file"):
        run(PackOptions(tmp_path / "empty", tmp_path / PACKED))
    with pytest.raises(ValueError, match="does not exist; give a folder or a packed file"):
        run(PackOptions(tmp_path / "gone", tmp_path / PACKED))
