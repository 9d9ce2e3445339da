"""Rows of parquet files and of ``datasets`` tables; bytes in cells are read only when needed."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any

from mstar.envs.datasets.text_files import LONGEST_LINE, LocatedCells
from mstar.envs.hub import hub_answers

BATCH_ROWS = 4  # in memory at a time, images included; larger batches are no faster
BATCH_BYTES = 64 * 2**20  # in memory at a time, approximately
SMALL_GROUP = 64 * 2**20  # bytes; a row group up to this size may be compressed to any degree
LARGEST_RATIO = 50  # of uncompressed to compressed bytes; a higher one is a decompression bomb

Keys = tuple[str | int, ...]  # path from a cell to the bytes inside it


@dataclass(frozen=True, slots=True)
class ParquetBytes:
    """Reads the bytes inside a cell of a parquet file when called.

    Attributes:
        path: the file.
        group: the row group.
        column: the column.
        row: index within the row group.
        keys: path through the lists and structs of the cell.
    """

    path: str
    group: int
    column: str
    row: int
    keys: Keys

    def __call__(self) -> bytes:
        """Read the bytes; see ``_Cells`` for what a random order costs."""
        time = os.stat(self.path).st_mtime_ns
        cells = _cells_of(self.path, time, self.group, self.column)
        return cells.read((self.row, *self.keys))


@dataclass(frozen=True, slots=True)
class DatasetBytes:
    """Reads the bytes inside a cell of a ``datasets.Dataset`` when called.

    Attributes:
        table: the dataset, in arrow format.
        row: index of the row.
        column: the column.
        keys: path through the lists and structs of the cell.
    """

    table: Any = field(repr=False)
    row: int
    column: str
    keys: Keys

    def __call__(self) -> bytes:
        """Read the bytes."""
        return _bytes_at(self.table[self.row].column(self.column)[0], self.keys)


StoredBytes = ParquetBytes | DatasetBytes


def parquet_rows(path: Path) -> Iterator[LocatedCells]:
    """The rows of a parquet file, with bytes replaced by ``ParquetBytes``.

    Raises:
        ValueError: not a parquet file, a broken one, or a decompression bomb.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            rows_before = 0
            for group in range(file.num_row_groups):
                row, batch_size = 0, _batch_size(file.metadata.row_group(group), path)
                for batch in file.iter_batches(batch_size, row_groups=[group]):
                    table = _as_written(pyarrow.Table.from_batches([batch]))
                    for cells in table.to_pylist():
                        yield (
                            f"{path} row {rows_before + row}",
                            {
                                name: _defer_bytes(
                                    value, ParquetBytes(str(path), group, name, row, ())
                                )
                                for name, value in cells.items()
                            },
                        )
                        row += 1
                rows_before += row
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a parquet file that can be read: {error}") from None


def _batch_size(group: Any, path: Path) -> int:
    """How many rows of a row group to hold in memory at a time.

    Raises:
        ValueError: a row exceeds the limit on lines of text, or the group's compression ratio is
            far above that of images and texts.
    """
    columns = [group.column(index) for index in range(group.num_columns)]
    compressed, uncompressed = (
        sum(column.total_compressed_size for column in columns),
        sum(column.total_uncompressed_size for column in columns),
    )
    per_row = uncompressed // max(1, group.num_rows)
    if per_row > LONGEST_LINE or uncompressed > max(SMALL_GROUP, LARGEST_RATIO * compressed):
        raise ValueError(
            f"{path} unpacks to {uncompressed:,} bytes in {group.num_rows} rows of a row group; "
            f"the limits are {LONGEST_LINE:,} a row and {LARGEST_RATIO} times the compressed size"
        )
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, int(per_row))))


def dataset_rows(table: Any, name: str) -> Iterator[LocatedCells]:
    """The rows of a ``datasets.Dataset``, with bytes replaced by ``DatasetBytes``.

    Args:
        table: the dataset; its images are not decoded.
        name: of the dataset in messages.
    """
    raw = table.with_format("arrow")
    for row in range(len(raw)):
        cells = _as_written(raw[row]).to_pylist()[0]
        yield (
            f"{name} row {row}",
            {
                column: _defer_bytes(value, DatasetBytes(raw, row, column, ()))
                for column, value in cells.items()
            },
        )


def _as_written(table: Any) -> Any:
    """A table with single-precision numbers as they were written: 3.1, not 3.0999999046."""
    import pyarrow

    single = {field.name for field in table.schema if field.type == pyarrow.float32()}
    for kind in (pyarrow.string(), pyarrow.float64()) if single else ():
        types = [f.with_type(kind) if f.name in single else f for f in table.schema]
        table = table.cast(pyarrow.schema(types))
    return table


def load_from_hub(name: str) -> Mapping[str, Any]:
    """The tables of a dataset on the Hugging Face hub, or in its local cache, by split.

    Args:
        name: ``NAME`` or ``NAME:CONFIG``, either with ``@REVISION``.

    Raises:
        ValueError: loading fails.
    """
    import datasets

    hub_answers()  # where it does not, `datasets` reads its cache at once
    rest, _, revision = name.partition("@")
    repository, _, config = rest.partition(":")
    try:
        loaded = datasets.load_dataset(repository, config or None, revision=revision or None)
    except Exception as error:  # a dozen types of error, from three libraries
        raise ValueError(f"hub:{name} can't be loaded: {error}") from error
    return {str(split): table for split, table in loaded.items()}


def load_from_folder(folder: Path) -> Mapping[str, Any]:
    """The tables that ``save_to_disk`` wrote, by split; "" is the split of one without splits.

    Raises:
        ValueError: loading fails.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # as above
        raise ValueError(f"{folder} can't be loaded as a saved dataset: {error}") from error
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}


def _defer_bytes(value: Any, cell: StoredBytes) -> Any:
    if isinstance(value, bytes):
        return cell
    if isinstance(value, dict):
        return {key: _defer_bytes(item, _append_key(cell, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_defer_bytes(item, _append_key(cell, i)) for i, item in enumerate(value)]
    return value


def _append_key(cell: StoredBytes, key: str | int) -> StoredBytes:
    return replace(cell, keys=(*cell.keys, key))


def _bytes_at(scalar: Any, keys: Keys) -> bytes:
    for key in keys:
        scalar = scalar[key]
    return bytes(scalar.as_py())


class _Cells:
    """The bytes in one column of a row group of a parquet file.

    A row group must be read as a whole, and neighbouring rows are taken from the one in memory.
    When it has to be read again, as in a random order, its bytes are unpacked into a temporary
    file, from which each cell is read on its own.
    """

    def __init__(self, *place: str | int) -> None:
        self._place = place
        self._spans: dict[Keys, tuple[int, int, int]] = {}  # file, start, length

    def read(self, keys: Keys) -> bytes:
        """The bytes at a row and a path inside its cell."""
        if not self._spans:
            column = _parquet_column(*self._place)
            if _loads[self._place] < 2:
                return _bytes_at(column[keys[0]], keys[1:])
            self._unpack(column)
        file, start, length = self._spans[keys]
        return os.pread(file, length, start)

    def _unpack(self, column: Any) -> None:
        file = _unpacked(os.getpid())
        for row, scalar in enumerate(column):
            for keys, data in _all_bytes(scalar.as_py(), (row,)):
                start = file.seek(0, os.SEEK_END)
                self._spans[keys] = (file.fileno(), start, file.write(data))
        file.flush()


_loads: Counter[tuple[str | int, ...]] = Counter()  # how often each column of a group was read


def _all_bytes(value: Any, keys: Keys) -> Iterator[tuple[Keys, bytes]]:
    """Every bytes object in a cell, with the path to it."""
    if isinstance(value, bytes):
        yield keys, value
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _all_bytes(item, (*keys, key))


@cache
def _cells_of(path: str, time: int, group: int, column: str) -> _Cells:
    return _Cells(path, time, group, column)


@cache
def _unpacked(process: int) -> IO[bytes]:
    """The file that a process unpacks to; it is gone when the process ends."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - open until the process ends
    atexit.register(file.close)
    return file


@lru_cache(maxsize=2)
def _parquet_column(path: str, time: int, group: int, column: str) -> Any:
    """A column of a row group of a file with a modification time."""
    import pyarrow.parquet

    _loads[path, time, group, column] += 1
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column]).column(column)
