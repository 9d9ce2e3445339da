"""The shortest response of a group scores highest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstar.rewards.base import Attempt, Scores, rows_by_group


class Brevity:
    """1 for the shortest response of a group, 0 for the longest, linear in between.

    Source: the length reward of Kimi k1.5 (arXiv 2501.12599, section 2.3.3), moved from
    [-0.5, 0.5] to [0, 1]. There a wrong response earns nothing by being short; here that is up to
    the panel's rule (``gated`` or ``outcome_anchor``). An empty response scores 0 and does not
    count as the shortest. Abstains where there is nothing to compare: no group, fewer than two
    non-empty responses, or all of one length.
    """

    name = "brevity"

    def score(self, attempts: Sequence[Attempt]) -> Scores:
        """Compare lengths within each group; (N,) float32 in [0, 1] or NaN."""
        scores = np.full(len(attempts), np.nan, np.float32)
        lengths = np.array([len(attempt.response.strip()) for attempt in attempts])
        for rows in rows_by_group(attempts):
            nonempty = lengths[rows][lengths[rows] > 0]
            if len(nonempty) < 2 or nonempty.min() == nonempty.max():
                continue
            share = (lengths[rows] - nonempty.min()) / (nonempty.max() - nonempty.min())
            scores[rows] = np.where(lengths[rows] > 0, 1 - share, 0.0)
        return scores
