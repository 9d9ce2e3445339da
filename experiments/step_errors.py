"""How well a step judge finds the first error of a response, by kind of error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstar.experiments.run_folder import Row

RESAMPLES = 2_000
SOURCES = {"exact and slipped": ("exact", "slip"), "the policy's own": ("own",)}


@dataclass(frozen=True, slots=True)
class FirstErrorF1:
    """The F1 of ProcessBench (Zheng et al. 2024, arXiv 2412.06559) with its 95 % interval.

    Attributes:
        f1: harmonic mean of `found` and `spared`, in [0, 1].
        low: 2.5 % quantile of a bootstrap over responses.
        high: 97.5 % quantile.
        found: share of the wrong responses whose first error the judge puts at the right step.
        spared: share of the right responses in which it sees none.
        wrong: number of wrong responses.
        right: number of right ones.
    """

    f1: float
    low: float
    high: float
    found: float
    spared: float
    wrong: int
    right: int


def error_table(rows: Sequence[Row]) -> str:
    """The F1 by responses and kind of first error, as a markdown table.

    Args:
        rows: a row a response, with ``source`` beside what ``first_error_f1`` reads.
    """
    lines = [
        "| responses | first error | F1 | found at its place | right ones spared |",
        "|---|---|---|---|---|",
    ]
    for name, sources in SOURCES.items():
        shown = [row for row in rows if row["source"] in sources]
        for kind in ("", *sorted({row["kind"] for row in shown} - {""})):
            it = first_error_f1(shown, kind)
            lines.append(
                f"| {name} | {kind or 'any'} "
                f"| {100 * it.f1:.1f} [{100 * it.low:.1f}, {100 * it.high:.1f}] "
                f"| {100 * it.found:.1f} % of {it.wrong} | {100 * it.spared:.1f} % of {it.right} |"
            )
    return "\n".join(lines)


def first_error_f1(rows: Sequence[Row], kind: str = "", seed: int = 0) -> FirstErrorF1:
    """The F1 over rows with ``kind``, ``first_error`` and ``seen``.

    Args:
        rows: a row a response.
        kind: counts wrong responses of this kind of first error only; all if "".
        seed: of the bootstrap.

    Raises:
        ValueError: no wrong response of that kind, or no right one.
    """
    wrong = [r for r in rows if r["first_error"] is not None and kind in ("", r["kind"])]
    right = [r for r in rows if r["first_error"] is None]
    if not wrong or not right:
        raise ValueError(
            f"an F1 needs wrong and right responses; there are {len(wrong)} and {len(right)}"
        )
    found = np.array([row["seen"] == row["first_error"] for row in wrong], np.float64)
    spared = np.array([row["seen"] is None for row in right], np.float64)
    rng = np.random.default_rng(seed)
    drawn = [
        _harmonic(rng.choice(found, len(found)).mean(), rng.choice(spared, len(spared)).mean())
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return FirstErrorF1(
        _harmonic(found.mean(), spared.mean()),
        float(low),
        float(high),
        float(found.mean()),
        float(spared.mean()),
        len(wrong),
        len(right),
    )


def _harmonic(one: float, other: float) -> float:
    return float(2 * one * other / (one + other)) if one + other else 0.0
