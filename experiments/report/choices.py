"""What the exploration controller measured after every round, what it chose, and why."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mstar.agents.explore.catalog import CONTROLLERS
from mstar.agents.registry import resolve
from mstar.experiments.rows import Row
from mstar.experiments.run.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Choice:
    """The controller after one round.

    Attributes:
        round: its number.
        measured: temperature, Reward-Pass@2 and pass@1 on validation problems, for every evaluated
            temperature; None where nothing could be judged.
        chosen: temperature of the next round; None after the last one.
        threshold: of selection in the next round; None after the last one.
        largest: the largest number of responses to one problem of the round.
        reason: what in the figures speaks for the choice.
    """

    round: int
    measured: tuple[tuple[float, float | None, float | None], ...]
    chosen: float | None
    threshold: float | None
    largest: int
    reason: str


def controller_summary(name: str) -> str:
    """The description of an exploration controller: the first paragraph of its docstring."""
    documented = inspect.getdoc(resolve("controller", CONTROLLERS, name)) or ""
    return " ".join(documented.partition("\n\n")[0].split())


def choices_of(folder: RunFolder, rounds: Sequence[Row]) -> list[Choice]:
    """One choice per round."""
    found = []
    for row, following in zip(rounds, [*rounds[1:], None], strict=True):
        plan = following["plan"] if following else None
        problems = [each["problem"] for each in folder.rollouts(row["number"], ["problem"])]
        measured = tuple(
            (float(temperature), spread["reward_pass_2"], spread["pass_1"])
            for temperature, spread in row["dynamics"]["spread"].items()
        )
        chosen = plan["temperature"] if plan else None
        before = row["plan"]["temperature"] if row["plan"] else None
        found.append(
            Choice(
                row["number"],
                measured,
                chosen,
                plan["threshold"] if plan else None,
                max(Counter(problems).values(), default=0),
                reason(measured, before, chosen),
            )
        )
    return found


def reason(
    measured: Sequence[tuple[float, float | None, float | None]],
    before: float | None,
    chosen: float | None,
) -> str:
    """What in the figures of a round speaks for the next temperature, or against it.

    Args:
        measured: see ``Choice``.
        before: temperature of the round; None where it sampled nothing.
        chosen: temperature of the next round; None if there is none.

    >>> reason([(0.8, 0.5, 0.3), (1.0, 0.4, 0.3)], 1.0, 0.8)
    'highest Reward-Pass@2 of the 2 measured'
    """
    if chosen is None:
        return "no round follows"
    scores = {temperature: ranked for temperature, ranked, _ in measured if ranked is not None}
    stays = before is None or abs(chosen - before) < 1e-9
    if len(scores) < 2:
        return "nothing else was measured" if stays else "by its schedule; no probe was made"
    best = max(scores, key=lambda temperature: scores[temperature])
    own = scores.get(chosen)
    if own is not None and own == scores[best]:
        return f"highest Reward-Pass@2 of the {len(scores)} measured"
    lead = f"{100 * scores[best]:.1f} % at {best:.2f}"
    if own is not None:
        return f"{lead} against {100 * own:.1f} %: " + (
            "too little to move" if stays else "earlier rounds count as well"
        )
    return f"between what was measured ({lead})"
