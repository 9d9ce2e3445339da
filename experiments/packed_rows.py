"""Pack all row files of a folder into one zstd parquet file, the form in which they are committed.

Pack the ``.jsonl`` and ``.json`` files below a folder, or unpack them again:

    python -m mstar.experiments.packed_rows runs/online experiments/results/online/rows.parquet
    python -m mstar.experiments.packed_rows experiments/results/online/rows.parquet runs/online

Each row of the parquet file is a row of one of the packed files, which the column ``file`` names.
A key whose values all have one type becomes a column of that type, null where a row lacks the key;
whatever else a row holds is JSON text in the column ``json``. All values are restored exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tyro

from mstar.experiments.rows import Row, read_rows, write_rows, write_whole

PACKED = "rows.parquet"  # the name of such a file in a folder of results
FILE, JSON = "file", "json"
TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def pack(files: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Write row files as one parquet file.

    Args:
        files: rows, by the path of their file, such as ``mstar/seed-0/rounds.jsonl``.
        path: of the parquet file; replaced if it exists.
    """
    rows = [row for several in files.values() for row in several]
    types = column_types(rows)
    columns: dict[str, Any] = {
        FILE: pa.array([name for name, several in files.items() for _ in several], pa.string())
    }
    for key, kind in types.items():
        columns[key] = pa.array([row.get(key) for row in rows], kind)
    rest = [{key: value for key, value in row.items() if key not in types} for row in rows]
    columns[JSON] = pa.array([json.dumps(r, separators=(",", ":")) if r else None for r in rest])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table(columns), partial, compression="zstd", compression_level=19)
    partial.replace(path)


def unpack(path: Path, names: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """The rows of the packed files, or of those named; {} if `path` does not exist."""
    files: dict[str, list[Row]] = {}
    if not path.exists():
        return files
    chosen = None if names is None else [(FILE, "in", list(names))]
    for stored in pq.read_table(path, filters=chosen).to_pylist():
        name, rest = stored.pop(FILE), stored.pop(JSON)
        typed = {key: value for key, value in stored.items() if value is not None}
        files.setdefault(name, []).append(typed | json.loads(rest or "{}"))
    return files


def column_types(rows: Iterable[Row]) -> dict[str, Any]:
    """The arrow type of each key whose values all have the same one; other keys are left out."""
    types: dict[str, set[Any]] = {}
    for row in rows:
        for key, value in row.items():
            types.setdefault(key, set()).add(arrow_type(value))
    return {
        key: found.pop()
        for key, found in types.items()
        if len(found) == 1 and None not in found and key not in (FILE, JSON)
    }


def arrow_type(value: Any) -> Any:
    """The type of a scalar or of a list of scalars of one type; None for any other value."""
    if isinstance(value, list):
        inner = {TYPES.get(type(item)) for item in value}
        return pa.list_(inner.pop()) if len(inner) == 1 and None not in inner else None
    return TYPES.get(type(value))


def read_file(path: Path) -> list[Row]:
    """The rows of a file of JSON lines, or the one row of a ``.json`` file; [] if absent."""
    if path.suffix == ".json":
        return [json.loads(path.read_text())] if path.exists() else []
    return read_rows(path)


def stored_rows(folder: Path, name: str) -> list[Row]:
    """The rows of a file of a folder, from the file itself or packed; [] if there are none."""
    path = folder / name
    return read_file(path) if path.exists() else unpack(folder / PACKED, [name]).get(name, [])


def row_files(folder: Path) -> dict[str, list[Row]]:
    """The rows of all ``.jsonl`` and ``.json`` files below a folder, by path within it."""
    paths = [path for kind in ("*.json", "*.jsonl") for path in sorted(folder.rglob(kind))]
    return {path.relative_to(folder).as_posix(): read_file(path) for path in paths}


def write_files(files: Mapping[str, Sequence[Row]], folder: Path) -> None:
    """Write rows back as the files that they were packed from."""
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_whole(path, json.dumps(rows[0], indent=2))
        else:
            write_rows(path, rows)


@dataclass(frozen=True)
class PackOptions:
    """Pack the row files of a folder, or unpack a packed file.

    Attributes:
        source: a folder with ``.jsonl`` and ``.json`` files, at any depth; or a packed file.
        target: the packed file to write, in which files of other names are kept; or a folder.
    """

    source: tyro.conf.Positional[Path]
    target: tyro.conf.Positional[Path]


def run(options: PackOptions) -> None:
    """Pack or unpack.

    Raises:
        ValueError: there is nothing to pack or unpack.
    """
    if options.source.is_dir():
        if not (files := row_files(options.source)):
            raise ValueError(f"{options.source} holds no .jsonl or .json file to pack")
        pack(unpack(options.target) | files, options.target)
    elif not options.source.exists():
        raise ValueError(f"{options.source} does not exist; give a folder or a packed file")
    else:
        write_files(unpack(options.source), options.target)


if __name__ == "__main__":
    run(tyro.cli(PackOptions))
