"""Do responses to hints give reasons, or only repeat the answer? For runs of the agent ``star``.

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
class HintedReasonsOptions:
    """The runs to analyse.

    Attributes:
        runs: their folders; of agent ``star``, with the same samples for every problem.
        out: JSON lines, two a round: without a hint and with one.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path = Path("hinted_reasons.jsonl")


def counted(rollouts: Sequence[Row], hinted: bool) -> Row:
    """Right responses to each problem of a round, and how many of them are the bare answer.

    The verifier decides what is right, since the gate abstains on a bare answer to a hint.
    """
    given: dict[str, list[bool]] = {}
    for row in rollouts:
        if row["oracle"] and row["extra"] == hinted:
            given.setdefault(row["problem"], []).append(has_reasoning(row["response"]))
    groups = given.values()
    return {"right": [len(g) for g in groups], "bare": [g.count(False) for g in groups]}


def reason_rows(options: HintedReasonsOptions) -> list[Row]:
    """Write and return the rows of all runs and rounds.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    rows: list[Row] = []
    for name, number, path in stored_rounds(options.runs):
        rollouts = read_rollouts(path, ["problem", "response", "extra", "oracle"])
        for hinted in (False, True):
            found = counted(rollouts, hinted)
            rows.append({"run": name, "round": number, "hinted": hinted, **found})
    write_rows(options.out, rows)
    return rows


def bare_share(rows: Sequence[Row], number: int, hinted: bool) -> Estimate:
    """The share of bare answers among a problem's right responses, over problems and runs."""
    here = [row for row in rows if (row["round"], row["hinted"]) == (number, hinted)]
    shares = [np.divide(row["bare"], row["right"]) for row in here if row["right"]]
    return estimate(shares)


def reasons_table(rows: Sequence[Row]) -> str:
    """``bare_share`` without and with a hint, one line per round; intervals resample problems.

    Args:
        rows: from ``reason_rows``; a round without right responses of both kinds is left out.

    Raises:
        ValueError: no round has right responses both to hints and without.
    """
    head = "| round | bare without a hint, % | problems | bare with a hint, % | problems |"
    solved = {(row["round"], row["hinted"]) for row in rows if row["right"]}
    numbers = [
        n for n in sorted({row["round"] for row in rows}) if {(n, True), (n, False)} <= solved
    ]
    if not numbers:
        raise ValueError(
            "no round of these runs has right responses both to hints and without; give folders of "
            "runs of `mstar train --agent star`"
        )
    lines = []
    for number in numbers:
        shares = [bare_share(rows, number, hinted) for hinted in (False, True)]
        cells = [cell for share in shares for cell in (percent(share), str(share.n))]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    return table(head, lines)


if __name__ == "__main__":
    try:
        print(reasons_table(reason_rows(tyro.cli(HintedReasonsOptions))))
    except ValueError as error:
        raise SystemExit(str(error)) from None
