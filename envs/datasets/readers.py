"""Rows of whatever holds problems: a file, a folder, a saved dataset, the hub, or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mstar.envs.datasets.rows import Row
from mstar.envs.datasets.table_rows import (
    Place,
    dataset_rows,
    hub_tables,
    parquet_rows,
    saved_tables,
)
from mstar.envs.datasets.text_rows import csv_rows, json_rows, jsonl_rows
from mstar.envs.problem import Split

READERS: dict[str, Callable[[Path], Iterator[Place]]] = {
    ".parquet": parquet_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".csv": csv_rows,
    ".tsv": partial(csv_rows, delimiter="\t"),
    ".json": json_rows,
}
# How the splits of published sets are called; where a name has several, the first counts.
SPLIT_WORDS: Mapping[str, Split] = {
    "testmini": "test",
    "test": "test",
    "eval": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "train": "train",
    "training": "train",
}
MEMORY = "rows in memory"


def rows(source: str | Iterable[Mapping[str, Any]], pictures: str | None = None) -> Iterator[Row]:
    """Every row of a source.

    Args:
        source: a file, a folder, ``hub:NAME``, or the rows themselves.
        pictures: the folder that paths of pictures start from and must not leave; where the
            problems are if None.

    Raises:
        ValueError: nothing there that can be read, or a broken row; names file and line.
    """
    top = None if pictures is None else Path(pictures)
    if not isinstance(source, str):
        return _memory_rows(source, top or Path())
    if source.startswith("hub:"):
        return _hub_rows(source.removeprefix("hub:"), top)
    path = Path(source)
    if path.is_dir():
        return _folder_rows(path, top or path)
    if not path.is_file():
        raise ValueError(f"{source}: no such file or folder; working in {Path.cwd()}")
    return _file_rows(path, top or path.parent, top or path.parent, path.stem)


def split_called(name: str) -> Split | None:
    """The split that a name means: ``train-00000-of-2`` train, ``dev`` validation, ``x`` None.

    >>> split_called("problems_train"), split_called("trainer")
    ('train', None)
    """
    words = "".join(c if c.isalpha() else " " for c in name.lower()).split()
    return next((split for word, split in SPLIT_WORDS.items() if word in words), None)


def stamp(source: str) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file of the source does: paths, times and sizes; () for the hub."""
    path = Path(source)
    files = [path] if path.is_file() else _files(path) if path.is_dir() else []
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def _file_rows(path: Path, folder: Path, root: Path, named: str) -> Iterator[Row]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: a file of problems ends in one of {', '.join(READERS)}; "
            f"got {path.suffix or 'no ending'!r}"
        )
    for where, cells in reader(path):
        yield Row(where, {"_file": path.stem, **cells}, folder, root, named)


def _folder_rows(folder: Path, root: Path) -> Iterator[Row]:
    if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        yield from _table_rows(saved_tables(folder), str(folder), root)
        return
    files = _files(folder)
    if not files:
        raise ValueError(
            f"{folder} holds no problems: nothing in it ends in {', '.join(READERS)}. Pictures "
            'need a table beside them, such as problems.jsonl with rows {"question": ..., '
            '"image": "images/1.png", "answer": ...}'
        )
    for path in files:
        beside = path.parent if root == folder else root
        yield from _file_rows(path, beside, root, str(path.relative_to(folder)))


def _files(folder: Path) -> list[Path]:
    """The files of one kind, those nearest to the top; dataset cards and settings aside."""
    for pattern in ("*", "data/*", "*/*", "*/*/*"):
        kinds: dict[str, list[Path]] = {ending: [] for ending in READERS}
        for path in folder.glob(pattern):
            if path.suffix.lower() in kinds and not path.name.startswith((".", "dataset_info")):
                kinds[path.suffix.lower()].append(path)
        for found in kinds.values():
            if found:
                return sorted(found)
    return []


def _hub_rows(name: str, top: Path | None) -> Iterator[Row]:
    tables = hub_tables(name)
    if top is None:
        import datasets

        top = Path(datasets.config.HF_CACHE_HOME)  # pictures that it unpacked lie there
    return _table_rows(tables, f"hub:{name}", top)


def _memory_rows(source: Iterable[Mapping[str, Any]], top: Path) -> Iterator[Row]:
    if isinstance(source, Mapping):  # a datasets.DatasetDict
        return _table_rows(source, MEMORY, top)
    if hasattr(source, "with_format"):  # a datasets.Dataset, whose pictures stay undecoded
        return _table_rows({"": source}, MEMORY, top)
    return (Row(f"{MEMORY}, number {i}", cells, top, top) for i, cells in enumerate(source))


def _table_rows(tables: Mapping[str, Any], name: str, top: Path) -> Iterator[Row]:
    for split, table in tables.items():
        for where, cells in dataset_rows(table, f"{name} {split}".rstrip()):
            yield Row(where, {"_file": split, **cells}, top, top, split)
