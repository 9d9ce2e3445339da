"""One process at a time in the folder of a run or a study."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """Keep other processes out of a folder, which is made if it does not exist.

    Child processes that inherit the file keep them out, too.

    The lock belongs to the process and not to the file that it is taken on: the kernel releases it
    when the process ends, however it ends. The file stays, since deleting it would let two others
    each lock a file of their own.

    Raises:
        ValueError: another process is in the folder; the message says which.
        OSError: the folder cannot be written, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{folder} is in use by {file.read() or 'another process'}, or by one that it has "
                "started; wait until it has ended, or give another --out"
            ) from None
        except OSError as error:
            raise cannot_write(folder, error) from error
        file.truncate()
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield file


def in_use(folder: Path) -> bool:
    """Whether a process is in a folder at present; False where that cannot be told."""
    try:
        with (folder / FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no run was ever started here, or the file system has no locks
        return False
    return False


def cannot_write(folder: Path, error: OSError) -> OSError:
    """The error to raise where the folder of a run cannot be written."""
    return OSError(
        f"cannot write the folder {folder}: {error.strerror or error}; choose another with --out"
    )
