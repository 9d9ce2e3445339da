"""Ask the same problems in several phrasings: accuracy by phrasing, and consistency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mstar.agents.rollout import collect
from mstar.agents.sampling.base import Sampler
from mstar.envs.problem import Problem
from mstar.envs.task import Task
from mstar.envs.variants.phrasing import Phrasing, phrase
from mstar.envs.variants.unlabelled import is_right
from mstar.experiments.rows import Row
from mstar.experiments.stats import Estimate, estimate

AS_DRAWN = "as drawn"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table.

    Attributes:
        group: of problems.
        variant: a phrasing, one value of it, or a property of all phrasings.
        estimate: a share of the problems, with its interval.
    """

    group: str
    variant: str
    estimate: Estimate

    def as_json(self) -> Row:
        """The same as JSON values."""
        return asdict(self)


def ask_variants(
    sampler: Sampler,
    task: Task,
    problems: Sequence[Problem],
    phrasings: Sequence[Phrasing],
    seed: int,
    **labels: str,
) -> list[Row]:
    """A greedy answer to every problem in every phrasing.

    Returns:
        One row per problem and phrasing: id, family, the phrasing asked for (``variant``) and the
        one that was applied (``phrasing``), whether the response is right, the response, and the
        labels.
    """
    rows = []
    for number, phrasing in enumerate(phrasings):
        asked = [phrase(problem, phrasing) for problem in problems]
        rows += [
            {
                **labels,
                "id": rollout.problem.id,
                "family": rollout.problem.tags.get("family", ""),
                "number": number,
                "variant": phrasing.label or AS_DRAWN,
                "phrasing": rollout.problem.tags["phrasing"],
                "right": is_right(rollout.problem, rollout.judged) is True,
                "response": rollout.response.text,
            }
            for rollout in collect(sampler, task, asked, [0.0], seed, version=0)
        ]
    return rows


def by_variant(rows: Sequence[Row]) -> list[Line]:
    """Accuracy in each phrasing, by group of problems."""
    found: dict[tuple[str, int, str], list[bool]] = {}
    for row in rows:
        found.setdefault((row["group"], row["number"], row["variant"]), []).append(row["right"])
    return [
        Line(group, variant, estimate([np.array(right, float)]))
        for (group, _, variant), right in sorted(found.items())
    ]


def consistency(rows: Sequence[Row]) -> list[Line]:
    """Shares of problems with the same verdict in all phrasings, and right in all phrasings."""
    verdicts: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        verdicts.setdefault(row["group"], {}).setdefault(row["id"], []).append(row["right"])
    lines = []
    for group, problems in verdicts.items():
        same = np.array([len(set(right)) == 1 for right in problems.values()], float)
        always = np.array([all(right) for right in problems.values()], float)
        lines.append(Line(group, "consistent: one verdict in all phrasings", estimate([same])))
        lines.append(Line(group, "right in all phrasings", estimate([always])))
    return lines


def in_training(rollouts: Sequence[Row]) -> list[Line]:
    """The accuracy of stored rollouts by each value of their phrasings; [] if nothing varied.

    Accuracy is averaged over the samples of a problem first; the interval is over problems.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for row in rollouts:
        if row.get("oracle") is not None:
            for value in row.get("phrasing", "").split() or [AS_DRAWN]:
                found.setdefault(value, {}).setdefault(row["problem"], []).append(row["oracle"])
    if set(found) <= {AS_DRAWN}:
        return []
    return [
        Line("in training", value, estimate([np.array([np.mean(r) for r in right.values()])]))
        for value, right in sorted(found.items())
    ]
