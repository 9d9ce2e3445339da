"""Does a run of ``star`` explain what it is told, or repeat it? Answers without reasons, counted.

python -m mstar.experiments.hinted_reasons RUN [RUN ...] --out FILE
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from mstar.experiments.run_folder import Row, read_rollouts, write_rows
from mstar.experiments.stats import estimate
from mstar.rewards.reasons import reasons


@dataclass(frozen=True)
class HintedReasons:
    """Which runs to look into.

    Attributes:
        runs: their folders; of agent ``star``, with the same samples for every problem.
        out: JSON lines, a row a problem with right responses, apart for those with a hint.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path = Path("hinted_reasons.jsonl")


def counted(rollouts: Sequence[Row]) -> Iterator[Row]:
    """Of the right responses to each problem of a round: how many are the bare answer."""
    found: dict[tuple[str, bool], list[bool]] = {}
    for row in rollouts:
        if row["oracle"]:  # by the verifier; the gate abstains from a bare answer after a hint
            given = reasons(row["response"])
            found.setdefault((row["problem"], row["extra"]), []).append(given)
    for (problem, hinted), group in found.items():
        bare = group.count(False)
        yield {"problem": problem, "hinted": hinted, "right": len(group), "bare": bare}


def look(settings: HintedReasons) -> list[Row]:
    """The rows of all runs and rounds; also written.

    Raises:
        ValueError: a folder holds no rollouts.
    """
    rows: list[Row] = []
    for run in settings.runs:
        rounds = sorted((run / "rollouts").glob("*.parquet"))
        if not rounds:
            raise ValueError(f"{run} holds no rollouts; give folders of runs that sampled")
        for path in rounds:
            place = {"run": "/".join(run.parts[-2:]), "round": int(path.stem.rpartition("-")[2])}
            columns = ["problem", "response", "extra", "oracle"]
            rows += [{**place, **row} for row in counted(read_rollouts(path, columns))]
    write_rows(settings.out, rows)
    return rows


def reasons_table(rows: Sequence[Row]) -> str:
    """The share of bare answers among right responses, a line a round, as a markdown table.

    It is the mean over problems of each problem's share, with 95 % by bootstrap over problems
    within each run.

    Args:
        rows: from ``look``.
    """
    lines = [
        "| round | bare without a hint, % | problems | bare with a hint, % | problems |",
        "|---|---|---|---|---|",
    ]
    runs = sorted({row["run"] for row in rows})
    for number in sorted({row["round"] for row in rows}):
        cells = []
        for hinted in (False, True):
            here = [r for r in rows if r["round"] == number and r["hinted"] == hinted]
            shares = [[r["bare"] / r["right"] for r in here if r["run"] == run] for run in runs]
            if not any(shares):
                cells += ["", "0"]
                continue
            told = estimate([np.array(share, np.float64) for share in shares if share])
            cells += [f"{100 * told.mean:.0f} [{100 * told.low:.0f}, {100 * told.high:.0f}]"]
            cells += [str(told.n)]
        lines.append(f"| {number} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(reasons_table(look(tyro.cli(HintedReasons))))
