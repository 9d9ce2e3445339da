"""When a run was started, resumed and ended: a line for each launch that did something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from mstar.experiments.rows import Row, read_rows, write_rows
from mstar.experiments.run.run_folder import RunFolder

FILE = "launches.jsonl"


@contextmanager
def noted(folder: RunFolder) -> Iterator[None]:
    """Note the launch that the block is; one that was killed or failed has no end.

    Args:
        folder: of the run, as the launch finds it. Nothing is noted in one that is finished.
    """
    rounds = folder.rounds()
    before = read_rows(folder.path / FILE) if rounds else []
    ended = not before or before[-1]["ended"]
    if ended and (folder.path / "evaluation.jsonl").exists():
        yield
        return
    launch: Row = {
        "started": _now(),
        "after_round": rounds[-1]["number"] if rounds else None,
        "ended": None,
    }
    write_rows(folder.path / FILE, [*before, launch])
    yield
    write_rows(folder.path / FILE, [*before, launch | {"ended": _now()}])


def times(folder: RunFolder) -> Row:
    """Start and end of a run, and of each launch after the first, as JSON values.

    The times are UTC in ISO 8601. What is not known is None: the start of a run of an older
    version, the end of one that was killed or failed.
    """
    launches = read_rows(folder.path / FILE)
    first = launches[0] if launches and launches[0]["after_round"] is None else None
    return {
        "started": first and first["started"],
        "ended": launches[-1]["ended"] if launches else None,
        "resumed": launches[1:] if first else launches,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
