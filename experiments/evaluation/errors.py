"""What the remaining errors of a policy are: misread, miscalculated, or guessed.

python -m mstar.experiments.evaluation.errors FOLDER..., of runs or of packed rows with responses
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import tyro
from rich.console import Console

from mstar.agents.judges.step_labels import label_response
from mstar.envs.families.catalog import FAMILIES
from mstar.envs.problem import Problem
from mstar.envs.source import find_problem
from mstar.envs.variants.corruptions import evaluate_arithmetic
from mstar.experiments.markdown import percent, table
from mstar.experiments.packed_rows import PACKED, unpack
from mstar.experiments.rows import Row, read_rows
from mstar.experiments.stats import estimate
from mstar.rewards.verifier.extract import has_reasoning

EVALUATION = "evaluation.jsonl"
ErrorKind = Literal["misread", "miscalculated", "concluded", "guessed"]
KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)


@dataclass(frozen=True, slots=True)
class WrongResponse:
    """A wrong greedy response to a problem with a worked solution.

    Attributes:
        policy: base or evolved.
        kind: ``misread``, the first line that the solution lacks states something seen;
            ``miscalculated``, it has an equals sign; ``concluded``, all steps are right and the
            answer is not; ``guessed``, there are no steps.
        consistent: of a misread response, whether all of its calculations are right.
    """

    policy: str
    kind: ErrorKind
    consistent: bool


def wrong_responses(rows: Sequence[Row]) -> list[WrongResponse]:
    """The wrong greedy responses among the rows of evaluations, of problems that are families'."""
    found = []
    problems: dict[str, Problem] = {}  # both policies answer the same ones
    for row in rows:
        if row["greedy"] is not False or row["family"] not in FAMILIES or not row.get("response"):
            continue
        response: str = row["response"]
        if row["id"] not in problems:
            problems[row["id"]] = find_problem(FAMILIES[row["family"]](1), "test", row["id"])
        labelled = label_response(problems[row["id"]], response)
        if labelled is None:
            continue
        kind = KIND_OF[labelled.kind] if has_reasoning(response) else "guessed"
        found.append(WrongResponse(row["policy"], kind, calculates(response)))
    return found


# By the kind of a response's first wrong step; "" where the verifier was not asked as here.
KIND_OF: dict[str, ErrorKind] = {
    "perceive": "misread",
    "compute": "miscalculated",
    "answer": "concluded",
    "": "concluded",
}


def calculates(response: str) -> bool:
    r"""Whether every line of the form ``3 + 5 = 8`` is right.

    >>> calculates("red is 3\\n3 + 5 = 8"), calculates("3 + 5 = 9")
    (True, False)
    """
    for line in response.splitlines():
        left, sign, right = line.rpartition("=")
        stated = evaluate_arithmetic(right.strip())
        value = evaluate_arithmetic(left.strip()) if sign else None
        if value is not None and stated is not None and value != stated:
            return False
    return True


def error_table(rows: Sequence[Row]) -> str:
    """Shares of each kind among the wrong greedy responses, as markdown."""
    wrong = wrong_responses(rows)
    lines = []
    for policy in dict.fromkeys(each.policy for each in wrong):
        own = [each for each in wrong if each.policy == policy]
        shares = [
            percent(estimate([np.array([e.kind == kind for e in own], float)])) for kind in KINDS
        ]
        misread = np.array([e.consistent for e in own if e.kind == "misread"], float)
        right = percent(estimate([misread])) if len(misread) else ""
        tested = sum(row["policy"] == policy for row in rows)
        lines.append(f"| {policy} | {tested:,} | {len(own):,} | {' | '.join(shares)} | {right} |")
    head = (
        f"| policy | problems | wrong | {', % | '.join(KINDS)}, % | misread, calculated right, % |"
    )
    return table(head, lines)


def rows_of(folder: Path) -> list[Row]:
    """The evaluation rows below a folder, packed or not."""
    if (folder / PACKED).exists():
        files = unpack(folder / PACKED)
        return [row for name, rows in files.items() if name.endswith(EVALUATION) for row in rows]
    return [row for path in sorted(folder.rglob(EVALUATION)) for row in read_rows(path)]


if __name__ == "__main__":
    given = tyro.cli(Annotated[tuple[Path, ...], tyro.conf.Positional], description=__doc__)
    Console().print(error_table([r for f in given for r in rows_of(f)]), soft_wrap=True)
