"""How many distinct right responses a selection rule can choose from, per problem.

python -m mstar.experiments.studies.selection_headroom RUN [RUN ...] --keep 2 --out FILE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.run_folder import read_rollouts, stored_rounds

NONE_SOLVED = (
    "no response of these runs is right by a label, so there is nothing to select from; give runs "
    "with labelled problems that solved some of them"
)


@dataclass(frozen=True)
class HeadroomOptions:
    """The runs to analyse.

    Attributes:
        runs: their folders.
        keep: how many right responses of a problem a selection keeps.
        out: JSON lines, a row a run and round.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    keep: int = 2
    out: Path = Path("selection_headroom.jsonl")


def headroom(rollouts: Sequence[Row], keep: int) -> Row:
    """Of the solved problems of a round, those with more distinct right responses than are kept.

    For the other problems, all rules that keep `keep` distinct right responses keep the same ones.
    """
    right: dict[str, set[str]] = {}
    for row in rollouts:
        if row.get("score/correctness") == 1.0:
            right.setdefault(row["problem"], set()).add(row["response"])
    return {
        "solved": len(right),
        "different": sum(len(texts) for texts in right.values()),
        "to_choose": sum(len(texts) > keep for texts in right.values()),
    }


def headroom_rows(options: HeadroomOptions) -> list[Row]:
    """Write and return a row for each round of each run.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    rows: list[Row] = []
    for name, number, path in stored_rounds(options.runs):
        counts = headroom(read_rollouts(path), options.keep)
        rows.append({"run": name, "round": number, "keep": options.keep, **counts})
    write_rows(options.out, rows)
    return rows


def sentence(rows: Sequence[Row]) -> str:
    """The rows summed up in one sentence.

    Raises:
        ValueError: no problem was solved.
    """
    solved = sum(row["solved"] for row in rows)
    if not solved:
        raise ValueError(NONE_SOLVED)
    share = sum(row["to_choose"] for row in rows) / solved
    mean = sum(row["different"] for row in rows) / solved
    return (
        f"of {solved:,} solved problems, {share:.1%} have more than {rows[0]['keep']} different "
        f"right responses; the mean is {mean:.2f}"
    )


if __name__ == "__main__":
    try:
        print(sentence(headroom_rows(tyro.cli(HeadroomOptions))))
    except ValueError as error:
        raise SystemExit(str(error)) from None
