"""How much is there for a selection to choose from? Different right responses of a problem.

python -m mstar.experiments.studies.selection_headroom RUN [RUN ...] --keep 2 --out FILE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.run_folder import read_rollouts, stored_rounds


@dataclass(frozen=True)
class Room:
    """Which runs to look into.

    Attributes:
        runs: their folders.
        keep: how many right responses of a problem a selection keeps.
        out: JSON lines, a row a run and round.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    keep: int = 2
    out: Path = Path("room_to_choose.jsonl")


def room_of(rollouts: Sequence[Row], keep: int) -> Row:
    """Of the solved problems of a round: how many have more different right texts than are kept.

    Where they have not, every rule that keeps `keep` different right responses keeps the same ones.
    """
    right: dict[str, set[str]] = {}
    for row in rollouts:
        if row["score/correctness"] == 1.0:
            right.setdefault(row["problem"], set()).add(row["response"])
    return {
        "solved": len(right),
        "different": sum(len(texts) for texts in right.values()),
        "to_choose": sum(len(texts) > keep for texts in right.values()),
    }


def look(settings: Room) -> list[Row]:
    """A row for each round of each run; also written.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    rows: list[Row] = []
    for name, number, path in stored_rounds(settings.runs):
        room = room_of(read_rollouts(path), settings.keep)
        rows.append({"run": name, "round": number, "keep": settings.keep, **room})
    write_rows(settings.out, rows)
    return rows


def sentence(rows: Sequence[Row]) -> str:
    """What the rows say, in one sentence."""
    solved = sum(row["solved"] for row in rows)
    share = sum(row["to_choose"] for row in rows) / solved
    mean = sum(row["different"] for row in rows) / solved
    return (
        f"of {solved:,} solved problems, {share:.1%} have more than {rows[0]['keep']} different "
        f"right responses; the mean is {mean:.2f}"
    )


if __name__ == "__main__":
    told = tyro.cli(Room)
    print(sentence(look(told)))
