"""Does a run of ``star`` explain what it is told, or repeat it? Answers without reasons, counted.

python -m mstar.experiments.studies.hinted_reasons RUN [RUN ...] --out FILE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from mstar.experiments.markdown import percent, table
from mstar.experiments.rows import Row, write_rows
from mstar.experiments.run.run_folder import read_rollouts, stored_rounds
from mstar.experiments.stats import Estimate, estimate
from mstar.rewards.verifier.extract import has_reasoning


@dataclass(frozen=True)
class HintedReasons:
    """Which runs to look into.

    Attributes:
        runs: their folders; of agent ``star``, with the same samples for every problem.
        out: JSON lines, two a round: without a hint and with one.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path = Path("hinted_reasons.jsonl")


def counted(rollouts: Sequence[Row], hinted: bool) -> Row:
    """Of the right responses to each problem of a round: how many are the bare answer.

    Right is what the verifier says; the gate abstains from a bare answer to a hint.
    """
    given: dict[str, list[bool]] = {}
    for row in rollouts:
        if row["oracle"] and row["extra"] == hinted:
            given.setdefault(row["problem"], []).append(has_reasoning(row["response"]))
    groups = given.values()
    return {"right": [len(g) for g in groups], "bare": [g.count(False) for g in groups]}


def look(settings: HintedReasons) -> list[Row]:
    """The rows of all runs and rounds; also written.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    rows: list[Row] = []
    for name, number, path in stored_rounds(settings.runs):
        rollouts = read_rollouts(path, ["problem", "response", "extra", "oracle"])
        for hinted in (False, True):
            found = counted(rollouts, hinted)
            rows.append({"run": name, "round": number, "hinted": hinted, **found})
    write_rows(settings.out, rows)
    return rows


def bare_share(rows: Sequence[Row], number: int, hinted: bool) -> Estimate:
    """The share of bare answers among a problem's right responses, over problems and runs."""
    here = [row for row in rows if (row["round"], row["hinted"]) == (number, hinted)]
    shares = [np.divide(row["bare"], row["right"]) for row in here if row["right"]]
    return estimate(shares)


def reasons_table(rows: Sequence[Row]) -> str:
    """That share, without and with a hint, a line a round; intervals resample problems.

    Args:
        rows: from ``look``; with right responses of both kinds in every round.
    """
    head = "| round | bare without a hint, % | problems | bare with a hint, % | problems |"
    lines = []
    for number in sorted({row["round"] for row in rows}):
        shares = [bare_share(rows, number, hinted) for hinted in (False, True)]
        cells = [cell for share in shares for cell in (percent(share), str(share.n))]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    return table(head, lines)


if __name__ == "__main__":
    print(reasons_table(look(tyro.cli(HintedReasons))))
