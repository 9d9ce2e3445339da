"""Rows of parquet files and of ``datasets`` tables; the bytes of pictures stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mstar.envs.datasets.rows import LONGEST_LINE

BATCH = 4  # rows in memory at a time, pictures and all; more are no faster
HELD = 64 * 2**20  # bytes in memory at a time, about
UNPACKED = 64 * 2**20  # bytes that a row group may hold however well it is packed
MOST_PACKED = 50  # times smaller than what it holds; more is a bomb

Place = tuple[str, Mapping[str, Any]]  # where the row stands, and its cells
Keys = tuple[str | int, ...]  # the way from a cell to the bytes inside it


@dataclass(frozen=True, slots=True)
class ParquetBytes:
    """Bytes inside a cell of a parquet file; calling it reads them.

    Attributes:
        path: the file.
        group: the row group.
        column: the column.
        row: counted within the row group.
        keys: the way through lists and structs of the cell.
    """

    path: str
    group: int
    column: str
    row: int
    keys: Keys

    def __call__(self) -> bytes:
        """Read the bytes; the row group's column is kept for its neighbours."""
        return _inside(_parquet_column(self.path, self.group, self.column)[self.row], self.keys)


@dataclass(frozen=True, slots=True)
class DatasetBytes:
    """Bytes inside a cell of a ``datasets.Dataset``; calling it reads them.

    Attributes:
        table: the dataset, in arrow format.
        row: index of the row.
        column: the column.
        keys: the way through lists and structs of the cell.
    """

    table: Any = field(repr=False)
    row: int
    column: str
    keys: Keys

    def __call__(self) -> bytes:
        """Read the bytes."""
        return _inside(self.table[self.row].column(self.column)[0], self.keys)


StoredBytes = ParquetBytes | DatasetBytes


def parquet_rows(path: Path) -> Iterator[Place]:
    """The rows of a parquet file; bytes are replaced by calls that read them.

    Raises:
        ValueError: not a parquet file, or a broken one.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            before = 0
            for group in range(file.num_row_groups):
                row, batch_size = 0, _batch_size(file.metadata.row_group(group), path)
                for batch in file.iter_batches(batch_size, row_groups=[group]):
                    for cells in batch.to_pylist():
                        yield (
                            f"{path} row {before + row}",
                            {
                                name: _without_bytes(
                                    value, ParquetBytes(str(path), group, name, row, ())
                                )
                                for name, value in cells.items()
                            },
                        )
                        row += 1
                before += row
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a parquet file that can be read: {error}") from None


def _batch_size(group: Any, path: Path) -> int:
    """How many rows of a row group to hold at a time.

    Raises:
        ValueError: its rows are larger than a line of text may be, or it unpacks to far more than
            pictures and texts do.
    """
    columns = [group.column(index) for index in range(group.num_columns)]
    packed, unpacked = (
        sum(column.total_compressed_size for column in columns),
        sum(column.total_uncompressed_size for column in columns),
    )
    each = unpacked // max(1, group.num_rows)
    if each > LONGEST_LINE or unpacked > max(UNPACKED, MOST_PACKED * packed):
        raise ValueError(
            f"{path} unpacks to {unpacked:,} bytes in {group.num_rows} rows of a row group; "
            f"{LONGEST_LINE:,} a row are the most, and {MOST_PACKED} times what is stored"
        )
    return max(1, min(BATCH, HELD // max(1, int(each))))


def dataset_rows(table: Any, name: str) -> Iterator[Place]:
    """The rows of a ``datasets.Dataset``; bytes are replaced by calls that read them.

    Args:
        table: the dataset; its pictures are not decoded.
        name: what messages call it.
    """
    raw = table.with_format("arrow")
    for row in range(len(raw)):
        cells = raw[row].to_pylist()[0]
        yield (
            f"{name} row {row}",
            {
                column: _without_bytes(value, DatasetBytes(raw, row, column, ()))
                for column, value in cells.items()
            },
        )


def hub_tables(name: str) -> Mapping[str, Any]:
    """The splits of a dataset of the hub, or of its local cache.

    Args:
        name: ``NAME``, ``NAME:CONFIG`` and either with ``@REVISION``.

    Raises:
        ValueError: it can't be loaded.
    """
    import datasets

    rest, _, revision = name.partition("@")
    repository, _, config = rest.partition(":")
    try:
        loaded = datasets.load_dataset(repository, config or None, revision=revision or None)
    except Exception as error:  # it has a dozen kinds, from three libraries
        raise ValueError(f"hub:{name} can't be loaded: {error}") from error
    return {str(split): table for split, table in loaded.items()}


def saved_tables(folder: Path) -> Mapping[str, Any]:
    """The splits of a dataset that ``save_to_disk`` wrote; "" for a dataset without splits."""
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # as above
        raise ValueError(f"{folder} can't be loaded as a saved dataset: {error}") from error
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}


def _without_bytes(value: Any, place: StoredBytes) -> Any:
    if isinstance(value, bytes):
        return place
    if isinstance(value, dict):
        return {key: _without_bytes(item, _deeper(place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_bytes(item, _deeper(place, i)) for i, item in enumerate(value)]
    return value


def _deeper(place: StoredBytes, key: str | int) -> StoredBytes:
    return replace(place, keys=(*place.keys, key))


def _inside(scalar: Any, keys: Keys) -> bytes:
    for key in keys:
        scalar = scalar[key]
    return bytes(scalar.as_py())


@lru_cache(maxsize=2)
def _parquet_column(path: str, group: int, column: str) -> Any:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column]).column(column)
