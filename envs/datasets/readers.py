"""Raw rows of a data set: from a file, a folder, a saved dataset, the hub, or memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mstar.envs.datasets.tables import (
    dataset_rows,
    load_from_folder,
    load_from_hub,
    parquet_rows,
)
from mstar.envs.datasets.text_files import LocatedCells, csv_rows, json_rows, jsonl_rows
from mstar.envs.problem import Split

# A folder is read in the first of these formats that it holds.
READERS: dict[str, Callable[[Path], Iterator[LocatedCells]]] = {
    ".parquet": parquet_rows,
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".csv": csv_rows,
    ".tsv": partial(csv_rows, delimiter="\t"),
    ".json": json_rows,
    ".jsonl.gz": jsonl_rows,
    ".json.gz": json_rows,
    ".csv.gz": csv_rows,
}
UNREADABLE: Mapping[str, str] = {  # other files that may hold problems, and what to do with them
    ".zip": "unpack it, and name the folder",
    ".tar": "unpack it, and name the folder",
    ".tgz": "unpack it, and name the folder",
    ".7z": "unpack it, and name the folder",
    ".rar": "unpack it, and name the folder",
    ".xlsx": "save the sheet as CSV",
    ".xls": "save the sheet as CSV",
    ".ods": "save the sheet as CSV",
    ".arrow": "name its folder, if save_to_disk wrote it, or save it as parquet",
    ".pkl": "it could run code when it is read; save the rows as JSON lines",
    ".pickle": "it could run code when it is read; save the rows as JSON lines",
    ".gz": "unpack it",
    ".zst": "unpack it",
    ".xz": "unpack it",
    ".bz2": "unpack it",
}
# What published sets call their splits; if a name contains several words, the first here counts.
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
FOLDERS_ABOVE = 3  # of a file, whose names may say its split
MEMORY = "rows in memory"  # the name of such rows in messages

RowsOrPath = str | Iterable[Mapping[str, Any]]  # a path or hub:NAME; rows, or a datasets.Dataset


class RawRow(NamedTuple):
    """One row as it is stored.

    Attributes:
        where: file and line, for messages.
        cells: values by column; ``_file`` is the file's name without its suffix, ``_key`` the
            row's key if the file is a JSON object of rows.
        folder: the folder that relative image paths start from.
        root: the folder that no image path may leave.
        split: the text that the split is inferred from, such as the name of the file or of its
            folder; "" if none.
    """

    where: str
    cells: Mapping[str, Any]
    folder: Path
    root: Path
    split: str = ""


def read_rows(source: RowsOrPath, image_folder: str | None = None) -> Iterator[RawRow]:
    """Every row of a source.

    Args:
        source: a file, a folder, ``hub:NAME``, or the rows themselves.
        image_folder: the folder that image paths start from and must not leave; None is the
            folder of the problems.

    Raises:
        ValueError: nothing that can be read, or a broken row; names file and line.
    """
    root = None if image_folder is None else Path(image_folder)
    if not isinstance(source, str):
        return _memory_rows(source, root or Path())
    if source.startswith("hub:"):
        return _hub_rows(source.removeprefix("hub:"), root)
    path = Path(source)
    if path.is_dir():
        return _folder_rows(path, root or path)
    if not path.is_file():
        raise ValueError(f"{source}: no such file or folder; working in {Path.cwd()}")
    return _file_rows(path, root or path.parent, root or path.parent, _split_text(path))


def split_from_name(name: str) -> Split | None:
    """The split that a name contains: ``train-00000-of-2`` is train, ``x`` None.

    >>> split_from_name("problems_train"), split_from_name("trainer")
    ('train', None)
    """
    words = "".join(c if c.isalpha() else " " for c in name.lower()).split()
    return next((split for word, split in SPLIT_WORDS.items() if word in words), None)


def file_stamps(source: str) -> tuple[tuple[str, int, int], ...]:
    """Path, modification time and size of each file of a source; () for the hub."""
    path = Path(source)
    files = [path] if path.is_file() else _problem_files(path) if path.is_dir() else []
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def _file_rows(path: Path, folder: Path, root: Path, split: str) -> Iterator[RawRow]:
    reader = READERS.get(_suffix(path))
    if reader is None:
        remedy = UNREADABLE.get(path.suffix.lower())
        raise ValueError(
            f"{path}: a file of problems ends in one of {', '.join(READERS)}; "
            f"got {path.suffix or 'no suffix'!r}{f': {remedy}' if remedy else ''}"
        )
    for where, cells in reader(path):
        yield RawRow(where, {"_file": path.stem, **cells}, folder, root, split)


def _folder_rows(folder: Path, root: Path) -> Iterator[RawRow]:
    if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        yield from _table_rows(load_from_folder(folder), str(folder), root)
        return
    files = _problem_files(folder)
    if not files:
        other = next((p for p in sorted(folder.glob("*")) if p.suffix.lower() in UNREADABLE), None)
        remedy = f" {other.name}: {UNREADABLE[other.suffix.lower()]}." if other else ""
        raise ValueError(
            f"{folder} holds no problems: nothing in it ends in {', '.join(READERS)}.{remedy} "
            'Images need a table beside them, such as problems.jsonl with rows {"question": ..., '
            '"image": "images/1.png", "answer": ...}'
        )
    for path in files:
        beside = path.parent if root == folder else root
        inside = str(path.relative_to(folder))
        split = inside if split_from_name(inside) else _split_text(path)
        yield from _file_rows(path, beside, root, split)


def _suffix(path: Path) -> str:
    """The end of a file's name, with the one before ``.gz``."""
    before = Path(path.stem).suffix if path.suffix.lower() == ".gz" else ""
    return f"{before}{path.suffix}".lower()


def _split_text(path: Path) -> str:
    """The name of a file, or of a folder above it that is called like a split; the nearest one."""
    if split_from_name(path.stem):
        return path.stem
    folders = [folder.name.lower() for folder in path.resolve().parents[:FOLDERS_ABOVE]]
    return next((name for name in folders if name in SPLIT_WORDS), "")


def _problem_files(folder: Path) -> list[Path]:
    """The files of one format nearest to the top, without dataset cards and hidden files."""
    for pattern in ("*", "data/*", "*/*", "*/*/*"):
        by_suffix: dict[str, list[Path]] = {suffix: [] for suffix in READERS}
        for path in folder.glob(pattern):
            suffix = _suffix(path)
            if suffix in by_suffix and not path.name.startswith((".", "dataset_info")):
                by_suffix[suffix].append(path)
        for files in by_suffix.values():
            if files:
                return sorted(files)
    return []


def _hub_rows(name: str, root: Path | None) -> Iterator[RawRow]:
    tables = load_from_hub(name)
    if root is None:
        import datasets

        root = Path(datasets.config.HF_CACHE_HOME)  # where it unpacks image files
    return _table_rows(tables, f"hub:{name}", root)


def _memory_rows(source: Iterable[Mapping[str, Any]], root: Path) -> Iterator[RawRow]:
    if isinstance(source, Mapping):  # a datasets.DatasetDict
        return _table_rows(source, MEMORY, root)
    if hasattr(source, "with_format"):  # a datasets.Dataset, whose images stay undecoded
        return _table_rows({"": source}, MEMORY, root)
    return (RawRow(f"{MEMORY}, number {i}", cells, root, root) for i, cells in enumerate(source))


def _table_rows(tables: Mapping[str, Any], name: str, root: Path) -> Iterator[RawRow]:
    for split, table in tables.items():
        for where, cells in dataset_rows(table, f"{name} {split}".rstrip()):
            yield RawRow(where, {"_file": split, **cells}, root, root, split)
