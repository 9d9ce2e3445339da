"""Markdown tables, and means with their intervals for the cells."""

from __future__ import annotations

from collections.abc import Sequence

from mstar.experiments.stats import Estimate


def table(head: str, lines: Sequence[str]) -> str:
    """A table: the head, the rule below it, and the lines.

    >>> print(table("| arm | n |", ["| one | 3 |"]))
    | arm | n |
    |---|---|
    | one | 3 |
    """
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *lines])


def percent(found: Estimate, sign: str = "") -> str:
    """A mean with its interval, in percent or points; a `sign` of "+" puts a sign on gains too."""
    return f"{100 * found.mean:{sign}.1f} {interval(found, sign)}"


def interval(found: Estimate | None, sign: str = "") -> str:
    """The interval alone; a dash where there is none."""
    if found is None:
        return "–"
    return f"[{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"
