"""Pseudo-labels by name: to add a vote, write a function, add its name and a line here.

A pseudo-label replaces the reference answer of an unlabelled problem by a score for each response
to it, which the answers of the group decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from mstar.rewards.base import Attempt, Scores
from mstar.rewards.soft_votes import agreement_vote, judged_vote
from mstar.rewards.voting import guarded_vote, plain_vote

VoteName = Literal["vote", "guarded", "agreement", "judged"]
VOTES: tuple[VoteName, ...] = get_args(VoteName)

# Functions of the N responses to a problem and their N weights; see ``vote_weights``.
PSEUDO_LABELS: dict[VoteName, Callable[[Sequence[Attempt], Sequence[float]], Scores]] = {
    "vote": plain_vote,
    "guarded": guarded_vote,
    "agreement": agreement_vote,
    "judged": judged_vote,
}
