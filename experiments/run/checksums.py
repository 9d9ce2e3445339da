"""Checksums of a checkpoint's files: damage on the disk is found before it is learned from.

What is looked for is damage, not an attack, so that CRC-32 is enough: about 2 GB a second on one
core. Each file is read in pieces by as many threads as there are cores, just after it was written,
so that its content is still in memory; 8 GB take a second or two, less than writing them did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

PIECE = 2**24  # bytes


def checksums(folder: Path) -> dict[str, str]:
    """The checksum of every file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): checksum(path) for path in files}


def checksum(path: Path) -> str:
    """BLAKE2b of the CRC-32 of each piece of a file, as hexadecimal digits."""
    size = path.stat().st_size
    with path.open("rb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        starts = range(0, size, PIECE)
        each = pool.map if len(starts) > 1 else map  # most files are small, and threads cost time
        pieces = each(partial(_piece, file.fileno()), starts)
        return blake2b(b"".join(pieces), digest_size=16).hexdigest()


def _piece(descriptor: int, start: int) -> bytes:
    content = os.pread(descriptor, PIECE, start)
    return crc32(content).to_bytes(4, "big") + len(content).to_bytes(4, "big")


def damage(folder: Path, expected: Mapping[str, str | None]) -> str | None:
    """The first file that is not as it was, and what it is instead; None if all are.

    Args:
        folder: that holds the files.
        expected: the checksum of each file by its path there; None for one that must only exist.
    """
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if digest is not None and checksum(path) != digest:
            return f"{path} is not as it was written"
    return None
