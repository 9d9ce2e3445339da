"""What to tell of a failure in the middle of a run: what it was, what is kept, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from mstar.experiments.run.run_folder import RunFolder

# What each writer of files says on a full disk; torch does not say why it cannot write.
FULL = ("No space left", "Disk quota exceeded", "PytorchStreamWriter failed", "inline_container")


@contextmanager
def explained(folder: RunFolder) -> Iterator[None]:
    """Add to some errors of a run which rounds are kept, and what to do.

    Raises:
        FloatingPointError: weights or losses are not finite.
        ConnectionError: a server does not answer.
        OSError: the disk is full.
        FileNotFoundError: the run's folder was deleted.
    """
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(
            f"{error}; {_kept(folder)}. Lower --learning-rate (for online agents "
            "--online-learning-rate), or leave out --bf16, and give another --out"
        ) from error
    except ConnectionError as error:
        raise ConnectionError(
            f"{error}; {_kept(folder)}. Once the server answers, give the same command to go on"
        ) from error
    except (OSError, RuntimeError, SafetensorError) as error:
        if not folder.exists():
            raise folder.deleted() from error
        if any(words in str(error) for words in FULL):
            raise OSError(
                f"the disk of {folder.path} is full: {_first_line(error)}; {_kept(folder)}. Make "
                "room, or lower --save-total-limit, and give the same command to go on"
            ) from error
        raise


def _kept(folder: RunFolder) -> str:
    rows = folder.rounds()
    if not rows:
        return "no round was finished"
    return f"round {rows[-1]['number']} is the last good one, and {folder.path} holds it"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
