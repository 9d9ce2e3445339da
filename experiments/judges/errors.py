"""How well a step judge locates the first error of a response, by kind of error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mstar.experiments.markdown import table
from mstar.experiments.rows import Row

RESAMPLES = 2_000
SOURCES = {"exact and corrupted": ("exact", "slip"), "the policy's own": ("own",)}


@dataclass(frozen=True, slots=True)
class FirstErrorF1:
    """The F1 of ProcessBench (Zheng et al. 2024, arXiv 2412.06559) with its 95 % interval.

    Attributes:
        f1: harmonic mean of `found` and `spared`, in [0, 1].
        low: 2.5 % quantile of a bootstrap over problems.
        high: 97.5 % quantile.
        found: share of the wrong responses whose first error the judge locates at the right step.
        spared: share of the right responses in which it finds no error.
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

    def __str__(self) -> str:
        return f"{100 * self.f1:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def error_table(rows: Sequence[Row]) -> str:
    """The F1 by responses and kind of first error, as a markdown table.

    Args:
        rows: one per response, with ``source`` and the columns of ``first_error_f1``.
    """
    lines = []
    for name, sources in SOURCES.items():
        shown = [row for row in rows if row["source"] in sources]
        kinds = sorted({row["kind"] for row in shown} - {""})
        known = {row["first_error"] is None for row in shown}
        for kind in ("", *kinds) if len(known) == 2 else ():  # an F1 needs wrong and right ones
            it = first_error_f1(shown, kind)
            lines.append(
                f"| {name} | {kind or 'any'} | {it} "
                f"| {100 * it.found:.1f} % of {it.wrong} | {100 * it.spared:.1f} % of {it.right} |"
            )
    return table("| responses | first error | F1 | error located | correct accepted |", lines)


def family_table(rows: Sequence[Row]) -> str:
    """The F1 over all kinds of errors by family, as a markdown table.

    Args:
        rows: as for ``error_table``, with ``family``.
    """
    lines = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        found = [
            first_error_f1([row for row in own if row["source"] in sources])
            for sources in SOURCES.values()
        ]
        lines.append(f"| {family} | {' | '.join(map(str, found))} |")
    return table(f"| family | {' | '.join(SOURCES)} |", lines)


def first_error_f1(
    rows: Sequence[Row], kind: str = "", seed: int = 0, resamples: int = RESAMPLES
) -> FirstErrorF1:
    """The F1 over rows with ``problem``, ``kind``, ``first_error`` and ``seen``.

    Args:
        rows: a row a response.
        kind: counts only wrong responses whose first error is of this kind; all if "".
        seed: of the bootstrap, which draws problems with all their responses within a data seed.
        resamples: number of bootstrap resamples; with 0 the interval is NaN.

    Raises:
        ValueError: no wrong response of that kind, or no right one.
    """
    # Per problem: wrong responses, those found, right responses, those spared.
    counts: dict[tuple[int, str], np.ndarray] = {}
    for row in rows:
        wrong, seen = row["first_error"] is not None, row["seen"]
        if wrong and kind not in ("", row["kind"]):
            continue
        tally = counts.setdefault((row.get("seed", 0), row["problem"]), np.zeros(4))
        tally += (
            wrong,
            wrong and seen == row["first_error"],
            not wrong,
            not wrong and seen is None,
        )
    total = sum(counts.values(), np.zeros(4))
    if not total[0] or not total[2]:
        raise ValueError(
            f"an F1 needs wrong and right responses, got {total[0]:.0f} and {total[2]:.0f}; judge "
            "more problems"
        )
    low, high = _interval(counts, seed, resamples) if resamples else (np.nan, np.nan)
    return FirstErrorF1(
        float(_harmonic(total)),
        float(low),
        float(high),
        float(total[1] / total[0]),
        float(total[3] / total[2]),
        int(total[0]),
        int(total[2]),
    )


def _interval(
    counts: Mapping[tuple[int, str], np.ndarray], seed: int, resamples: int
) -> tuple[float, float]:
    """The 95 % interval of a bootstrap over the problems of each data seed."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, 4))
    for data_seed in sorted({key[0] for key in counts}):
        tallies = np.stack([tally for key, tally in counts.items() if key[0] == data_seed])
        drawn += (
            rng.multinomial(len(tallies), np.full(len(tallies), 1 / len(tallies)), resamples)
            @ tallies
        )
    low, high = np.quantile(_harmonic(drawn), [0.025, 0.975])
    return float(low), float(high)


def _harmonic(tally: np.ndarray) -> np.ndarray:
    """The harmonic mean of the shares found and spared, of (..., 4) tallies; 0 if both are 0."""
    found = tally[..., 1] / np.maximum(tally[..., 0], 1)
    spared = tally[..., 3] / np.maximum(tally[..., 2], 1)
    mean: np.ndarray = 2 * found * spared / np.maximum(found + spared, 1e-12)
    return mean
